//! `[xero]`: Xero's addresses, and how often it is called.

use std::path::PathBuf;

use url::Url;

use super::table::Table;
use super::web::SafeUrl;

/// Nothing is published for these calls, so the limit of a tenant (docs/xero.md, "Limits and
/// caps").
const DEFAULT_CALLS_PER_MINUTE: u32 = 60;

#[derive(Clone, Debug)]
pub struct Xero {
    /// Connections.
    pub api: Url,
    /// Tokens.
    pub identity: Url,
    /// The page where a user consents.
    pub login: Url,
    /// A PEM file of certificates to trust beside the system's.
    pub roots: Option<PathBuf>,
    /// To `api` and `identity`, of all replicas together.
    pub calls_per_minute: u32,
}

impl Xero {
    pub(super) fn read(root: &Table<'_>) -> Option<Self> {
        let table = root.section("xero");
        let url = |key, default| match table.get(key) {
            Some(SafeUrl(url)) => Some(url),
            None => Url::parse(default).ok(),
        };
        let api = url("api", "https://api.xero.com");
        let identity = url("identity", "https://identity.xero.com");
        let login = url("login", "https://login.xero.com");
        let calls_per_minute = table.get("calls_per_minute").unwrap_or(DEFAULT_CALLS_PER_MINUTE);
        let roots = table.get::<String>("roots").map(|path| table.reading().resolve(&path));
        table.finish();
        Some(Self { api: api?, identity: identity?, login: login?, roots, calls_per_minute })
    }
}
