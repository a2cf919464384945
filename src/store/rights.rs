//! Whether the database lets this user do what a run does.

use super::{Error, Store};

/// A right, as PostgreSQL calls it, and the tables that it is needed on.
type Needed = (&'static str, &'static [&'static str]);

/// What a run that counts needs (docs/database.md, "Counting").
const COUNTING: &[Needed] = &[
    (
        "SELECT",
        &[
            "_sqlx_migrations",
            "exemptions",
            "suppressions",
            "pauses",
            "forgotten",
            "prompts",
            "prompt_connections",
            "announcements",
            "endpoints",
            "plans",
            "plan_removals",
            "approvals",
            "removals",
            "xero_lists",
            "xero_connections",
            "hold_backs",
            "settings",
            "grants",
            "connections",
            "runs",
            "audit_head",
            "fires",
            "leases",
            "people",
            "bad_rows",
            "daily_counts",
            "scope_sets",
            "scans",
            "editions",
            "changes",
            "accepted_scans",
        ],
    ),
    (
        "INSERT",
        &[
            "settings",
            "grants",
            "connections",
            "runs",
            "audit_head",
            "fires",
            "leases",
            "people",
            "bad_rows",
            "daily_counts",
            "scope_sets",
            "scans",
            "editions",
            "changes",
            "audit",
        ],
    ),
    (
        "UPDATE",
        &[
            "settings",
            "grants",
            "connections",
            "runs",
            "audit_head",
            "fires",
            "leases",
            "accepted_scans",
        ],
    ),
    ("DELETE", &["people", "bad_rows", "daily_counts"]),
];

/// And one that prompts (docs/database.md, "Sending").
const SENDING: &[Needed] = &[
    ("SELECT", &["confirmations", "signals", "preflights", "rates"]),
    (
        "INSERT",
        &[
            "prompts",
            "announcements",
            "suppressions",
            "preflights",
            "rates",
            "hold_backs",
            "endpoints",
            "prompt_connections",
        ],
    ),
    (
        "UPDATE",
        &[
            "prompts",
            "announcements",
            "suppressions",
            "preflights",
            "rates",
            "hold_backs",
            "endpoints",
        ],
    ),
    ("DELETE", &["endpoints", "prompt_connections"]),
];

/// And one that removes (docs/database.md, "Removing").
const REMOVING: &[Needed] = &[
    ("INSERT", &["removals", "xero_lists", "xero_connections"]),
    ("UPDATE", &["removals", "xero_connections"]),
    ("DELETE", &["xero_connections"]),
];

/// What is done beside counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub sends: bool,
    pub removes: bool,
}

impl Layers {
    fn needed(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let removes = self.removes;
        let sends = self.sends || removes;
        let layers = [(COUNTING, true), (SENDING, sends), (REMOVING, removes)];
        let needed =
            layers.into_iter().filter(|(_, is_done)| *is_done).flat_map(|(layer, _)| layer);
        needed.flat_map(|(right, tables)| tables.iter().map(|table| (*right, *table)))
    }
}

impl Store {
    /// Rights that are missing for this, as `INSERT on prompts`. On SQLite a file can be written
    /// to or not, which shows when a transaction begins.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn missing_rights(&self, layers: Layers) -> Result<Vec<String>, Error> {
        let Self::Postgres(pool) = self else { return Ok(Vec::new()) };
        let mut missing = Vec::new();
        for (right, table) in layers.needed() {
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
        Ok(missing)
    }
}
