//! The floor's writing to PostgreSQL: one array per column.

use anyhow::Result;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Postgres as Db, Transaction, Type};
use uuid::Uuid;

use crate::floor::{CONNECTIONS, EVIDENCE, GRANTS, PEOPLE, Row, at};

/// Rows of one statement: about as many as the worker has.
pub const ROWS: usize = 2_000;

pub struct Postgres {
    now: DateTime<Utc>,
}

const GRANT_TYPES: &[&str] = &[
    "uuid",
    "text",
    "text",
    "bigint",
    "text",
    "timestamptz",
    "boolean",
    "timestamptz",
    "timestamptz",
];
const CONNECTION_TYPES: &[&str] = &[
    "uuid",
    "uuid",
    "uuid",
    "uuid",
    "text",
    "text",
    "text",
    "uuid",
    "text",
    "timestamptz",
    "timestamptz",
    "timestamptz",
    "bigint",
    "text",
    "text",
    "text",
    "text",
    "text",
    "boolean",
    "boolean",
    "boolean",
    "boolean",
    "boolean",
    "timestamptz",
    "timestamptz",
];
const PEOPLE_TYPES: &[&str] = &["uuid", "bigint", "text", "text", "text", "text", "text", "text"];

impl Postgres {
    pub fn new() -> Self {
        Self { now: DateTime::UNIX_EPOCH }
    }

    pub async fn write(&self, tx: &mut Transaction<'static, Db>, rows: &[Row]) -> Result<()> {
        let fresh: Vec<&Row> = rows.iter().filter(|row| row.is_new_grant).collect();
        let grants = self.grants(&fresh)?;
        insert(tx, GRANTS, GRANT_TYPES, grants).await?;
        let rows: Vec<&Row> = rows.iter().collect();
        let connections = self.connections(&rows)?;
        insert(tx, CONNECTIONS, CONNECTION_TYPES, connections).await?;
        insert(tx, PEOPLE, PEOPLE_TYPES, people(&rows)?).await
    }

    fn grants(&self, rows: &[&Row]) -> Result<Columns> {
        let count = rows.len();
        let mut columns = Columns::default();
        columns.add(rows.iter().map(|row| row.grant).collect::<Vec<_>>())?;
        columns.add(vec!["broad_only"; count])?;
        columns.add(vec![None::<&str>; count])?;
        columns.add(vec![123_i64; count])?;
        columns.add(vec!["scopes"; count])?;
        columns.add(dates(rows, at::EVIDENCE_AT)?)?;
        columns.add(vec![false; count])?;
        columns.add(vec![self.now; count])?;
        columns.add(vec![None::<DateTime<Utc>>; count])?;
        Ok(columns)
    }

    fn connections(&self, rows: &[&Row]) -> Result<Columns> {
        let count = rows.len();
        let keys: Vec<Uuid> = rows.iter().map(|row| row.connection).collect();
        let mut columns = Columns::default();
        columns.add(keys.clone())?;
        columns.add(keys)?;
        columns.add(rows.iter().map(|row| row.grant).collect::<Vec<_>>())?;
        columns.add(ids(rows, at::TENANT)?)?;
        columns.add(texts(rows, at::TENANT_NAME)?)?;
        columns.add(texts(rows, at::TENANT_TYPE)?)?;
        columns.add(texts(rows, at::ACCOUNT)?)?;
        columns.add(ids(rows, at::AUTH_EVENT)?)?;
        columns.add(texts(rows, at::FLOW)?)?;
        columns.add(dates(rows, at::CONNECTED_AT)?)?;
        columns.add(dates(rows, at::UPDATED_AT)?)?;
        columns.add(dates(rows, at::LAST_USED_AT)?)?;
        columns.add(vec![None::<i64>; count])?;
        columns.add(vec![EVIDENCE; count])?;
        columns.add(vec![None::<&str>; count])?;
        columns.add(vec!["present"; count])?;
        columns.add(vec!["broad_only"; count])?;
        columns.add(vec!["awaiting"; count])?;
        for flag in [false, false, false, true, false] {
            columns.add(vec![flag; count])?;
        }
        columns.add(vec![self.now; count])?;
        columns.add(vec![None::<DateTime<Utc>>; count])?;
        Ok(columns)
    }
}

fn people(rows: &[&Row]) -> Result<Columns> {
    let mut columns = Columns::default();
    columns.add(rows.iter().map(|row| row.connection).collect::<Vec<_>>())?;
    columns
        .add(rows.iter().map(|row| row.grant.as_u64_pair().0.cast_signed()).collect::<Vec<_>>())?;
    for column in [at::EMAIL, at::EMAIL, at::NAME, at::LOCALE, at::TIME_ZONE, at::COUNTRY] {
        columns.add(texts(rows, column)?)?;
    }
    Ok(columns)
}

fn texts<'a>(rows: &[&'a Row], column: usize) -> Result<Vec<&'a str>> {
    rows.iter().map(|row| row.text(column)).collect()
}

fn ids(rows: &[&Row], column: usize) -> Result<Vec<Uuid>> {
    rows.iter().map(|row| row.id(column)).collect()
}

fn dates(rows: &[&Row], column: usize) -> Result<Vec<DateTime<Utc>>> {
    rows.iter().map(|row| Ok(DateTime::parse_from_rfc3339(row.text(column)?)?.to_utc())).collect()
}

#[derive(Default)]
struct Columns(PgArguments);

impl Columns {
    fn add<'t>(&mut self, values: impl Encode<'t, Db> + Type<Db>) -> Result<()> {
        self.0.add(values).map_err(anyhow::Error::from_boxed)
    }
}

async fn insert(
    tx: &mut Transaction<'static, Db>,
    (table, columns): (&str, &[&str]),
    types: &[&str],
    values: Columns,
) -> Result<()> {
    let casts: Vec<String> =
        (1..).zip(types).map(|(n, kind): (usize, _)| format!("${n}::{kind}[]")).collect();
    let statement = format!(
        "INSERT INTO {table} ({}) SELECT * FROM UNNEST({})",
        columns.join(", "),
        casts.join(", ")
    );
    sqlx::query_with(AssertSqlSafe(statement), values.0).execute(&mut **tx).await?;
    Ok(())
}
