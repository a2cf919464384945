//! The floor's rows for SQLite, and its indexes.

use std::sync::Arc;

use anyhow::Result;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite as Db, Transaction, Type};

use crate::floor::{CONNECTIONS, EVIDENCE, GRANTS, PEOPLE, Row, Statement, YEAR, at};

/// Rows of one statement, as the worker has it.
pub const ROWS: usize = 256;

/// Constants in place of what the worker computes, shared instead of copied.
struct Words {
    class: Arc<str>,
    source: Arc<str>,
    evidence: Arc<str>,
    presence: Arc<str>,
    readiness: Arc<str>,
    now: Arc<str>,
}

pub struct Sqlite {
    words: Words,
}

/// Drops the indexes of the large tables, as the worker does for a first load; gives their
/// definitions.
pub async fn drop_indexes(tx: &mut Transaction<'static, Db>) -> Result<Vec<String>> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' \
               AND tbl_name IN ('grants', 'connections', 'people') AND sql IS NOT NULL";
    let indexes: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut **tx).await?;
    let mut late = Vec::new();
    for (name, definition) in indexes {
        sqlx::query(AssertSqlSafe(format!("DROP INDEX {name}"))).execute(&mut **tx).await?;
        late.push(definition);
    }
    Ok(late)
}

pub async fn build_indexes(tx: &mut Transaction<'static, Db>, late: Vec<String>) -> Result<()> {
    for definition in late {
        sqlx::query(AssertSqlSafe(definition)).execute(&mut **tx).await?;
    }
    Ok(())
}

impl Sqlite {
    pub fn new() -> Self {
        let words = Words {
            class: "broad_only".into(),
            source: "scopes".into(),
            evidence: EVIDENCE.into(),
            presence: "present".into(),
            readiness: "awaiting".into(),
            now: "2026-11-21T00:00:00.000000+00:00".into(),
        };
        Self { words }
    }

    pub fn statements(&self, rows: &[Row]) -> Result<Vec<Statement>> {
        let fresh: Vec<&Row> = rows.iter().filter(|row| row.is_new_grant).collect();
        let mut grants = Values::of(GRANTS, fresh.len());
        for row in fresh {
            self.grant(row, &mut grants)?;
        }
        let mut connections = Values::of(CONNECTIONS, rows.len());
        let mut people = Values::of(PEOPLE, rows.len());
        for row in rows {
            self.connection(row, &mut connections)?;
            self.person(row, &mut people)?;
        }
        Ok([grants, connections, people].into_iter().filter_map(Values::end).collect())
    }

    fn grant(&self, row: &Row, values: &mut Values) -> Result<()> {
        let words = &self.words;
        values.add(row.grant)?;
        values.add(words.class.clone())?;
        values.add(None::<&str>)?;
        values.add(123)?;
        values.add(words.source.clone())?;
        values.add(row.text(at::EVIDENCE_AT)?)?;
        values.add(false)?;
        values.add(words.now.clone())?;
        values.add(None::<&str>)
    }

    fn connection(&self, row: &Row, values: &mut Values) -> Result<()> {
        let words = &self.words;
        values.add(row.connection)?;
        values.add(row.connection)?;
        values.add(row.grant)?;
        values.add(row.id(at::TENANT)?)?;
        values.add(row.text(at::TENANT_NAME)?)?;
        values.add(row.text(at::TENANT_TYPE)?)?;
        values.add(row.text(at::ACCOUNT)?)?;
        values.add(row.id(at::AUTH_EVENT)?)?;
        values.add(row.text(at::FLOW)?)?;
        values.add(row.text(at::CONNECTED_AT)?)?;
        values.add(row.text(at::UPDATED_AT)?)?;
        values.add(row.text(at::LAST_USED_AT)?)?;
        values.add(None::<i64>)?;
        values.add(words.evidence.clone())?;
        values.add(None::<&str>)?;
        values.add(words.presence.clone())?;
        values.add(words.class.clone())?;
        values.add(words.readiness.clone())?;
        for flag in [false, false, false, true, false] {
            values.add(flag)?;
        }
        values.add(words.now.clone())?;
        values.add(None::<&str>)?;
        values.add(YEAR)?;
        values.add(row.text(at::LOCALE)?)
    }

    fn person(&self, row: &Row, values: &mut Values) -> Result<()> {
        values.add(row.connection)?;
        values.add(row.grant.as_u64_pair().0.cast_signed())?;
        for column in [at::EMAIL, at::EMAIL, at::NAME, at::LOCALE, at::TIME_ZONE, at::COUNTRY] {
            values.add(row.text(column)?)?;
        }
        Ok(())
    }
}

/// One statement in the making.
struct Values {
    statement: Option<String>,
    arguments: SqliteArguments,
}

impl Values {
    fn of((table, columns): (&str, &[&str]), rows: usize) -> Self {
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let values = vec![row; rows].join(",");
        let statement = format!("INSERT INTO {table} ({}) VALUES {values}", columns.join(", "));
        let mut arguments = SqliteArguments::default();
        arguments.reserve(rows * columns.len(), 0);
        Self { statement: (rows > 0).then_some(statement), arguments }
    }

    fn add<'t>(&mut self, value: impl Encode<'t, Db> + Type<Db>) -> Result<()> {
        self.arguments.add(value).map_err(anyhow::Error::from_boxed)
    }

    fn end(self) -> Option<Statement> {
        self.statement.map(|statement| Statement::Sqlite(statement, self.arguments))
    }
}
