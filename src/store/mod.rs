//! Our own state, on SQLite or PostgreSQL: every SQL statement about it, and nothing else.
//!
//! Statements are written once for both databases. What differs stands in `dialect`:
//! lists of ids, bulk writes, and how a write transaction begins.

pub mod announcements;
pub mod audit;
pub mod awaiting;
mod binary;
mod bulk;
pub mod checklist;
pub mod confirmations;
pub mod connections;
mod copy;
pub mod daily;
mod dialect;
pub mod endpoints;
mod erasing;
mod error;
pub mod exemptions;
pub mod fires;
pub mod forgotten;
pub mod home;
pub mod leases;
pub mod lists;
pub mod lookup;
mod open;
pub mod outcomes;
mod past;
pub mod pauses;
mod pipe;
pub mod plans;
mod pooler;
pub mod preflights;
pub mod presence;
pub mod prompts;
pub mod purging;
mod rates;
pub mod removals;
pub mod restless;
pub mod returns;
pub mod rights;
pub mod runs;
pub mod scans;
mod scope_sets;
pub mod settings;
pub mod settling;
pub mod signals;
pub mod standing;
pub mod suppressions;
mod tables;
pub mod tally;
pub mod writer;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

pub use copy::PrivateCopy;
pub use error::{Error, Remedy};
pub use open::{Database, SCHEMA_VERSION, SchemaState};
pub use scope_sets::ScopeSets;

/// The worker's database.
#[derive(Clone, Debug)]
pub enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A write transaction.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one expression on whichever database it is: `with_db!(store, db => …fetch(db))`.
macro_rules! with_db {
    ($store:expr, $db:ident => $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite($db) => $body,
            $crate::store::Store::Postgres($db) => $body,
        }
    };
}

/// The same inside a transaction: `with_tx!(tx, db => …execute(db))`.
macro_rules! with_tx {
    ($tx:expr, $db:ident => $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                let $db = &mut **tx;
                $body
            }
            $crate::store::Tx::Postgres(tx) => {
                let $db = &mut **tx;
                $body
            }
        }
    };
}

pub(crate) use {with_db, with_tx};

impl Store {
    /// Begins a write transaction.
    ///
    /// # Errors
    /// The database cannot be reached, or stays locked.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(match self {
            // A deferred transaction that turns to writing is refused at once when another
            // writer is active; an immediate one waits its turn.
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// What the database's own clock says; `None` where it is this machine's.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn database_time(&self) -> Result<Option<DateTime<Utc>>, Error> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(pool) => {
                Ok(Some(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await?))
            }
        }
    }

    /// Whether nobody uses any of its connections right now, nor writes beside it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        home::is_at_rest() && with_db!(self, db => db.size() as usize == db.num_idle())
    }

    /// Closes all connections, finishing what they wrote.
    pub async fn close(&self) {
        with_db!(self, db => db.close().await);
    }
}

impl Tx {
    /// # Errors
    /// The database did not confirm; nothing is written.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// # Errors
    /// The database cannot be reached; it rolls back by itself then.
    pub async fn rollback(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
