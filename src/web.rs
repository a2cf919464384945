//! HTTP from here to others: one way to set a client up, and to read a little of an answer.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// How much of an answer is read.
const MAX_ANSWER: usize = 8 * 1024;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Makes ring the provider of every TLS connection that is not told otherwise: HTTP clients
/// cannot be built before. Calling it again changes nothing.
pub fn install() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that follows no redirect by itself and waits no longer than `patience` for a
/// whole answer.
///
/// # Errors
/// The roots of trust of this machine cannot be read.
pub fn client(patience: Duration) -> reqwest::Result<Client> {
    install();
    Client::builder()
        .user_agent(concat!("xero-connection-migration/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_PATIENCE.min(patience))
        .timeout(patience)
        .build()
}

/// The beginning of an answer's body, as text; what cannot be read any more is left out.
pub async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_ANSWER);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What went wrong, without the address: it may hold what must not be logged.
#[must_use]
pub fn trouble(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    // The innermost cause says what to repair.
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}
