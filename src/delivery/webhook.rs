//! One delivery of a webhook: a signed request to the host's own product. It may be repeated,
//! with the same id and body, until it is accepted: so an answer that never came is a refusal
//! for now, and nothing is refused for good.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use url::Url;

use super::guard::{self, Inside, PublicOnly};
use super::http::{self, ClientError, Limits};
use super::outcome::Outcome;
use super::signature::{Secret, signatures};
use crate::web;

/// Bytes of an answer that are read, so that the connection can be used again.
const MOST_OF_AN_ANSWER: usize = 4 * 1024;

#[derive(Clone, Debug)]
pub struct Settings {
    pub url: Url,
    /// Each signs.
    pub secrets: Vec<Secret>,
    /// The address may be inside: this machine, or a private network.
    pub private: bool,
    pub limits: Limits,
}

/// Where webhooks are delivered to.
#[derive(Clone)]
pub struct Endpoint {
    settings: Settings,
    client: Client,
}

impl Endpoint {
    /// # Errors
    /// When no client can be made.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let mut client = http::client(&settings.limits);
        if !settings.private {
            client = client.dns_resolver(PublicOnly);
        }
        Ok(Self { client: client.build()?, settings })
    }

    /// Delivers a body under an id, which receivers tell repeats by; `now` is the time of
    /// this attempt. It can be dropped at any time: a repeat does no harm.
    pub async fn deliver(&self, id: &str, body: &[u8], now: DateTime<Utc>) -> Outcome {
        let Settings { url, secrets, private, .. } = &self.settings;
        if let (false, Err(inside)) = (private, guard::check(url)) {
            return Outcome::down(inside.to_string());
        }
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.timestamp())
            .header("webhook-signature", signatures(secrets, id, now, body))
            .body(body.to_vec());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return unanswered(error),
        };
        let status = response.status();
        let wait = web::retry_after(response.headers(), now);
        drop(http::beginning(response, MOST_OF_AN_ANSWER).await);
        answered(status, wait)
    }
}

fn unanswered(error: reqwest::Error) -> Outcome {
    if let Some(inside) = inside(&error) {
        return Outcome::down(inside.to_string());
    }
    if error.is_connect() || error.is_builder() {
        return Outcome::down(format!("the webhook's address: {}", http::reason(error)));
    }
    if error.is_timeout() {
        return Outcome::deferred("the webhook's receiver did not answer in time");
    }
    Outcome::deferred(format!("the webhook's receiver gave no answer: {}", http::reason(error)))
}

fn inside(error: &reqwest::Error) -> Option<&Inside> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(inside) = cause.downcast_ref() {
            return Some(inside);
        }
        next = cause.source();
    }
    None
}

/// Only the status counts: the body is the host's own, and may say anything about anybody.
fn answered(status: StatusCode, retry_after: Option<Duration>) -> Outcome {
    let why = format!("the webhook's receiver answered {status}");
    match status.as_u16() {
        200..=299 => Outcome::Accepted { reference: None },
        300..=399 => {
            Outcome::down(format!("{why}: redirects are not followed, write where it leads"))
        }
        // No message would be taken by an address that asks who we are, is not there, or is
        // gone (410, which Standard Webhooks asks to be read as: send no more).
        401 | 403..=405 | 410 => Outcome::Deferred { why, retry_after, channel_down: true },
        _ => Outcome::Deferred { why, retry_after, channel_down: false },
    }
}
