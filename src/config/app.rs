//! `[app]`: the Xero app whose connections move.

use chrono::NaiveDate;
use url::Url;

use super::problem::Wrong;
use super::secret::SecretRef;
use super::table::Table;
use super::value::{FromToml, Value};
use super::web::Redirect;
use crate::domain::consent::LinkAddress;
use crate::domain::row::Flow;

#[derive(Clone, Debug)]
pub struct App {
    pub name: String,
    /// A database serves the app that it was first used with.
    pub client_id: String,
    /// For Xero's list and removals only.
    pub client_secret: Option<SecretRef>,
    /// Of a row that does not say.
    pub flow: Flow,
    /// Apps from 2 March 2026 on never had broad scopes (docs/xero.md, "Dates").
    pub created: Option<NaiveDate>,
    /// Tenants that Xero lets the app have; `None` for a tier without a cap.
    pub connection_cap: Option<u32>,
    pub redirect_uri: Option<Url>,
    /// Where a link in a message leads.
    pub reconnect_url: Option<LinkAddress>,
}

impl App {
    pub(super) fn read(root: &Table<'_>) -> Option<Self> {
        let table = root.require_table("app", "`name` and `client_id`")?;
        let name = table.require("name", "\"Acme Books\"");
        let client_id = table.require("client_id", "\"the app's client id\"");
        let client_secret = table.get("client_secret");
        let AppFlow(flow) = table.get("flow").unwrap_or(AppFlow(Flow::Web));
        let created = table.get("created");
        let connection_cap = table.get("connection_cap");
        let redirect_uri = table.get("redirect_uri").map(|Redirect(url)| url);
        let reconnect_url = table.get("reconnect_url");
        table.finish();
        Some(Self {
            name: name?,
            client_id: client_id?,
            client_secret,
            flow,
            created,
            connection_cap,
            redirect_uri,
            reconnect_url,
        })
    }
}

/// The flows that an app can have today.
struct AppFlow(Flow);

impl FromToml for AppFlow {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("web", Flow::Web), ("pkce", Flow::Pkce), ("custom", Flow::Custom)]).map(Self)
    }
}
