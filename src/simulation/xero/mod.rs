//! A model of Xero (docs/xero.md): who consented to what, which connections there are, and what
//! every call answers. A state machine without clock or chance: the time comes with each act,
//! ids follow from the seed and the order of acts. It is spoken to over HTTP ([`http`]) or in
//! this process ([`direct`]), and both go through the same code.

pub mod direct;
mod endpoints;
mod faults;
pub mod http;
mod limiter;
mod links;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::domain::ids::{AuthEventId, ConnectionId, TenantId, UserId};
use crate::domain::scopes::ScopeSet;

pub use faults::{Call, Fault, Mark};
pub use limiter::Limiter;
use links::Links;

/// How long an access token lives.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// An app, as it is registered.
#[derive(Clone, Debug)]
pub struct App {
    pub client_id: String,
    /// A PKCE app has none.
    pub secret: Option<String>,
    pub redirect_uri: String,
    /// What it may ask users for.
    pub scopes: ScopeSet,
    /// May have tokens of its own for its connections.
    pub manages_connections: bool,
    /// Tenants that may be connected; `None` for a tier without a cap.
    pub cap: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    /// `ORGANISATION`, `PRACTICE`, or any other word.
    pub kind: String,
    pub name: Option<String>,
}

/// What one person consented to for one app.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Never shrinks: scopes only add up.
    pub scopes: ScopeSet,
    pub auth_event: AuthEventId,
    pub consented_at: DateTime<Utc>,
}

/// One person's link to one tenant.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub client_id: String,
    pub user: UserId,
    pub tenant: Tenant,
    pub auth_event: AuthEventId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Why a consent did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoSuchApp,
    /// One scope that the app may not ask for refuses all.
    Scope,
    AtCap,
}

/// The calls that came, by kind, refused ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub token: u64,
    pub list: u64,
    pub delete: u64,
    pub authorise: u64,
    /// Addresses that the worker has no business with.
    pub other: u64,
}

/// A removal through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    pub at: DateTime<Utc>,
    pub connection: ConnectionId,
    pub tenant: TenantId,
    pub user: UserId,
}

/// A token of an app's own.
#[derive(Clone, Debug)]
struct AppToken {
    client_id: String,
    until: DateTime<Utc>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Xero {
    seed: u64,
    made: u64,
    apps: BTreeMap<String, App>,
    grants: BTreeMap<(String, UserId), Grant>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Where everybody's link to a tenant is, and how many have one to it.
    links: Links,
    gone: BTreeSet<ConnectionId>,
    tokens: BTreeMap<String, AppToken>,
    faults: faults::Faults,
    counts: Counts,
    removed: Vec<Removed>,
    pub limiter: Limiter,
    /// How far Xero's clock is ahead of everybody else's.
    pub skew: TimeDelta,
    /// Whether consenting anew changes a connection's `updatedDateUtc` and `authEventId`: told
    /// both ways.
    pub consent_shows: bool,
}

impl Xero {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            made: 0,
            apps: BTreeMap::new(),
            grants: BTreeMap::new(),
            connections: BTreeMap::new(),
            links: Links::default(),
            gone: BTreeSet::new(),
            tokens: BTreeMap::new(),
            faults: faults::Faults::default(),
            counts: Counts::default(),
            removed: Vec::new(),
            limiter: Limiter::default(),
            skew: TimeDelta::zero(),
            consent_shows: true,
        }
    }

    pub fn register(&mut self, app: App) {
        self.apps.insert(app.client_id.clone(), app);
    }

    /// A registered app, to change.
    pub fn app_mut(&mut self, client_id: &str) -> Option<&mut App> {
        self.apps.get_mut(client_id)
    }

    /// A person consents, and connects these tenants.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn consent(
        &mut self,
        now: DateTime<Utc>,
        client_id: &str,
        user: UserId,
        asked: ScopeSet,
        tenants: &[Tenant],
    ) -> Result<AuthEventId, Refusal> {
        let app = self.apps.get(client_id).ok_or(Refusal::NoSuchApp)?;
        if !app.scopes.is_superset(asked) {
            return Err(Refusal::Scope);
        }
        if app.cap.is_some_and(|cap| self.links.tenants_with(client_id, tenants) > cap) {
            return Err(Refusal::AtCap);
        }
        let event = AuthEventId(self.make("auth event"));
        let held = self.grants.get(&(client_id.to_owned(), user));
        let scopes = held.map_or(asked, |held| held.scopes.union(asked));
        let grant = Grant { scopes, auth_event: event, consented_at: now };
        self.grants.insert((client_id.to_owned(), user), grant);
        for tenant in tenants {
            self.connect(now, client_id, user, event, tenant);
        }
        Ok(event)
    }

    fn connect(
        &mut self,
        now: DateTime<Utc>,
        client_id: &str,
        user: UserId,
        event: AuthEventId,
        tenant: &Tenant,
    ) {
        let known = self.links.find(client_id, user, tenant.id);
        if let Some(known) = known.and_then(|id| self.connections.get_mut(&id)) {
            if self.consent_shows {
                (known.auth_event, known.updated_at) = (event, now);
            }
            return;
        }
        let id = ConnectionId(self.make("connection"));
        let connection = Connection {
            id,
            client_id: client_id.to_owned(),
            user,
            tenant: tenant.clone(),
            auth_event: event,
            created_at: now,
            updated_at: now,
        };
        self.links.add(&connection);
        self.connections.insert(id, connection);
    }

    /// Puts a connection there that was made long ago, with what its person consented to. An id
    /// that is taken changes nothing.
    pub fn place(&mut self, connection: Connection, scopes: ScopeSet) {
        if self.connections.contains_key(&connection.id) {
            return;
        }
        let key = (connection.client_id.clone(), connection.user);
        let grant = self.grants.entry(key).or_insert(Grant {
            scopes: ScopeSet::EMPTY,
            auth_event: connection.auth_event,
            consented_at: connection.created_at,
        });
        grant.scopes = grant.scopes.union(scopes);
        self.links.add(&connection);
        self.connections.insert(connection.id, connection);
    }

    /// Somebody's connection to a tenant.
    #[must_use]
    pub fn link(&self, client_id: &str, user: UserId, tenant: TenantId) -> Option<&Connection> {
        self.connections.get(&self.links.find(client_id, user, tenant)?)
    }

    /// A connection ends at Xero, by the person's own hand.
    pub fn disconnect(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        self.links.take(&connection);
        self.gone.insert(id);
        Some(connection)
    }

    /// Whether an app may ask its users for these scopes.
    #[must_use]
    pub fn may_ask_for(&self, client_id: &str, scopes: ScopeSet) -> bool {
        self.apps.get(client_id).is_some_and(|app| app.scopes.is_superset(scopes))
    }

    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// An app's connections, in the order of their ids.
    pub fn of_app<'a>(&'a self, client_id: &'a str) -> impl Iterator<Item = &'a Connection> {
        self.connections.values().filter(move |one| one.client_id == client_id)
    }

    #[must_use]
    pub fn grant(&self, client_id: &str, user: UserId) -> Option<&Grant> {
        self.grants.get(&(client_id.to_owned(), user))
    }

    /// What the app would hold for a person after a refresh: a JWT, of which only the claims
    /// count.
    #[must_use]
    pub fn access_token(
        &self,
        now: DateTime<Utc>,
        client_id: &str,
        user: UserId,
    ) -> Option<String> {
        let grant = self.grant(client_id, user)?;
        let scopes: Vec<&str> = grant.scopes.iter().map(|scope| scope.name()).collect();
        let claims = json!({
            "iat": now.timestamp(),
            "exp": (now + TOKEN_LIFETIME).timestamp(),
            "auth_time": grant.consented_at.timestamp(),
            "client_id": client_id,
            "xero_userid": user.to_string(),
            "authentication_event_id": grant.auth_event.to_string(),
            "scope": scopes,
        });
        let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let header = part(json!({"alg": "RS256", "typ": "JWT"}).to_string());
        Some(format!("{header}.{}.{}", part(claims.to_string()), part("unsigned".to_owned())))
    }

    /// Lets the next call of a kind go wrong, after those that were said before.
    pub fn fail(&mut self, call: Call, fault: Fault) {
        self.faults.next(call, fault);
    }

    /// Lets every call of a kind go wrong from now on; `None` ends it.
    pub fn fail_always(&mut self, call: Call, fault: Option<Fault>) {
        self.faults.always(call, fault);
    }

    /// No token of an app's own is good any more.
    pub fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What was removed through the API, in order.
    #[must_use]
    pub fn removed(&self) -> &[Removed] {
        &self.removed
    }

    /// The next id of a kind.
    fn make(&mut self, kind: &str) -> Uuid {
        self.made += 1;
        let name = format!("{} {kind} {}", self.seed, self.made);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }
}
