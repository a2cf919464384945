//! What a confirmation is about, taken from the configuration: a change of any of it makes
//! the confirmation void.

use crate::config::Config;
use crate::domain::confirmation::{Facts, Subject, Word};
use crate::store::{self, Store};

/// What the host's page is confirmed to fit.
#[must_use]
pub fn link(config: &Config) -> Facts {
    let app = &config.app;
    Facts::of([
        ("client_id", Some(app.client_id.to_ascii_uppercase())),
        ("required_scopes", Some(config.campaign.required.canonical())),
        ("redirect_uri", app.redirect_uri.as_ref().map(ToString::to_string)),
        // As it is written, with a place for the token.
        ("reconnect_url", app.reconnect_url.as_ref().map(|url| url.with_token("{token}"))),
    ])
}

/// What an organisation was removed and reconnected through.
#[must_use]
pub fn rehearsal(config: &Config) -> Facts {
    Facts::of([
        ("client_id", Some(config.app.client_id.to_ascii_uppercase())),
        ("xero.api", Some(config.xero.api.to_string())),
        ("xero.identity", Some(config.xero.identity.to_string())),
    ])
}

/// Whether somebody vouched for the link as it is configured now.
///
/// # Errors
/// The database cannot be used.
pub async fn link_word(store: &Store, config: &Config) -> Result<Word, store::Error> {
    store.confirmation(Subject::Link, &link(config)).await
}

/// Whether somebody vouched for a rehearsal of removals through these addresses of Xero's.
///
/// # Errors
/// The database cannot be used.
pub async fn rehearsal_word(store: &Store, config: &Config) -> Result<Word, store::Error> {
    store.confirmation(Subject::Rehearsal, &rehearsal(config)).await
}
