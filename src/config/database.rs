//! `[database]`: the worker's own state.

use super::database_url::DatabaseUrl;
use super::problem::Wrong;
use super::reader::{Table, Value};
use super::value::FromToml;

/// The database of a configuration that names none.
const DEFAULT_URL: &str = "sqlite://worker.db";

#[derive(Clone, Debug)]
pub struct Database {
    /// SQLite or PostgreSQL.
    pub url: DatabaseUrl,
    pub migrate: Migrate,
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
        table.finish();
        Some(Self { url: url?, migrate })
    }
}

struct StateUrl(DatabaseUrl);

impl FromToml for StateUrl {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        if value.value.get_ref().is_table() {
            return Err(value.is_not(
                "an address",
                "leave it out and set WORKER_DATABASE_URL, if the address is secret".to_owned(),
            ));
        }
        match value.database_url()? {
            DatabaseUrl::MySql(_) => Err(Wrong::new(
                format!(
                    "{} is a MySQL server, which can be an inventory but not hold the state",
                    value.label()
                ),
                "write a `sqlite://` or `postgres://` address",
            )),
            url => Ok(Self(url)),
        }
    }
}

impl Value<'_> {
    /// An address written out. What may be its password is not shown.
    pub(super) fn database_url(&self) -> Result<DatabaseUrl, Wrong> {
        let text = self.text()?;
        if text.contains('@') {
            self.reading.conceal(self.span());
        }
        DatabaseUrl::parse(text, self.reading.base())
            .map_err(|error| Wrong::new(format!("{}: {error}", self.label()), error.remedy()))
    }
}

impl FromToml for Migrate {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("auto", Self::Auto), ("manual", Self::Manual)])
    }
}
