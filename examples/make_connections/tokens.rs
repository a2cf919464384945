//! Access tokens and token responses that read like Xero's and open nothing: where the
//! signature would be stands the text `signature-removed`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

/// The app of the shipped configuration.
pub const CLIENT_ID: &str = "0123456789ABCDEF0123456789ABCDEF";

/// Another app of the same company, whose tokens ended up in the wrong table.
pub const OTHER_CLIENT_ID: &str = "FEDCBA9876543210FEDCBA9876543210";

/// What a token says; the fields that no reader needs are left out to keep the file small.
pub struct Token<'a> {
    pub client_id: &'a str,
    pub user: Uuid,
    pub event: Option<Uuid>,
    /// The consent. Left out by some of Xero's older tokens.
    pub consented: Option<DateTime<Utc>>,
    pub issued: DateTime<Utc>,
    pub scopes: &'a [&'a str],
}

// Structs, not maps, so that the order of the keys is this one.
#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    iat: i64,
    exp: i64,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    xero_userid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_event_id: Option<String>,
    scope: &'a [&'a str],
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    expires_in: u32,
    token_type: &'static str,
    scope: Scope<'a>,
}

/// Xero has answered with both.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Scope<'a> {
    Text(&'a str),
    List(&'a [&'a str]),
}

impl Token<'_> {
    pub fn write(&self) -> serde_json::Result<String> {
        let claims = Claims {
            iss: "https://identity.xero.com",
            iat: self.issued.timestamp(),
            exp: (self.issued + TimeDelta::minutes(30)).timestamp(),
            client_id: self.client_id,
            auth_time: self.consented.map(|at| at.timestamp()),
            xero_userid: self.user.to_string(),
            authentication_event_id: self.event.map(|id| id.to_string()),
            scope: self.scopes,
        };
        let header = serde_json::to_vec(&Header { alg: "RS256", typ: "JWT" })?;
        let parts = [header, serde_json::to_vec(&claims)?, b"signature-removed".to_vec()];
        Ok(parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."))
    }
}

/// A token response without its refresh token, which no inventory should hold.
pub fn response(access_token: Option<&str>, scope: Scope) -> serde_json::Result<String> {
    serde_json::to_string(&Response { access_token, expires_in: 1800, token_type: "Bearer", scope })
}
