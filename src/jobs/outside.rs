//! What a run reaches outside this process beside its database: the inventory, the people it
//! writes to, Xero, the host's page. A run in the real world reaches them over the network; a
//! simulation stands in for all of them at once, so that both are the same code.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::Client;

use crate::clock::Clock;
use crate::delivery::outcome::Outcome;
use crate::delivery::probe;
use crate::domain::scopes::ScopeSet;
use crate::inventory::{Selection, Source};
use crate::xero::authorise::{App, Verdict};
use crate::xero::connections::Connections;
use crate::xero::limits::Pace;

use super::prompting::Parcel;

/// What comes of handing a parcel over.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A world that stands in for the real one.
pub trait Outside: Send + Sync {
    /// The stored connections as they are now.
    fn inventory(&self, selection: &Selection) -> Source;

    /// Takes a parcel that goes by a channel.
    fn deliver<'a>(
        &'a self,
        channel: &'a str,
        parcel: &'a Parcel,
        now: DateTime<Utc>,
    ) -> Delivery<'a>;

    /// Xero's connections of the app, called no oftener than the pace lets them be.
    fn connections<'a>(
        &'a self,
        pace: Box<dyn Pace + 'a>,
        clock: &'a dyn Clock,
    ) -> Box<dyn Connections + 'a>;

    /// Whether Xero lets the app ask for these scopes.
    fn asks_for(&self, app: &App, scopes: ScopeSet) -> Verdict;

    /// Whether the page answers that links lead to.
    ///
    /// # Errors
    /// Why a customer would not get through.
    fn reconnect_page(&self) -> Result<(), String>;
}

/// Who is asked whether links will work.
#[derive(Clone)]
pub enum Asked {
    Web(Client),
    Outside(Arc<dyn Outside>),
}

impl Asked {
    /// Whether Xero lets the app ask for these scopes.
    pub(super) async fn about_scopes(&self, app: &App, scopes: ScopeSet) -> Verdict {
        match self {
            Self::Web(client) => app.asks_for(client, scopes).await,
            Self::Outside(outside) => outside.asks_for(app, scopes),
        }
    }

    /// Whether the page answers; `filled` puts a token into its address.
    ///
    /// # Errors
    /// Why a customer would not get through.
    pub(super) async fn about_reconnecting(
        &self,
        filled: impl FnOnce(&str) -> String,
    ) -> Result<(), String> {
        match self {
            Self::Web(client) => probe::answers(client, filled).await,
            Self::Outside(outside) => outside.reconnect_page(),
        }
    }
}
