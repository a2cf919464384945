//! Whether the database lets this user do what a run does.

use super::{Error, Store};

/// A right, as PostgreSQL calls it, and the tables that it is needed on.
type Needed = (&'static str, &'static [&'static str]);

/// What a run that counts needs (docs/database.md, "Counting").
const COUNTING: [Needed; 4] = [
    ("SELECT", &["exemptions", "suppressions", "pauses", "accepted_scans", "people", "prompts"]),
    ("INSERT", &["settings", "grants", "connections", "runs", "scans", "changes", "audit"]),
    ("UPDATE", &["settings", "grants", "connections", "runs", "audit_head"]),
    ("DELETE", &["people", "bad_rows"]),
];

/// And one that prompts (docs/database.md, "Sending").
const SENDING: [Needed; 4] = [
    ("SELECT", &["confirmations", "signals"]),
    ("INSERT", &["prompts", "announcements", "suppressions", "preflights", "rates"]),
    ("UPDATE", &["prompts", "announcements", "preflights", "rates"]),
    ("DELETE", &["endpoints", "prompt_connections"]),
];

impl Store {
    /// Rights that are missing for counting, and where it `sends` for that too, as `INSERT on
    /// prompts`. On SQLite a file can be written to or not, which shows when a transaction
    /// begins.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn missing_rights(&self, sends: bool) -> Result<Vec<String>, Error> {
        let Self::Postgres(pool) = self else { return Ok(Vec::new()) };
        let mut missing = Vec::new();
        let sending = SENDING.iter().filter(|_| sends);
        for (right, tables) in COUNTING.iter().chain(sending) {
            for table in *tables {
                let has: Option<bool> =
                    sqlx::query_scalar("SELECT has_table_privilege(to_regclass($1), $2)")
                        .bind(*table)
                        .bind(*right)
                        .fetch_one(pool)
                        .await?;
                if has != Some(true) {
                    missing.push(format!("{right} on {table}"));
                }
            }
        }
        Ok(missing)
    }
}
