//! MySQL and MariaDB.

use std::str::FromStr;

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlRow, MySqlTypeInfo};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, MySql, MySqlConnection, Row,
    SqlSafeStr, Statement, Type,
};

use super::super::columns::Column;
use super::super::feed::{Feed, Halt};
use super::query::{self, LONGEST};
use super::{Asked, CONNECT, Cell, Database, Rows};

/// One snapshot for the whole inventory, in which nothing can be written.
const BEGIN: [&str; 2] = [
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
];

/// How a column reaches us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    /// Numbers and dates, which the server turns into text.
    Other,
}

impl Kind {
    fn of(info: &MySqlTypeInfo) -> Self {
        if <str as Type<MySql>>::compatible(info) {
            Self::Text
        } else if <[u8] as Type<MySql>>::compatible(info) {
            Self::Binary
        } else {
            Self::Other
        }
    }
}

pub(super) async fn read(
    database: &Database,
    asked: &Asked<'_>,
    feed: &mut Feed,
) -> Result<(), Halt> {
    let failed = |error| database.unreadable(&error);
    let mut connection =
        connect(database).await.map_err(failed)?.ok_or_else(|| database.silent())?;
    for statement in BEGIN {
        connection.execute(statement).await.map_err(failed)?;
    }
    let probe = AssertSqlSafe(query::probe(&asked.query)).into_sql_str();
    let probe = (&mut connection).prepare(probe).await.map_err(failed)?;
    let names: Vec<String> = probe.columns().iter().map(|c| c.name().to_owned()).collect();
    let kinds: Vec<Kind> = probe.columns().iter().map(|c| Kind::of(c.type_info())).collect();
    let kind_of =
        |name: &str| names.iter().position(|n| n == name).map_or(Kind::Other, |at| kinds[at]);

    let layout = asked.layout(database, &names)?;
    let is_binary: Vec<bool> =
        layout.iter().map(|(_, name)| kind_of(name) == Kind::Binary).collect();
    let fields: Vec<String> = layout.iter().map(|(_, name)| field(name, kind_of(name))).collect();
    let id = layout
        .iter()
        .find(|(column, _)| *column == Column::TenantId)
        .map(|(_, name)| id(name, kind_of(name)));
    let mut rows = Rows::open(feed).await?;
    for sql in query::statements(&asked.query, &fields, asked.selection, id.as_deref()) {
        let stream = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch(&mut connection);
        rows.take(database, &layout, stream, |row: &MySqlRow, at| {
            let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(at)?;
            Ok(bytes.map(|bytes| Cell { bytes, is_binary: is_binary[at] }))
        })
        .await?;
    }
    rows.flush().await?;
    // All rows are there; the server notices in any case.
    drop(connection.close().await);
    Ok(())
}

/// `None` when there is no answer in time.
async fn connect(database: &Database) -> Result<Option<MySqlConnection>, sqlx::Error> {
    let options = MySqlConnectOptions::from_str(database.url.expose_secret())?
        .timezone(Some("+00:00".to_owned()))
        // The user's query means what it means in the user's own client.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    tokio::time::timeout(CONNECT, options.connect()).await.ok().transpose()
}

fn field(name: &str, kind: Kind) -> String {
    let name = query::quoted(name, '`');
    match kind {
        Kind::Text | Kind::Binary => format!("left({name}, {LONGEST})"),
        Kind::Other => format!("left(cast({name} as char), {LONGEST})"),
    }
}

fn id(name: &str, kind: Kind) -> String {
    let name = query::quoted(name, '`');
    let text = |name: &str| format!("replace(lower(trim({name})), '-', '')");
    match kind {
        Kind::Text | Kind::Other => text(&name),
        Kind::Binary => format!(
            "case when length({name}) = 16 then lower(hex({name})) else {} end",
            text(&format!("convert({name} using utf8mb4)"))
        ),
    }
}
