//! Whether the database lets this user do what a run does.

use super::{Error, Store};

/// What a run needs (docs/database.md, "Rights"), as PostgreSQL's words for it.
const NEEDED: [(&str, &[&str]); 4] = [
    (
        "SELECT",
        &["exemptions", "pauses", "confirmations", "signals", "accepted_scans", "people", "scans"],
    ),
    (
        "INSERT",
        &[
            "settings",
            "grants",
            "connections",
            "runs",
            "prompts",
            "announcements",
            "changes",
            "scope_sets",
        ],
    ),
    (
        "UPDATE",
        &[
            "settings",
            "grants",
            "connections",
            "runs",
            "prompts",
            "announcements",
            "preflights",
            "rates",
        ],
    ),
    ("DELETE", &["endpoints", "people", "bad_rows", "prompt_connections"]),
];

impl Store {
    /// Rights that are missing, as `INSERT on prompts`. On SQLite a file can be written to or
    /// not, which shows when a transaction begins.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn missing_rights(&self) -> Result<Vec<String>, Error> {
        let Self::Postgres(pool) = self else { return Ok(Vec::new()) };
        let mut missing = Vec::new();
        for (right, tables) in NEEDED {
            for table in tables {
                let has: Option<bool> =
                    sqlx::query_scalar("SELECT has_table_privilege(to_regclass($1), $2)")
                        .bind(table)
                        .bind(right)
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
