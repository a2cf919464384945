//! What e-mail by HTTP and webhooks have in common: a client that follows nothing and waits
//! for nobody, answers cut short, and what an error means.

use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{ClientBuilder, Response, redirect, retry};

/// The longest wait that another side can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

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

/// A client whose requests go out once, to the address that was configured: no redirects, no
/// repeats of its own, and no proxy from the environment, which would look names up for us.
pub(super) fn client(limits: &Limits) -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(limits.connect)
        .timeout(limits.whole)
        // Below the minute after which servers and balancers usually close idle connections.
        .pool_idle_timeout(Duration::from_secs(30))
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

/// When the other side asked to be tried again: in seconds, or at a time.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            LONGEST_WAIT
        }
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_WAIT))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_be_tried_later_is_heard_within_bounds() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let seconds = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 22 Nov 2026 10:05:00 GMT"), Some(300));
        assert_eq!(seconds("Sun, 22 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(seconds("Mon, 22 Nov 2032 09:00:00 GMT"), Some(86_400));
        assert_eq!(seconds("99999999"), Some(86_400));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        for nonsense in ["", "soon", "-5", "1.5", "22 Nov"] {
            assert_eq!(seconds(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
