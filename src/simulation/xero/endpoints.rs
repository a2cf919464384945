//! What each endpoint of the model does.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

use super::http::{Request, Response};
use super::{AppToken, Connection, Removed, TOKEN_LIFETIME, Xero};
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId};
use crate::domain::scopes::{ScopeSet, ScopeText};

/// The scope of an app's own token.
const OWN_SCOPE: &str = "app.connections";

impl Xero {
    pub(super) fn token(&mut self, now: DateTime<Utc>, request: &Request) -> Response {
        let refused = |error: &str| Response::json(400, &json!({ "error": error }));
        let form = Request::form(&request.body);
        if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
            return refused("unsupported_grant_type");
        }
        let Some((client_id, secret)) = credentials(request) else {
            return refused("invalid_client");
        };
        let app = self.apps.get(&client_id);
        let Some(app) = app.filter(|app| app.secret.as_ref().is_none_or(|it| *it == secret)) else {
            return refused("invalid_client");
        };
        if app.secret.is_none() {
            return refused("unauthorized_client");
        }
        if form.get("scope").map(String::as_str) != Some(OWN_SCOPE) || !app.manages_connections {
            return refused("invalid_scope");
        }
        let token = format!("own-{}", self.make("token"));
        let until = now + TOKEN_LIFETIME;
        self.tokens.insert(token.clone(), AppToken { client_id, until });
        let body = json!({
            "access_token": token,
            "expires_in": TOKEN_LIFETIME.num_seconds(),
            "token_type": "Bearer",
            "scope": OWN_SCOPE,
        });
        Response::json(200, &body)
    }

    pub(super) fn list(&mut self, now: DateTime<Utc>, request: &Request) -> Response {
        let client_id = match self.authorised(now, request) {
            Ok(client_id) => client_id,
            Err(response) => return response,
        };
        let event = request.query().remove("authEventId");
        let entries: Vec<Entry<'_>> = self
            .of_app(&client_id)
            .filter(|one| event.as_ref().is_none_or(|event| one.auth_event.to_string() == *event))
            .map(Entry::of)
            .collect();
        Response::json(200, &entries)
    }

    pub(super) fn delete(&mut self, now: DateTime<Utc>, request: &Request) -> Response {
        let client_id = match self.authorised(now, request) {
            Ok(client_id) => client_id,
            Err(response) => return response,
        };
        let id = request.address().rsplit('/').next().unwrap_or_default();
        let id: Option<ConnectionId> = id.parse().ok();
        let wrong = || Response::problem(403, "Forbidden", "AuthenticationUnsuccessful");
        let Some(id) = id else { return wrong() };
        if self.gone.contains(&id) {
            return Response::empty(404);
        }
        if self.connections.get(&id).is_none_or(|one| one.client_id != client_id) {
            return wrong();
        }
        if let Some(one) = self.disconnect(id) {
            let (tenant, user) = (one.tenant.id, one.user);
            self.removed.push(Removed { at: now, connection: id, tenant, user });
        }
        Response::empty(204)
    }

    /// The app whose token it is.
    fn authorised(&self, now: DateTime<Utc>, request: &Request) -> Result<String, Response> {
        let bearer = request.headers.get("authorization").and_then(|it| it.strip_prefix("Bearer "));
        match bearer.and_then(|token| self.tokens.get(token)) {
            Some(token) if now < token.until => Ok(token.client_id.clone()),
            Some(_) => Err(Response::problem(401, "Unauthorized", "TokenExpired: token expired")),
            None => Err(Response::problem(401, "Unauthorized", "AuthenticationUnsuccessful")),
        }
    }

    /// The page where a user would log in, or the one that says that it went wrong.
    pub(super) fn authorise(&self, request: &Request) -> Response {
        let address = request.address();
        if address.starts_with("/identity/user/login") {
            return Response::page(200, "Log in with your password");
        }
        if address != "/identity/connect/authorize" {
            return Response::page(200, "Something went wrong: error");
        }
        let query = request.query();
        let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let app = self.apps.get(value("client_id"));
        let accepted = app.is_some_and(|app| {
            let is_known = value("redirect_uri") == app.redirect_uri;
            let asked = ScopeText::read(value("scope"));
            let words = value("scope").split_whitespace().count();
            let is_spelt = asked.set.len() as usize == words;
            let is_proven = app.secret.is_some() || !value("code_challenge").is_empty();
            is_known
                && is_spelt
                && is_proven
                && app.scopes.is_superset(asked.set)
                && !mixes_families(asked.set)
        });
        let to =
            if accepted { "/identity/user/login?returnUrl=x" } else { "/identity/error?errorId=1" };
        Response::empty(302).with("location", to)
    }
}

/// Scopes of accounting and practice manager cannot be in one consent.
fn mixes_families(scopes: ScopeSet) -> bool {
    let has = |family: &str| scopes.iter().any(|scope| scope.name().starts_with(family));
    has("accounting.") && has("practicemanager.")
}

/// Basic authentication, each part encoded as RFC 6749, section 2.3.1, wants it.
fn credentials(request: &Request) -> Option<(String, String)> {
    let encoded = request.headers.get("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let mut form = Request::form(format!("x={text}").as_bytes());
        form.remove("x").unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

/// One of the list's, as Xero writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    id: ConnectionId,
    auth_event_id: AuthEventId,
    tenant_id: TenantId,
    tenant_type: &'a str,
    tenant_name: Option<&'a str>,
    created_date_utc: String,
    updated_date_utc: String,
}

impl<'a> Entry<'a> {
    fn of(one: &'a Connection) -> Self {
        // UTC without saying so, with seven decimals.
        let date = |at: DateTime<Utc>| {
            let text = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{}0", text.trim_end_matches('Z'))
        };
        Self {
            id: one.id,
            auth_event_id: one.auth_event,
            tenant_id: one.tenant.id,
            tenant_type: &one.tenant.kind,
            tenant_name: one.tenant.name.as_deref(),
            created_date_utc: date(one.created_at),
            updated_date_utc: date(one.updated_at),
        }
    }
}
