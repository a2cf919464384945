//! A connection as the store remembers it: the facts of its rows, the people responsible,
//! and what the last complete scan made of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::class::Class;
use super::evidence::Evidence;
use super::grant::{ConnectionKey, GrantId, Readiness};
use super::ids::{AuthEventId, ConnectionId, TenantId};
use super::row::{Doubt, Flow, Person, Row};
use super::scopes::ScopeSet;

/// What the host says of a connection: the part of a row that is not about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub id: Option<ConnectionId>,
    pub grant: GrantId,
    pub tenant: TenantId,
    pub tenant_name: Option<String>,
    pub tenant_type: Option<String>,
    pub account: Option<String>,
    pub auth_event: Option<AuthEventId>,
    pub flow: Option<Flow>,
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub connected_at: Option<DateTime<Utc>>,
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub last_used_at: Option<DateTime<Utc>>,
    pub required: Option<ScopeSet>,
    pub evidence: Vec<Evidence>,
    pub doubt: Option<Doubt>,
}

impl Facts {
    /// Whether something in it was dated after a moment: a consent, or the connecting itself.
    #[must_use]
    pub fn are_newer_than(&self, moment: DateTime<Utc>) -> bool {
        let consents = self.evidence.iter().filter_map(|reading| reading.at);
        consents.chain(self.connected_at).any(|at| at > moment)
    }

    /// Only organisations hold accounting scopes; a type that is not given is taken for one
    /// (docs/xero.md, "Grants and connections").
    #[must_use]
    pub fn is_organisation(&self) -> bool {
        self.tenant_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("ORGANISATION"))
    }
}

/// Takes a row apart: which connection, what of it, and who.
#[must_use]
pub fn take_apart(row: Row) -> (ConnectionKey, Facts, Person) {
    let user = row.user.or(row.token_user);
    let key = ConnectionKey::of(row.connection, row.tenant, user);
    let facts = Facts {
        id: row.connection,
        grant: GrantId::of(user, key),
        tenant: row.tenant,
        tenant_name: row.tenant_name,
        tenant_type: row.tenant_type,
        account: row.account,
        auth_event: row.auth_event,
        flow: row.flow,
        connected_at: row.connected_at,
        updated_at: row.updated_at,
        last_used_at: row.last_used_at,
        required: row.required,
        evidence: row.evidence,
        doubt: row.doubt,
    };
    (key, facts, row.person)
}

/// Whether a connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    Present,
    /// Listed by a bad row: it keeps its state and nothing is done to it.
    RowBad,
    /// Missing from a complete scan.
    Gone,
    /// This worker removed it and it has not come back, whether or not the host still lists it.
    Removed,
}

impl Presence {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::RowBad => "row_bad",
            Self::Gone => "gone",
            Self::Removed => "removed",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Present, Self::RowBad, Self::Gone, Self::Removed];
        all.into_iter().find(|presence| presence.as_str() == word)
    }

    /// Whether it is one of the connections that there are: counted, classified, prompted.
    /// What is gone or removed stands outside.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Present | Self::RowBad)
    }
}

/// What the last complete scan made of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub class: Class,
    pub readiness: Readiness,
    pub some_evidence_ready: bool,
    pub token_behind: bool,
    /// Custom or OAuth 1.0a: left to people.
    pub manual: bool,
    /// Somebody responsible for the grant has an address.
    pub reachable: bool,
}

/// Somebody responsible for a connection, from one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responsible {
    /// The row as it was read; `None` when it has to be read anew.
    pub fingerprint: Option<u64>,
    pub person: Person,
}

impl Responsible {
    /// The one order of the people of a connection, whatever the database sorts like.
    #[must_use]
    pub fn order(&self) -> [Option<&str>; 5] {
        let person = &self.person;
        [
            person.email.as_ref().map(|email| email.key()).or(person.forgotten.as_deref()),
            person.name.as_deref(),
            person.locale.as_deref(),
            person.time_zone.map(|zone| zone.name()),
            person.country.as_deref(),
        ]
    }
}

/// A stored connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub key: ConnectionKey,
    pub facts: Facts,
    pub presence: Presence,
    pub standing: Standing,
    /// Another person's ready grant reaches the same tenant.
    pub covered: bool,
    pub first_seen_at: DateTime<Utc>,
    /// Since when it is anything but present.
    pub absent_since: Option<DateTime<Utc>>,
    pub people: Vec<Responsible>,
}

impl Connection {
    /// Whether the host lists it: its rows then say what its person consented to and who is
    /// responsible, also when it has been removed.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        match self.presence {
            Presence::Present | Presence::RowBad => true,
            Presence::Gone => false,
            Presence::Removed => self.people.iter().any(|person| person.fingerprint.is_some()),
        }
    }
}
