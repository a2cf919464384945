//! PostgreSQL.

use std::str::FromStr;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, PgConnection, Row,
    SqlSafeStr, Statement, TypeInfo,
};

use super::super::columns::Column;
use super::super::feed::{Feed, Halt};
use super::query::{self, LONGEST};
use super::{Asked, CONNECT, Cell, Database, Rows};

/// One snapshot for the whole inventory, in which nothing can be written, and texts of
/// dates that do not depend on anybody's settings.
const BEGIN: &str = "begin isolation level repeatable read read only;
set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'";

pub(super) async fn read(
    database: &Database,
    asked: &Asked<'_>,
    feed: &mut Feed,
) -> Result<(), Halt> {
    let failed = |error| database.unreadable(&error);
    let mut connection =
        connect(database).await.map_err(failed)?.ok_or_else(|| database.silent())?;
    connection.execute(BEGIN).await.map_err(failed)?;
    let probe = AssertSqlSafe(query::probe(&asked.query)).into_sql_str();
    let probe = (&mut connection).prepare(probe).await.map_err(failed)?;
    let names: Vec<String> = probe.columns().iter().map(|c| c.name().to_owned()).collect();
    let types: Vec<String> =
        probe.columns().iter().map(|c| c.type_info().name().to_owned()).collect();
    let type_of = |name: &str| names.iter().position(|n| n == name).map(|at| types[at].as_str());

    let layout = asked.layout(database, &names)?;
    let binary: Vec<bool> = layout.iter().map(|(_, name)| type_of(name) == Some("BYTEA")).collect();
    let fields: Vec<String> =
        layout.iter().zip(&binary).map(|((_, name), binary)| field(name, *binary)).collect();
    let id = layout
        .iter()
        .zip(&binary)
        .find(|((column, _), _)| *column == Column::TenantId)
        .map(|((_, name), binary)| id(name, *binary));
    let mut rows = Rows::open(feed).await?;
    for sql in query::statements(&asked.query, &fields, asked.selection, id.as_deref()) {
        let stream = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch(&mut connection);
        rows.take(database, &layout, stream, |row: &PgRow, at| {
            let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(at)?;
            Ok(bytes.map(|bytes| Cell { bytes, is_binary: binary[at] }))
        })
        .await?;
    }
    rows.flush().await?;
    // All rows are there; the server notices in any case.
    drop(connection.close().await);
    Ok(())
}

/// `None` when there is no answer in time.
async fn connect(database: &Database) -> Result<Option<PgConnection>, sqlx::Error> {
    let options = PgConnectOptions::from_str(database.url.expose_secret())?
        .application_name("xero-connection-migration inventory")
        // A pooler between us and the server need not keep prepared statements, nor let this pass.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    tokio::time::timeout(CONNECT, options.connect()).await.ok().transpose()
}

fn field(name: &str, is_binary: bool) -> String {
    let name = query::quoted(name, '"');
    if is_binary {
        format!("substring({name} from 1 for {LONGEST})")
    } else {
        format!("left({name}::text, {LONGEST})")
    }
}

fn id(name: &str, is_binary: bool) -> String {
    let name = query::quoted(name, '"');
    if is_binary {
        format!("encode({name}, 'hex')")
    } else {
        format!("replace(lower(trim({name}::text)), '-', '')")
    }
}
