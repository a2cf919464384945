//! SQLite.

use std::str::FromStr;

use secrecy::ExposeSecret;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, Row, SqlSafeStr,
    SqliteConnection, Statement, TypeInfo, ValueRef,
};

use super::super::columns::Column;
use super::super::feed::{Feed, Halt};
use super::query::{self, LONGEST};
use super::{Asked, Cell, Database, Rows};

pub(super) async fn read(
    database: &Database,
    asked: &Asked<'_>,
    feed: &mut Feed,
) -> Result<(), Halt> {
    let failed = |error| database.unreadable(&error);
    let mut connection = connect(database).await.map_err(failed)?;
    connection.execute("begin").await.map_err(failed)?;
    // Within brackets SQLite gives the second of two equal names a name of its own.
    let plain = names(&mut connection, asked.query.clone()).await.map_err(failed)?;
    asked.layout(database, &plain)?;
    let names = names(&mut connection, query::probe(&asked.query)).await.map_err(failed)?;

    let layout = asked.layout(database, &names)?;
    let fields: Vec<String> = layout.iter().map(|(_, name)| field(name)).collect();
    let id =
        layout.iter().find(|(column, _)| *column == Column::TenantId).map(|(_, name)| id(name));
    let mut rows = Rows::open(feed).await?;
    for sql in query::statements(&asked.query, &fields, asked.selection, id.as_deref()) {
        let stream = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch(&mut connection);
        rows.take(database, &layout, stream, cell).await?;
    }
    rows.flush().await?;
    // All rows are there; a file that was only read has nothing left to lose.
    drop(connection.close().await);
    Ok(())
}

async fn names(connection: &mut SqliteConnection, sql: String) -> Result<Vec<String>, sqlx::Error> {
    let statement = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await?;
    Ok(statement.columns().iter().map(|column| column.name().to_owned()).collect())
}

async fn connect(database: &Database) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::from_str(database.url.expose_secret())?
        .read_only(true)
        .create_if_missing(false)
        .disable_statement_logging()
        .connect()
        .await
}

fn cell(row: &SqliteRow, at: usize) -> Result<Option<Cell<'_>>, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    // SQLite has types per value, not per column.
    let is_binary = value.type_info().name() == "BLOB";
    let bytes = row.try_get_unchecked::<&[u8], _>(at)?;
    Ok(Some(Cell { bytes, is_binary }))
}

fn field(name: &str) -> String {
    let name = query::quoted(name, '"');
    format!(
        "case when typeof({name}) in ('integer', 'real') then cast({name} as text) \
         else substr({name}, 1, {LONGEST}) end"
    )
}

fn id(name: &str) -> String {
    let name = query::quoted(name, '"');
    format!(
        "case typeof({name}) when 'blob' then lower(hex({name})) \
         else replace(lower(trim({name})), '-', '') end"
    )
}
