//! What webhooks say, as docs/webhooks.md and its schema lay it down. The same facts give the
//! same bytes, so that every repeat of a prompt is the same.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::domain::digest::{Digest, DigestConnection, DigestGrant};
use crate::domain::grant::GrantId;
use crate::domain::ids::{ConnectionId, TenantId};

/// The schema of all payloads.
pub const SCHEMA: &str = include_str!("../../docs/webhooks.schema.json");

/// Something that became of a connection: the product's banner follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub state: State,
    /// Xero's id, where known.
    pub connection: Option<ConnectionId>,
    pub tenant: TenantId,
    /// The customer, in the host's own words.
    pub account: Option<String>,
    pub grant: GrantId,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Every scope that is required is held: nothing is left to ask for.
    Ready,
    /// What was asked for is no longer asked for.
    Withdrawn,
    Removed,
    /// Removed before, and connected again.
    Returned,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Ready, Self::Withdrawn, Self::Removed, Self::Returned];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Withdrawn => "withdrawn",
            Self::Removed => "removed",
            Self::Returned => "returned",
        }
    }
}

/// The body of a prompt, with a link for each consent that it asks for.
pub fn prompt(digest: &Digest, link: impl Fn(&DigestGrant) -> String) -> Vec<u8> {
    let grants = digest.grants.iter().map(|grant| Grant {
        grant: grant.grant,
        xero_user_id: grant.user.map(|user| user.to_string()),
        link: link(grant),
        scopes: words(&grant.scopes),
        connections: grant.connections.iter().map(Connection::of).collect(),
    });
    let data = Prompt {
        prompt: digest.prompt,
        reference: digest.reference(),
        stage: &digest.stage,
        r#final: digest.is_final,
        recipient: Recipient {
            address: digest.address.as_deref(),
            name: digest.name.as_deref(),
            locale: digest.locale.as_deref(),
            time_zone: digest.zone.name(),
        },
        deadline: time(digest.deadline),
        deadline_before: digest.deadline_before.map(time),
        removal_from: digest.removal_from.map(time),
        links_until: time(digest.links_until),
        grants: grants.collect(),
        not_shown: digest.not_shown,
    };
    bytes(&Payload { r#type: "prompt", timestamp: time(digest.dated), data })
}

impl StateChange {
    /// The body that tells of it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = Change {
            connection_id: self.connection.map(|id| id.to_string()),
            tenant_id: self.tenant.to_string(),
            account_id: self.account.as_deref(),
            grant: self.grant,
            at: time(self.at),
        };
        bytes(&Payload { r#type: self.state.as_str(), timestamp: time(self.at), data })
    }
}

/// The shape that Standard Webhooks recommends.
#[derive(Serialize)]
struct Payload<T> {
    r#type: &'static str,
    timestamp: String,
    data: T,
}

#[derive(Serialize)]
struct Prompt<'a> {
    prompt: uuid::Uuid,
    reference: String,
    stage: &'a str,
    r#final: bool,
    recipient: Recipient<'a>,
    deadline: String,
    deadline_before: Option<String>,
    removal_from: Option<String>,
    links_until: String,
    grants: Vec<Grant<'a>>,
    not_shown: u64,
}

#[derive(Serialize)]
struct Recipient<'a> {
    address: Option<&'a str>,
    name: Option<&'a str>,
    locale: Option<&'a str>,
    time_zone: &'a str,
}

#[derive(Serialize)]
struct Grant<'a> {
    grant: GrantId,
    xero_user_id: Option<String>,
    link: String,
    scopes: Vec<&'a str>,
    connections: Vec<Connection<'a>>,
}

#[derive(Serialize)]
struct Connection<'a> {
    connection_id: Option<String>,
    tenant_id: String,
    tenant_name: Option<&'a str>,
    account_id: Option<&'a str>,
    missing: Vec<&'a str>,
}

#[derive(Serialize)]
struct Change<'a> {
    connection_id: Option<String>,
    tenant_id: String,
    account_id: Option<&'a str>,
    grant: GrantId,
    at: String,
}

impl<'a> Connection<'a> {
    fn of(connection: &'a DigestConnection) -> Self {
        Self {
            connection_id: connection.id.map(|id| id.to_string()),
            tenant_id: connection.tenant.to_string(),
            tenant_name: connection.tenant_name.as_deref(),
            account_id: connection.account.as_deref(),
            missing: words(&connection.missing),
        }
    }
}

fn words(scopes: &str) -> Vec<&str> {
    scopes.split_whitespace().collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn bytes(payload: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(payload).expect("text, numbers and lists have a form in JSON")
}
