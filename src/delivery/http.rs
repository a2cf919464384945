//! What e-mail by HTTP and webhooks have in common: a client that follows nothing and waits
//! for nobody, answers cut short, and what an error means.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{ClientBuilder, Response};

use crate::web;

/// The time that a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Name, connection and TLS.
    pub connect: Duration,
    /// All of it, the answer's body included.
    pub whole: Duration,
}

impl Default for Limits {
    /// Standard Webhooks recommends receivers be given 15 to 30 seconds.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), whole: Duration::from_secs(30) }
    }
}

/// The request cannot be made at all.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made: {0}")]
pub struct ClientError(String);

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        "look at the system's certificate store"
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self(reason(error))
    }
}

/// A client that waits for nobody.
pub(super) fn client(limits: &Limits) -> ClientBuilder {
    web::builder(limits.connect, limits.whole)
}

/// The beginning of an answer's body; what comes after is never read. A body that breaks off
/// or stalls is what came of it.
pub(super) async fn beginning(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < most {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    body
}

/// An error with its causes. Without the address, which may hold a secret.
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
