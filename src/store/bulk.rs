//! Bulk writes: one statement per batch, made ready apart from the database so that it can
//! execute the statement before meanwhile.
//!
//! PostgreSQL takes a copy of many rows that are only added, and one array per column of few,
//! or of those that may take the place of others. SQLite takes rows of nameless parameters:
//! named ones are looked up one by one, which makes a statement of n parameters cost n².

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::dialect::{Dialect, Ids};
use super::{Error, Tx, binary};

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
    Text(Option<Cow<'static, str>>),
    Int(Option<i64>),
    Time(Option<DateTime<Utc>>),
    Bool(bool),
}

impl Cell {
    /// One of the few words that a column may hold.
    pub(super) fn word(word: Option<&'static str>) -> Self {
        Self::Text(word.map(Cow::Borrowed))
    }

    pub(super) fn text(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
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

/// Rows of one SQLite statement, largest first: enough to make its overhead small, few
/// enough to stay far below SQLite's limit of 32,766 parameters, and of few sizes, so that
/// every statement is compiled once and found again.
const SQLITE_ROWS: [usize; 5] = [256, 64, 16, 4, 1];

/// Rows of one PostgreSQL statement, where there are enough.
const POSTGRES_ROWS: usize = 2_000;
/// Rows from which on a copy, which takes one more way to the server and back, is worth it.
const COPIED_ROWS: usize = 200;

/// A statement with its values.
pub(super) struct Statement {
    sql: String,
    values: Values,
}

enum Values {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
    /// Rows for a COPY.
    Copied(Vec<u8>),
}

impl Statement {
    /// A statement with one parameter, a list of ids at `{ids}`.
    pub(super) fn about(dialect: Dialect, sql: &str, ids: Ids) -> Result<Self, Error> {
        let mut values = Values::none(dialect);
        values.add(ids)?;
        Ok(Self { sql: dialect.with_ids(sql), values })
    }

    pub(super) async fn run(self, tx: &mut Tx) -> Result<(), Error> {
        let sql = AssertSqlSafe(self.sql);
        match (tx, self.values) {
            (Tx::Postgres(tx), Values::Copied(rows)) => {
                let mut copy = tx.copy_in_raw(&sql.0).await?;
                copy.send(rows).await?;
                copy.finish().await?;
            }
            (Tx::Sqlite(tx), Values::Sqlite(values)) => {
                sqlx::query_with(sql, values).execute(&mut **tx).await?;
            }
            (Tx::Postgres(tx), Values::Postgres(values)) => {
                sqlx::query_with(sql, values).execute(&mut **tx).await?;
            }
            _ => unreachable!("a statement is made for the database of its transaction"),
        }
        Ok(())
    }
}

impl Values {
    fn none(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self::Sqlite(SqliteArguments::default()),
            Dialect::Postgres => Self::Postgres(PgArguments::default()),
        }
    }

    fn add<'t, T>(&mut self, value: T) -> Result<(), Error>
    where
        T: Encode<'t, Sqlite> + Type<Sqlite> + Encode<'t, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(values) => values.add(value),
            Self::Postgres(values) => values.add(value),
            Self::Copied(_) => unreachable!("a copy has rows and no values"),
        }
        .map_err(encoding)
    }
}

fn encoding(error: sqlx::error::BoxDynError) -> Error {
    Error::Database(sqlx::Error::Encode(error))
}

/// How many of the rows at hand to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    All,
    /// Those that fill statements of the best size; the others wait for more.
    Whole,
}

/// Takes rows out of `cells`, one list in the order of the target's columns, and makes
/// statements that write them.
pub(super) fn fill(
    dialect: Dialect,
    target: &Target,
    amount: Amount,
    cells: &mut Vec<Cell>,
    into: &mut Vec<Statement>,
) -> Result<(), Error> {
    let width = target.columns.len();
    debug_assert_eq!(cells.len() % width, 0);
    match dialect {
        Dialect::Postgres => {
            let least = if amount == Amount::Whole { POSTGRES_ROWS } else { 1 };
            if cells.len() < least * width {
                return Ok(());
            }
            if target.key.is_none() && cells.len() >= COPIED_ROWS * width {
                let values = Values::Copied(binary::rows(width, cells)?);
                cells.clear();
                into.push(Statement { sql: target.copy(), values });
                return Ok(());
            }
            let casts: Vec<String> = (1..)
                .zip(target.columns)
                .map(|(n, (_, kind))| format!("${n}::{}[]", kind.in_postgres()))
                .collect();
            let sql = target.statement(&format!("SELECT * FROM UNNEST({})", casts.join(", ")));
            let mut values = PgArguments::default();
            for column in transpose(target.columns, std::mem::take(cells)) {
                column.add_to(&mut values)?;
            }
            into.push(Statement { sql, values: Values::Postgres(values) });
        }
        Dialect::Sqlite => {
            let row = format!("({})", vec!["?"; width].join(","));
            let sizes = match amount {
                Amount::All => &SQLITE_ROWS[..],
                Amount::Whole => &SQLITE_ROWS[..1],
            };
            let least = sizes.iter().min().map_or(1, |rows| rows * width);
            let mut left = cells.len() / least * least / width;
            let mut cells = cells.drain(..left * width);
            let mut words = Words::default();
            while let Some(rows) = sizes.iter().copied().find(|rows| *rows <= left) {
                let sql =
                    target.statement(&format!("VALUES {}", vec![row.as_str(); rows].join(",")));
                let mut values = SqliteArguments::default();
                values.reserve(rows * width, 0);
                for cell in cells.by_ref().take(rows * width) {
                    match cell {
                        Cell::Uuid(value) => values.add(value),
                        Cell::Text(Some(Cow::Borrowed(word))) => values.add(words.shared(word)),
                        Cell::Text(text) => values.add(text.map(Cow::into_owned)),
                        Cell::Int(value) => values.add(value),
                        Cell::Time(value) => values.add(value),
                        Cell::Bool(value) => values.add(value),
                    }
                    .map_err(encoding)?;
                }
                into.push(Statement { sql, values: Values::Sqlite(values) });
                left -= rows;
            }
        }
    }
    Ok(())
}

/// The words of a batch, made once and shared by its values.
#[derive(Default)]
struct Words(HashMap<&'static str, Arc<str>>);

impl Words {
    fn shared(&mut self, word: &'static str) -> Arc<str> {
        self.0.entry(word).or_insert_with(|| word.into()).clone()
    }
}

impl Target {
    /// The same for rows that are certainly not there yet.
    pub(super) const fn adding(self) -> Self {
        Self { key: None, ..self }
    }

    fn copy(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("COPY {} ({}) FROM STDIN (FORMAT binary)", self.table, names.join(", "))
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

impl Kind {
    /// Its name in PostgreSQL.
    pub(super) fn in_postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Int => "bigint",
            Self::Time => "timestamptz",
            Self::Bool => "boolean",
        }
    }
}

enum Column {
    Uuid(Vec<Option<Uuid>>),
    Text(Vec<Option<Cow<'static, str>>>),
    Int(Vec<Option<i64>>),
    Time(Vec<Option<DateTime<Utc>>>),
    Bool(Vec<bool>),
}

impl Column {
    fn add_to(self, values: &mut PgArguments) -> Result<(), Error> {
        match self {
            Self::Uuid(column) => values.add(column),
            Self::Text(column) => values.add(column),
            Self::Int(column) => values.add(column),
            Self::Time(column) => values.add(column),
            Self::Bool(column) => values.add(column),
        }
        .map_err(encoding)
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
