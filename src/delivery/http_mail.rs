//! E-mail through a provider's HTTP API. The request names the prompt as its idempotency key;
//! still, a request without an answer is never repeated by itself: its outcome is unknown.

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::answer::plain;
use super::http::{self, ClientError, Limits};
use super::message::{Mailbox, Message};
use super::outcome::Outcome;
use crate::domain::request_body::{Fields, Party, RequestBody};
use crate::web;

/// Bytes of an answer that are read.
const MOST_OF_AN_ANSWER: usize = 8 * 1024;

#[derive(Clone, Debug)]
pub struct Settings {
    pub url: Url,
    /// Sent as a bearer token.
    pub token: Option<SecretString>,
    pub body: RequestBody,
    /// Where the provider's name for the message is in its answer: the keys and places that
    /// lead to it with a dot between them, or `header:` and a header's name.
    pub id_field: String,
    pub limits: Limits,
}

/// A mail provider.
#[derive(Clone)]
pub struct HttpMail {
    settings: Settings,
    client: Client,
}

impl HttpMail {
    /// # Errors
    /// When no client can be made.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let client = http::client(&settings.limits).build()?;
        Ok(Self { settings, client })
    }

    /// Asks the provider's address for nothing, with the token: no message. Whether it takes
    /// one shows only in what it answers, and few answer this alike.
    ///
    /// # Errors
    /// It is not there, or does not take the token.
    pub async fn try_out(&self) -> Result<(), String> {
        let mut request = self.client.get(self.settings.url.clone());
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let status = match request.send().await {
            Ok(response) => response.status(),
            Err(error) => {
                return Err(format!(
                    "the mail provider cannot be reached: {}",
                    http::reason(error)
                ));
            }
        };
        match status.as_u16() {
            401 | 403 => {
                Err(format!("the mail provider answered {status}: it does not take the token"))
            }
            500.. => Err(format!("the mail provider answered {status}")),
            _ => Ok(()),
        }
    }

    /// Hands a message to the provider; `now` is for a `Retry-After` that names a time.
    ///
    /// Whoever drops the future before it is done counts the message as unknown.
    pub async fn send(&self, message: &Message, now: DateTime<Utc>) -> Outcome {
        let body = match self.body(message) {
            Ok(body) => body,
            Err(outcome) => return outcome,
        };
        let mut request = self
            .client
            .post(self.settings.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", message.id.to_string())
            .body(body);
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return self.unanswered(error, message),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        // The status alone decides: a body that never ends changes nothing.
        let body = http::beginning(response, MOST_OF_AN_ANSWER).await;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.answered(status, &headers, &body, message, now)
    }

    fn body(&self, message: &Message) -> Result<String, Outcome> {
        let (message_id, key) = (message.message_id(), message.id.to_string());
        let headers: Map<String, Value> = [
            ("Message-ID", message_id.clone()),
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("List-Id", format!("<{}>", message.list.replace(char::is_control, ""))),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
        let subject = message.subject.replace(char::is_control, " ");
        let fields = Fields {
            from: party(&message.from),
            to: party(&message.to),
            reply_to: message.reply_to.as_ref().map(party),
            subject: &subject,
            text: &message.text,
            html: &message.html,
            headers,
            message_id: &message_id,
            idempotency_key: &key,
        };
        let refused = |error| Outcome::refused(format!("`body` of [email]: {error}"));
        self.settings.body.render(&fields).map_err(refused)
    }

    fn unanswered(&self, error: reqwest::Error, message: &Message) -> Outcome {
        if error.is_connect() || error.is_builder() {
            let reason = self.plain(&http::reason(error), message);
            return Outcome::down(format!("the mail provider cannot be reached: {reason}"));
        }
        if error.is_timeout() {
            return Outcome::unknown("the mail provider did not answer in time");
        }
        let reason = self.plain(&http::reason(error), message);
        Outcome::unknown(format!("the mail provider gave no answer: {reason}"))
    }

    fn answered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Value,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Outcome {
        let said = complaint(body).map(|text| format!(": {}", self.plain(text, message)));
        let why = format!("the mail provider answered {status}{}", said.unwrap_or_default());
        let retry_after = web::retry_after(headers, now);
        match status.as_u16() {
            200..=299 => {
                let reference = self.id(headers, body);
                let plain = |id: String| self.plain(&id, message);
                Outcome::Accepted { reference: reference.map(plain) }
            }
            300..=399 => Outcome::down(format!("{why}; write where `url` of [email] leads to")),
            // About this message.
            400 | 413 | 422 => Outcome::Refused { why },
            // About the account, or an address that takes no messages at all: no recipient
            // must be given up for it.
            401..=405 => Outcome::Deferred { why, retry_after, channel_down: true },
            // The same key is being worked on, or was used: an earlier attempt got through.
            409 => Outcome::Unknown { why },
            // They say themselves that nothing was taken.
            408 | 425 | 429 | 503 => Outcome::Deferred { why, retry_after, channel_down: false },
            400..=499 => Outcome::Deferred { why, retry_after, channel_down: false },
            // A failure on the way back, or after the message was taken.
            _ => Outcome::Unknown { why },
        }
    }

    /// The provider's own name for the message.
    fn id(&self, headers: &HeaderMap, body: &Value) -> Option<String> {
        if let Some(name) = self.settings.id_field.strip_prefix("header:") {
            return Some(headers.get(name.trim())?.to_str().ok()?.to_owned());
        }
        let found = self.settings.id_field.split('.').try_fold(body, |value, key| match value {
            Value::Array(entries) => entries.get(key.parse::<usize>().ok()?),
            _ => value.get(key),
        })?;
        match found {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }

    fn plain(&self, text: &str, message: &Message) -> String {
        let secret = self.settings.token.as_ref().map(|token| token.expose_secret());
        let mut people = vec![&message.from.address, &message.to.address];
        people.extend(message.reply_to.as_ref().map(|mailbox| &mailbox.address));
        plain(text, &people, secret.as_slice())
    }
}

/// What went wrong, where providers usually say it. The rest of an answer may repeat the
/// message, and is not looked at.
fn complaint(body: &Value) -> Option<&str> {
    let places = [
        "/message",
        "/error/message",
        "/errors/0/message",
        "/error",
        "/Message",
        "/detail",
        "/title",
    ];
    places.iter().find_map(|place| body.pointer(place)?.as_str())
}

fn party(mailbox: &Mailbox) -> Party<'_> {
    let name = mailbox.name.as_deref().filter(|name| !name.trim().is_empty());
    let address = mailbox.address.with_ascii_domain();
    let mailbox = match name {
        Some(name) => {
            let name = name.replace(char::is_control, " ").replace(['"', '\\', '<', '>'], "'");
            format!("\"{name}\" <{address}>")
        }
        None => address.clone(),
    };
    Party { name, address, mailbox }
}
