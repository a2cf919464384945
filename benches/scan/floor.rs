//! The floor: what a scan cannot do without. For a first load it reads the same file and
//! writes the same columns of the same tables by the same keys in one transaction, with the
//! driver, the settings and the bulk technique of the worker (batches of the same size, the
//! same indexes built at the end on SQLite), and overlaps reading and writing as the worker
//! does. For a scan of an unchanged file it parses the
//! file and reads the stored keys and fingerprints.
//!
//! It splits and classifies no scopes, checks no address, zone or UTF-8, compares no rows,
//! settles no evidence, computes no fingerprint, counts nothing and sorts nothing. What the
//! worker would compute is a constant of the same length here; ids are parsed because they
//! are stored as 16 bytes, and dates for PostgreSQL only, because SQLite stores text.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use csv::ByteRecord;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteArguments;
use tokio::sync::mpsc;
use uuid::Uuid;
use worker::store::{Store, Tx};

use crate::floor_sqlite::Sqlite;
use crate::{floor_postgres, floor_sqlite};

/// The tables with their columns, in the order in which both floors fill them.
pub const GRANTS: (&str, &[&str]) = (
    "grants",
    &[
        "grant_id",
        "class",
        "unsettled",
        "scope_set",
        "evidence_source",
        "evidence_at",
        "ready",
        "first_seen_at",
        "ready_at",
    ],
);
pub const CONNECTIONS: (&str, &[&str]) = (
    "connections",
    &[
        "connection_key",
        "connection_id",
        "grant_id",
        "tenant_id",
        "tenant_name",
        "tenant_type",
        "account_id",
        "auth_event_id",
        "flow",
        "connected_at",
        "updated_at",
        "last_used_at",
        "required_set",
        "evidence",
        "doubt",
        "presence",
        "class",
        "readiness",
        "some_evidence_ready",
        "token_behind",
        "manual",
        "reachable",
        "covered",
        "first_seen_at",
        "absent_since",
        "connected_year",
        "locale",
    ],
);
pub const PEOPLE: (&str, &[&str]) = (
    "people",
    &[
        "connection_key",
        "fingerprint",
        "recipient",
        "email",
        "name",
        "locale",
        "time_zone",
        "country",
    ],
);

/// What the worker writes into `evidence` for a row with one scope text.
pub const EVIDENCE: &str = r#"[["scopes",123,1735689600000000]]"#;

/// What the worker writes into `connected_year`.
pub const YEAR: i64 = 2024;

/// Where the columns stand in the generated file.
pub mod at {
    pub const TENANT: usize = 0;
    pub const CONNECTION: usize = 1;
    pub const TENANT_NAME: usize = 2;
    pub const TENANT_TYPE: usize = 3;
    pub const USER: usize = 4;
    pub const EMAIL: usize = 5;
    pub const NAME: usize = 6;
    pub const LOCALE: usize = 7;
    pub const TIME_ZONE: usize = 8;
    pub const COUNTRY: usize = 9;
    pub const ACCOUNT: usize = 10;
    pub const EVIDENCE_AT: usize = 12;
    pub const AUTH_EVENT: usize = 13;
    pub const FLOW: usize = 14;
    pub const CONNECTED_AT: usize = 15;
    pub const UPDATED_AT: usize = 16;
    pub const LAST_USED_AT: usize = 17;
}

/// A row of the file with the ids that it is stored by.
pub struct Row {
    pub record: ByteRecord,
    pub connection: Uuid,
    pub grant: Uuid,
    /// No earlier row has this grant.
    pub is_new_grant: bool,
}

impl Row {
    pub fn text(&self, column: usize) -> Result<&str> {
        Ok(std::str::from_utf8(self.record.get(column).context("a short row")?)?)
    }

    pub fn id(&self, column: usize) -> Result<Uuid> {
        Ok(Uuid::try_parse_ascii(self.record.get(column).context("a short row")?)?)
    }
}

/// A statement that writes rows, made ready apart from the database.
pub enum Statement {
    Sqlite(String, SqliteArguments),
    /// A copy with its data.
    Postgres(String, Vec<u8>),
}

impl Statement {
    async fn run(self, tx: &mut Tx) -> Result<()> {
        match (self, tx) {
            (Self::Sqlite(statement, arguments), Tx::Sqlite(tx)) => {
                let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
                query.execute(&mut **tx).await?;
            }
            (Self::Postgres(statement, rows), Tx::Postgres(tx)) => {
                let mut copy = tx.copy_in_raw(&statement).await?;
                copy.send(rows).await?;
                copy.finish().await?;
            }
            _ => anyhow::bail!("a statement for another database"),
        }
        Ok(())
    }
}

/// Batches on their way to the database.
const IN_FLIGHT: usize = 2;

/// Loads a file into a database whose schema is there and whose tables are empty: one thread
/// reads and makes statements while the database works on those before.
pub async fn load(store: &Store, file: &Path) -> Result<()> {
    let mut tx = store.begin().await?;
    let late = match &mut tx {
        Tx::Sqlite(tx) => floor_sqlite::drop_indexes(tx).await?,
        Tx::Postgres(_) => Vec::new(),
    };
    let (statements, mut ready) = mpsc::channel(IN_FLIGHT);
    let (file, is_sqlite) = (file.to_owned(), matches!(tx, Tx::Sqlite(_)));
    let reading = tokio::task::spawn_blocking(move || read(&file, is_sqlite, &statements));
    while let Some(batch) = ready.recv().await {
        for statement in batch {
            Statement::run(statement, &mut tx).await?;
        }
    }
    reading.await??;
    if let Tx::Sqlite(tx) = &mut tx {
        floor_sqlite::build_indexes(tx, late).await?;
    }
    Ok(tx.commit().await?)
}

fn read(file: &Path, is_sqlite: bool, out: &mpsc::Sender<Vec<Statement>>) -> Result<()> {
    let sqlite = Sqlite::new();
    let batch = if is_sqlite { floor_sqlite::ROWS } else { floor_postgres::ROWS };
    let send = |rows: &[Row]| {
        let statements =
            if is_sqlite { sqlite.statements(rows)? } else { floor_postgres::statements(rows)? };
        out.blocking_send(statements).context("the database takes no more")
    };
    let mut reader = csv::Reader::from_path(file)?;
    let mut seen = HashSet::new();
    let mut rows = Vec::with_capacity(batch);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let id = |column| anyhow::Ok(Uuid::try_parse_ascii(record.get(column).context("short")?)?);
        let (connection, grant) = (id(at::CONNECTION)?, id(at::USER)?);
        let is_new_grant = seen.insert(grant);
        let record = std::mem::take(&mut record);
        rows.push(Row { record, connection, grant, is_new_grant });
        if rows.len() == batch {
            send(&rows)?;
            rows.clear();
        }
    }
    send(&rows)
}

/// Parses a file and reads the stored keys and fingerprints; gives how many there are.
pub async fn reread(store: &Store, file: &Path) -> Result<(u64, usize)> {
    const SQL: &str = "SELECT connection_key, fingerprint FROM people";
    let mut stored: Vec<(Uuid, i64)> = Vec::new();
    match store {
        Store::Sqlite(db) => {
            let mut rows = sqlx::query_as(SQL).fetch(db);
            while let Some(row) = rows.try_next().await? {
                stored.push(row);
            }
        }
        Store::Postgres(db) => {
            let mut rows = sqlx::query_as(SQL).fetch(db);
            while let Some(row) = rows.try_next().await? {
                stored.push(row);
            }
        }
    }
    let mut reader = csv::Reader::from_path(file)?;
    let mut record = ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    Ok((rows, stored.len()))
}
