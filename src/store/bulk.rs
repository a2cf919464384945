//! Bulk writes: one statement per batch.
//!
//! PostgreSQL takes one array per column. SQLite takes rows of nameless parameters: named
//! ones are looked up one by one, which makes a statement of n parameters cost n².

use chrono::{DateTime, Utc};
use sqlx::{Arguments, AssertSqlSafe};
use uuid::Uuid;

use super::{Error, Tx};

/// The type of a column, the same in both schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Text,
    Int,
    Time,
    Bool,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Time(Option<DateTime<Utc>>),
    Bool(bool),
}

/// Where rows go, and what happens to a row that is there already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub table: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    /// The unique column whose row is overwritten; without one, rows are only added.
    pub key: Option<&'static str>,
    /// Columns that keep their first value that is not NULL.
    pub keep: &'static [&'static str],
}

/// Rows of one SQLite statement: enough to make its overhead small, few enough to keep the
/// number of parameters far below SQLite's limit of 32,766.
const SQLITE_ROWS: usize = 64;

/// Writes rows, given as one list of cells in the order of the target's columns.
pub(super) async fn write(tx: &mut Tx, target: &Target, cells: Vec<Cell>) -> Result<(), Error> {
    let width = target.columns.len();
    debug_assert_eq!(cells.len() % width, 0);
    if cells.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Postgres(tx) => {
            let casts: Vec<String> = (1..)
                .zip(target.columns)
                .map(|(n, (_, kind))| format!("${n}::{}[]", postgres_type(*kind)))
                .collect();
            let statement =
                target.statement(&format!("SELECT * FROM UNNEST({})", casts.join(", ")));
            let mut arguments = sqlx::postgres::PgArguments::default();
            for column in transpose(target.columns, cells) {
                column.add_to(&mut arguments)?;
            }
            sqlx::query_with(AssertSqlSafe(statement), arguments).execute(&mut **tx).await?;
        }
        Tx::Sqlite(tx) => {
            let row = format!("({})", vec!["?"; width].join(","));
            let mut cells = cells.into_iter().peekable();
            let mut left = cells.len() / width;
            while left > 0 {
                let rows = left.min(SQLITE_ROWS);
                let values = vec![row.as_str(); rows].join(",");
                let mut arguments = sqlx::sqlite::SqliteArguments::default();
                for cell in cells.by_ref().take(rows * width) {
                    match cell {
                        Cell::Uuid(value) => arguments.add(value),
                        Cell::Text(value) => arguments.add(value),
                        Cell::Int(value) => arguments.add(value),
                        Cell::Time(value) => arguments.add(value),
                        Cell::Bool(value) => arguments.add(value),
                    }
                    .map_err(sqlx::Error::Encode)?;
                }
                let statement = target.statement(&format!("VALUES {values}"));
                sqlx::query_with(AssertSqlSafe(statement), arguments).execute(&mut **tx).await?;
                left -= rows;
            }
        }
    }
    Ok(())
}

impl Target {
    /// The same for rows that are certainly not there yet.
    pub(super) const fn adding(self) -> Self {
        Self { key: None, ..self }
    }

    fn statement(&self, source: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut statement = format!("INSERT INTO {} ({}) {source}", self.table, names.join(", "));
        if let Some(key) = self.key {
            let updates: Vec<String> = names
                .iter()
                .filter(|name| **name != key)
                .map(|name| match self.keep.contains(name) {
                    true => format!("{name} = COALESCE({}.{name}, excluded.{name})", self.table),
                    false => format!("{name} = excluded.{name}"),
                })
                .collect();
            statement
                .push_str(&format!(" ON CONFLICT ({key}) DO UPDATE SET {}", updates.join(", ")));
        }
        statement
    }
}

fn postgres_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid => "uuid",
        Kind::Text => "text",
        Kind::Int => "bigint",
        Kind::Time => "timestamptz",
        Kind::Bool => "boolean",
    }
}

enum Column {
    Uuid(Vec<Option<Uuid>>),
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Time(Vec<Option<DateTime<Utc>>>),
    Bool(Vec<bool>),
}

impl Column {
    fn add_to(self, arguments: &mut sqlx::postgres::PgArguments) -> Result<(), Error> {
        match self {
            Self::Uuid(values) => arguments.add(values),
            Self::Text(values) => arguments.add(values),
            Self::Int(values) => arguments.add(values),
            Self::Time(values) => arguments.add(values),
            Self::Bool(values) => arguments.add(values),
        }
        .map_err(|error| Error::Database(sqlx::Error::Encode(error)))
    }
}

fn transpose(columns: &[(&str, Kind)], cells: Vec<Cell>) -> Vec<Column> {
    let rows = cells.len() / columns.len();
    let mut out: Vec<Column> = columns
        .iter()
        .map(|(_, kind)| match kind {
            Kind::Uuid => Column::Uuid(Vec::with_capacity(rows)),
            Kind::Text => Column::Text(Vec::with_capacity(rows)),
            Kind::Int => Column::Int(Vec::with_capacity(rows)),
            Kind::Time => Column::Time(Vec::with_capacity(rows)),
            Kind::Bool => Column::Bool(Vec::with_capacity(rows)),
        })
        .collect();
    let width = columns.len();
    for (position, cell) in cells.into_iter().enumerate() {
        match (&mut out[position % width], cell) {
            (Column::Uuid(values), Cell::Uuid(value)) => values.push(value),
            (Column::Text(values), Cell::Text(value)) => values.push(value),
            (Column::Int(values), Cell::Int(value)) => values.push(value),
            (Column::Time(values), Cell::Time(value)) => values.push(value),
            (Column::Bool(values), Cell::Bool(value)) => values.push(value),
            (_, cell) => unreachable!("{cell:?} stands in a column of another type"),
        }
    }
    out
}
