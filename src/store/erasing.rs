//! What erasing people has in common: their words in what others wrote, the names that prompts
//! keep of them, and the pages of a file that still hold what was deleted.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use crate::domain::pseudonym::pseudonym;

use super::settings::{PSEUDONYM_KEY, set, unhex};
use super::{Error, Store, Tx, with_db, with_tx};

/// When recipients of prompts were first replaced by pseudonyms.
const ALIASED: &str = "purged_at";

const KEY_IF_ALIASED: &str = "SELECT value FROM settings WHERE name = $1 \
    AND EXISTS (SELECT 1 FROM settings WHERE name = $2)";

/// Where people write what they like.
const WRITTEN: [(&str, &str); 12] = [
    ("exemptions", "reason"),
    ("exemptions", "by_name"),
    ("suppressions", "reason"),
    ("suppressions", "by_name"),
    ("pauses", "reason"),
    ("pauses", "by_name"),
    ("pauses", "resumed_by"),
    ("confirmations", "note"),
    ("confirmations", "by_name"),
    ("accepted_scans", "reason"),
    ("accepted_scans", "by_name"),
    ("prompts", "settled_by"),
];

/// Writes anew what people wrote, wherever there is an address in it; counts the texts that
/// changed.
pub(super) async fn rewrite(tx: &mut Tx, rewritten: impl Fn(&str) -> String) -> Result<u64, Error> {
    let mut changed = 0;
    for (table, column) in WRITTEN {
        let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE '%@%'");
        let texts: Vec<String> =
            with_tx!(&mut *tx, db => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db).await)?;
        for text in texts {
            let new = rewritten(&text);
            if new == text {
                continue;
            }
            let sql = format!("UPDATE {table} SET {column} = $2 WHERE {column} = $1");
            changed += with_tx!(&mut *tx, db => {
                let done = sqlx::query(AssertSqlSafe(sql)).bind(&text).bind(&new).execute(db).await;
                done.map(|done| done.rows_affected())
            })?;
        }
    }
    Ok(changed)
}

/// Prompts of a purge have their recipients' pseudonyms: what is asked by address has to look
/// for those too.
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<String, String>);

impl Aliases {
    fn of(key: Option<String>, recipients: &BTreeSet<String>) -> Self {
        let Some(key) = key.as_deref().and_then(unhex) else { return Self::default() };
        let named = recipients.iter().map(|name| (pseudonym(&key, name), name.clone()));
        Self(named.collect())
    }

    pub(super) async fn within(tx: &mut Tx, recipients: &BTreeSet<String>) -> Result<Self, Error> {
        let key = with_tx!(tx, db => {
            let query = sqlx::query_scalar(KEY_IF_ALIASED).bind(PSEUDONYM_KEY).bind(ALIASED);
            query.fetch_optional(db).await
        })?;
        Ok(Self::of(key, recipients))
    }

    /// These, and what else they may be called.
    pub(super) fn with(&self, recipients: BTreeSet<String>) -> Vec<String> {
        self.0.keys().cloned().chain(recipients).collect()
    }

    /// Calls one by their own name again.
    pub(super) fn resolve(&self, recipient: &mut String) {
        if let Some(name) = self.0.get(recipient) {
            recipient.clone_from(name);
        }
    }
}

/// From here on some prompts have pseudonyms in place of their recipients.
pub(super) async fn note_aliases(tx: &mut Tx, at: DateTime<Utc>) -> Result<(), Error> {
    set(tx, ALIASED, &at.to_rfc3339()).await
}

impl Store {
    pub(super) async fn aliases(&self, recipients: &BTreeSet<String>) -> Result<Aliases, Error> {
        let key = with_db!(self, db => {
            let query = sqlx::query_scalar(KEY_IF_ALIASED).bind(PSEUDONYM_KEY).bind(ALIASED);
            query.fetch_optional(db).await
        })?;
        Ok(Aliases::of(key, recipients))
    }

    /// Writes SQLite's file anew, so that nothing is left in it of what was deleted; tells
    /// whether that was possible. PostgreSQL has its own ways (docs/audit.md).
    ///
    /// # Errors
    /// The database cannot be used, or there is no room for its copy.
    pub async fn scrub(&self) -> Result<bool, Error> {
        let Self::Sqlite(pool) = self else { return Ok(true) };
        let mut connection = pool.acquire().await?;
        sqlx::query("VACUUM").execute(&mut *connection).await?;
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
        Ok(busy == 0)
    }
}
