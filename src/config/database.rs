//! `[database]`: the worker's own state.

use chrono::TimeDelta;

use super::database_url::{self, DatabaseUrl};
use super::problem::Wrong;
use super::table::Table;
use super::value::{FromToml, Value};

/// How long a run waits for a database that is away: a fail-over takes less.
const DEFAULT_WAIT: TimeDelta = TimeDelta::seconds(60);

/// The database of a configuration that names none.
const DEFAULT_URL: &str = "sqlite://worker.db";

#[derive(Clone, Debug)]
pub struct Database {
    /// SQLite or PostgreSQL.
    pub url: DatabaseUrl,
    pub migrate: Migrate,
    /// How long a real run waits for it when it is away.
    pub wait: TimeDelta,
}

/// Who brings an older schema up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// A real run.
    Auto,
    /// `worker migrate` alone.
    Manual,
}

impl Database {
    pub(super) fn read(root: &Table<'_>) -> Option<Self> {
        let table = root.section("database");
        let url = match table.get("url") {
            Some(StateUrl(url)) => Some(url),
            None => DatabaseUrl::parse(DEFAULT_URL, root.reading().base()).ok(),
        };
        let migrate = table.get("migrate").unwrap_or(Migrate::Auto);
        let wait = table.get("wait_seconds").map_or(DEFAULT_WAIT, |Seconds(wait)| wait);
        table.finish();
        Some(Self { url: url?, migrate, wait })
    }
}

struct StateUrl(DatabaseUrl);

impl FromToml for StateUrl {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        if value.toml.get_ref().is_table() {
            return Err(value.is_not(
                "an address",
                "leave it out and set WORKER_DATABASE_URL, if the address is secret".to_owned(),
            ));
        }
        database_url::read(value, DatabaseUrl::parse_state).map(Self)
    }
}

impl FromToml for Migrate {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("auto", Self::Auto), ("manual", Self::Manual)])
    }
}

/// At most an hour.
struct Seconds(TimeDelta);

impl FromToml for Seconds {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(0..=3600).map(TimeDelta::seconds).map(Self)
    }
}
