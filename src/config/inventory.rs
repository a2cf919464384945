//! `[inventory]`: where the stored connections are, and what one scan may change.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::database_url::{DatabaseUrl, DatabaseUrlError};
use super::problem::Wrong;
use super::secret::{SecretError, SecretRef};
use super::table::Table;
use super::value::{FromToml, Percent, Value};
use crate::domain::campaign::GuardLimits;

/// The columns of an inventory, in the order of docs/inventory.md.
pub const COLUMNS: [&str; 21] = [
    "tenant_id",
    "connection_id",
    "tenant_name",
    "tenant_type",
    "xero_user_id",
    "email",
    "name",
    "locale",
    "time_zone",
    "country",
    "account_id",
    "scopes",
    "access_token",
    "token_response",
    "evidence_at",
    "auth_event_id",
    "flow",
    "connected_at",
    "updated_at",
    "last_used_at",
    "required_scopes",
];

#[derive(Clone, Debug)]
pub struct Inventory {
    pub source: Source,
    /// The host's name for each of [`COLUMNS`] that it calls something else.
    pub columns: BTreeMap<&'static str, String>,
    /// Drops refresh tokens unread, where a row with one would be refused.
    pub ignore_refresh_tokens: bool,
}

/// Where rows are read.
#[derive(Clone, Debug)]
pub enum Source {
    Csv {
        path: PathBuf,
    },
    Jsonl {
        path: PathBuf,
    },
    /// The host's own database, read only.
    Sql {
        url: InventoryUrl,
        query: String,
    },
    /// The table `inventory` in the worker's database, written by the host.
    Table,
}

/// The address of the host's database, written out or kept secret.
#[derive(Clone, Debug)]
pub enum InventoryUrl {
    Given(DatabaseUrl),
    Secret(SecretRef),
}

/// Why the address of the host's database could not be had.
#[derive(Debug, thiserror::Error)]
pub enum InventoryUrlError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{place}: {error}")]
    Address { place: SecretRef, error: DatabaseUrlError },
}

impl InventoryUrlError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Secret(error) => error.remedy(),
            Self::Address { error, .. } => error.remedy().to_owned(),
        }
    }
}

impl InventoryUrl {
    /// Reads the address; `env` looks a variable up. A relative path starts at the directory
    /// of the file that says it, or at the current one when a variable does.
    ///
    /// # Errors
    /// When there is no secret, or when it is no address.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<DatabaseUrl, InventoryUrlError> {
        match self {
            Self::Given(url) => Ok(url.clone()),
            Self::Secret(place) => {
                let base = match place {
                    SecretRef::Env(_) => None,
                    SecretRef::File(path) => path.parent(),
                };
                DatabaseUrl::parse(place.resolve(env)?.expose_secret(), base)
                    .map_err(|error| InventoryUrlError::Address { place: place.clone(), error })
            }
        }
    }
}

/// Reads the table and the guard's limits, which stand in it too.
pub(super) fn read(root: &Table<'_>) -> Option<(Inventory, GuardLimits)> {
    let table = root.require_table("inventory", "`kind` and what that kind needs")?;
    let kind = table.require("kind", "\"csv\"");
    let source = source(&table, kind);
    let columns = table.table("columns").map(|columns| renamed(columns)).unwrap_or_default();
    let ignore_refresh_tokens = table.get("ignore_refresh_tokens").unwrap_or(false);
    let guard = GuardLimits {
        floor: table.get("floor").unwrap_or(1),
        max_change_percent: table.get("max_change_percent").map_or(20.0, |Percent(limit)| limit),
        max_bad_percent: table.get("max_bad_percent").map_or(1.0, |Percent(limit)| limit),
    };
    table.finish();
    Some((Inventory { source: source?, columns, ignore_refresh_tokens }, guard))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Jsonl,
    Sql,
    Table,
}

fn source(table: &Table<'_>, kind: Option<Kind>) -> Option<Source> {
    let is_file = matches!(kind, Some(Kind::Csv | Kind::Jsonl));
    let is_sql = kind == Some(Kind::Sql);
    table.need(is_file, "path", "\"connections.csv\"");
    table.need(is_sql, "url", "{ env = \"INVENTORY_URL\" }");
    table.need(is_sql, "query", "\"select … from …\"");
    let path = table.get::<String>("path");
    let url = table.get("url");
    let query = table.get("query");
    for (key, belongs, kinds) in [
        ("path", is_file, "`kind = \"csv\"` or `\"jsonl\"`"),
        ("url", is_sql, "`kind = \"sql\"`"),
        ("query", is_sql, "`kind = \"sql\"`"),
    ] {
        if kind.is_some() && !belongs {
            let help = format!("take it out, or write {kinds}");
            table.misplaced(key, format!("`{key}` goes with {kinds} only"), help);
        }
    }
    let path = || path.map(|path| table.reading().resolve(&path));
    match kind? {
        Kind::Csv => Some(Source::Csv { path: path()? }),
        Kind::Jsonl => Some(Source::Jsonl { path: path()? }),
        Kind::Sql => Some(Source::Sql { url: url?, query: query? }),
        Kind::Table => Some(Source::Table),
    }
}

fn renamed(table: Table<'_>) -> BTreeMap<&'static str, String> {
    let columns = COLUMNS.into_iter().filter_map(|ours| Some((ours, table.get(ours)?))).collect();
    table.finish();
    columns
}

impl FromToml for Kind {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[
            ("csv", Self::Csv),
            ("jsonl", Self::Jsonl),
            ("sql", Self::Sql),
            ("table", Self::Table),
        ])
    }
}

impl FromToml for InventoryUrl {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        if value.toml.get_ref().is_table() {
            SecretRef::from_toml(value).map(Self::Secret)
        } else {
            DatabaseUrl::from_toml(value).map(Self::Given)
        }
    }
}
