//! Calling Xero from a run: a client made from the configuration, at a pace that all replicas
//! share.

use std::ffi::OsString;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::rate::Rate;
use crate::domain::row::Flow;
use crate::store::{self, Store};
use crate::xero::client::{Client, ClientError, Limits, Settings};
use crate::xero::connections::Answer;
use crate::xero::error::Error;
use crate::xero::limits::{Pace, Turn, none_allowed, per_minute};

/// The name of the pace in the database.
pub(super) const CALLS: &str = "xero";

/// Why Xero cannot be asked about the app's connections.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    #[error("a {0} app has no client credentials, so Xero cannot be asked about its connections")]
    Flow(&'static str),
    #[error("client_secret is not written under [app]")]
    NoSecret,
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl NoClient {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Flow(_) => "removing is for apps of flow = \"web\"",
            Self::NoSecret => {
                "write `client_secret = { env = \"XERO_CLIENT_SECRET\" }` under [app]"
            }
            Self::Client(error) => error.remedy(),
        }
    }
}

/// The client that the configuration describes. The secret is read when a token is asked for,
/// so that a missing one stops only what needs it.
///
/// # Errors
/// The app has no client credentials, or nothing can be called over HTTPS.
pub fn client<'a>(
    config: &'a Config,
    store: &'a Store,
    clock: &'a dyn Clock,
    env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
) -> Result<Client<'a>, NoClient> {
    match config.app.flow {
        Flow::Pkce => return Err(NoClient::Flow("PKCE")),
        Flow::Custom => return Err(NoClient::Flow("custom")),
        Flow::Web | Flow::Oauth1 => {}
    }
    let reference = config.app.client_secret.as_ref().ok_or(NoClient::NoSecret)?;
    let secret = move || {
        let secret = reference.resolve(&|name| env(name));
        secret.map_err(|error| format!("{error}: {}", error.remedy()))
    };
    let settings = Settings {
        api: config.xero.api.clone(),
        identity: config.xero.identity.clone(),
        client_id: config.app.client_id.clone(),
        roots: config.xero.roots.clone(),
        calls_per_minute: config.xero.calls_per_minute,
        limits: Limits::default(),
    };
    let pace = pace(config, store, clock);
    Ok(Client::new(&settings, Box::new(secret), Box::new(pace), clock)?)
}

/// The pace that the configuration gives all replicas together.
#[must_use]
pub fn pace<'a>(config: &Config, store: &'a Store, clock: &'a dyn Clock) -> SharedPace<'a> {
    SharedPace { store, clock, rate: per_minute(config.xero.calls_per_minute) }
}

/// The pace of all replicas together, kept in the database.
pub struct SharedPace<'a> {
    pub store: &'a Store,
    pub clock: &'a dyn Clock,
    /// `None` lets nothing out.
    pub rate: Option<Rate>,
}

impl Pace for SharedPace<'_> {
    fn turn(&self) -> Answer<'_, Turn> {
        Box::pin(async {
            let rate = self.rate.ok_or_else(none_allowed)?;
            let taken = self.store.take(CALLS, rate, self.clock.now()).await.map_err(unusable)?;
            Ok(if taken.count == 1 { Turn::Now } else { Turn::NotBefore(taken.next) })
        })
    }

    fn hold(&self, until: DateTime<Utc>) -> Answer<'_, ()> {
        Box::pin(async move { self.store.hold(CALLS, until).await.map_err(unusable) })
    }
}

fn unusable(error: store::Error) -> Error {
    Error::Withheld(format!("the database does not say whether a call may go: {error}"))
}
