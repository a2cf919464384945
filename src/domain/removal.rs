//! A removal: what it was planned as, where it stands, and what that means for the next one.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::campaign::{PerPerson, RemovalPolicy};
use super::class::Class;
use super::grant::{ConnectionKey, GrantId};
use super::ids::{ConnectionId, TenantId};
use super::reason::{Code, Reason};

/// Where a removal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalState {
    /// To be tried, from a time on.
    Queued,
    /// In somebody's hands until a time; nothing was asked of Xero.
    Leased,
    /// About to be asked of Xero, or in the middle of it.
    Deleting,
    /// No answer came: Xero's next complete list tells.
    Unknown,
    /// By us.
    Removed,
    /// Xero did not have it any more: not our removal.
    Gone,
    /// Xero lists it and refuses to remove it: a person has to look.
    SetAside,
    /// It was not any more what had been planned.
    Dropped,
}

impl RemovalState {
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Leased,
        Self::Deleting,
        Self::Unknown,
        Self::Removed,
        Self::Gone,
        Self::SetAside,
        Self::Dropped,
    ];

    /// The word in the database and in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Deleting => "deleting",
            Self::Unknown => "unknown",
            Self::Removed => "removed",
            Self::Gone => "gone",
            Self::SetAside => "set_aside",
            Self::Dropped => "dropped",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Xero may have been asked, and no definite answer is known.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Deleting | Self::Unknown)
    }

    /// Nothing more happens to it under its plan.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Removed | Self::Gone | Self::SetAside | Self::Dropped)
    }
}

/// What a plan says of a connection and must still be so when it is removed. What every
/// refresh of a token changes at the host's is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub connection_id: ConnectionId,
    pub tenant_id: TenantId,
    pub grant: GrantId,
    pub class: Class,
    /// What the grant holds: scope names in order, one space between them.
    pub scopes: String,
    /// What the connection requires, likewise.
    pub required: String,
    /// Everyone responsible, by pseudonym, in order.
    pub people: Vec<String>,
    /// Xero's own dates of the connection.
    pub xero_created_at: Option<DateTime<Utc>>,
    pub xero_updated_at: Option<DateTime<Utc>>,
}

impl Planned {
    /// What is not the same in both, in words.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            (self.connection_id != other.connection_id, "Xero's connection id"),
            (self.tenant_id != other.tenant_id, "the tenant"),
            (self.grant != other.grant, "the person who consented"),
            (self.class != other.class, "the class"),
            (self.scopes != other.scopes, "the scopes"),
            (self.required != other.required, "the required scopes"),
            (self.people != other.people, "the people responsible"),
            (self.xero_created_at != other.xero_created_at, "Xero's created date"),
            (self.xero_updated_at != other.xero_updated_at, "Xero's updated date"),
        ]
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect()
    }
}

/// A connection as Xero's own list has it: what of it a removal depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: ConnectionId,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// What Xero's own list says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InXero {
    /// No good list has been read yet.
    Unread,
    /// The last good list lacks it.
    Absent,
    Listed(Listed),
}

impl InXero {
    #[must_use]
    pub fn listed(self) -> Option<Listed> {
        match self {
            Self::Listed(listed) => Some(listed),
            Self::Unread | Self::Absent => None,
        }
    }
}

/// A removal that there is already, as far as it bars another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRemoval {
    pub connection: ConnectionKey,
    pub tenant: TenantId,
    pub grant: GrantId,
    /// Everyone responsible, by pseudonym.
    pub people: Vec<String>,
    pub state: RemovalState,
    /// When a queued one may go; the end of the lease, while somebody has it.
    pub until: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    /// It was found that its person had consented before it, too late to be seen.
    pub crossed_at: Option<DateTime<Utc>>,
    /// Its tenant is connected again, whatever its scopes.
    pub back_at: Option<DateTime<Utc>>,
    /// A ready grant for its tenant is present again.
    pub returned_at: Option<DateTime<Utc>>,
}

impl PastRemoval {
    /// Until when the next removal of the same person waits for what becomes of this one.
    #[must_use]
    pub fn awaited_until(&self, wait: TimeDelta) -> Option<DateTime<Utc>> {
        match self.state {
            RemovalState::Removed if self.returned_at.is_none() => {
                Some(self.settled_at.map_or(DateTime::<Utc>::MAX_UTC, |at| at + wait))
            }
            state if state.is_open() => Some(DateTime::<Utc>::MAX_UTC),
            RemovalState::Leased => Some(self.until),
            _ => None,
        }
    }

    /// By the grant; where the host does not know who consented, by whom it would write to.
    fn is_of_one_person_with(&self, candidate: &Candidate<'_>) -> bool {
        self.grant == candidate.grant
            || self.people.iter().any(|person| candidate.people.contains(person))
    }
}

/// The connection that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub connection: ConnectionKey,
    pub tenant: TenantId,
    pub grant: GrantId,
    /// Everyone responsible, by pseudonym, where that is known.
    pub people: &'a [String],
}

/// Why what happened before bars a removal now.
#[must_use]
pub fn barred_by(
    past: &[PastRemoval],
    policy: &RemovalPolicy,
    candidate: Candidate<'_>,
    now: DateTime<Utc>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let own = || past.iter().filter(|removal| removal.connection == candidate.connection);
    let of_tenant = || past.iter().filter(|removal| removal.tenant == candidate.tenant);
    if of_tenant().any(|removal| removal.state == RemovalState::Removed) {
        reasons.push(Code::RemovedBefore.into());
    }
    if of_tenant().any(|removal| removal.state.is_open()) {
        reasons.push(Code::RemovalUnknown.into());
    }
    if own().any(|removal| removal.state == RemovalState::SetAside) {
        reasons.push(Code::SetAside.into());
    }
    let in_hand =
        |removal: &PastRemoval| removal.state == RemovalState::Leased && removal.until > now;
    if of_tenant().any(in_hand) {
        reasons.push(Code::InFlight.because("another worker has a removal of this tenant in hand"));
    }
    let later = own()
        .filter(|removal| removal.state == RemovalState::Queued && removal.until > now)
        .map(|removal| removal.until)
        .max();
    if let Some(at) = later {
        let at = at.format("%Y-%m-%d %H:%M UTC");
        reasons.push(Code::RetryLater.because(format!("Xero wants to be asked again from {at}")));
    }
    if policy.per_person == PerPerson::One {
        let wait = TimeDelta::days(policy.wait_days.into());
        let awaited = past
            .iter()
            .filter(|removal| removal.connection != candidate.connection)
            .filter(|removal| removal.is_of_one_person_with(&candidate))
            .filter_map(|removal| removal.awaited_until(wait))
            .filter(|until| *until > now)
            .max();
        reasons.extend(awaited.map(|_| {
            Code::PerPerson.because(
                "another connection of the same person was removed, and what becomes of it is \
                 waited for",
            )
        }));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{at, connection, removal};

    fn past(state: RemovalState) -> PastRemoval {
        let other = connection(2);
        PastRemoval {
            connection: other.key,
            tenant: other.facts.tenant,
            grant: other.facts.grant,
            people: vec!["p-1".to_owned()],
            state,
            until: at("2027-08-20T00:01:00Z"),
            settled_at: Some(at("2027-08-20T00:00:00Z")),
            crossed_at: None,
            back_at: None,
            returned_at: None,
        }
    }

    fn codes(past: PastRemoval, number: u128, now: &str) -> Vec<Code> {
        let connection = connection(number);
        let candidate = Candidate {
            connection: connection.key,
            tenant: connection.facts.tenant,
            grant: connection.facts.grant,
            people: &[],
        };
        let reasons = barred_by(&[past], &removal(), candidate, at(now));
        reasons.into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_state_has_one_word() {
        for state in RemovalState::ALL {
            assert_eq!(RemovalState::parse(state.as_str()), Some(state));
        }
        assert_eq!(RemovalState::parse("deleted"), None);
    }

    #[test]
    fn no_tenant_is_removed_twice_whoever_connects_it() {
        // E51: two people connected the same tenant.
        let removed = past(RemovalState::Removed);
        let colleague = PastRemoval {
            connection: ConnectionKey(uuid::Uuid::from_u128(7)),
            grant: GrantId(uuid::Uuid::from_u128(8)),
            ..removed
        };
        assert_eq!(codes(colleague, 2, "2028-08-30T00:00:00Z"), [Code::RemovedBefore]);
    }

    #[test]
    fn the_next_of_a_person_waits_until_the_outcome_is_known_or_the_wait_is_over() {
        let removed = || past(RemovalState::Removed);
        assert_eq!(codes(removed(), 1, "2027-08-26T23:59:59Z"), [Code::PerPerson]);
        assert_eq!(codes(removed(), 1, "2027-08-27T00:00:00Z"), []);
        let back = PastRemoval { returned_at: Some(at("2027-08-21T00:00:00Z")), ..removed() };
        assert_eq!(codes(back, 1, "2027-08-21T00:00:00Z"), []);
        for state in [RemovalState::Gone, RemovalState::Dropped, RemovalState::Queued] {
            assert_eq!(codes(past(state), 1, "2027-08-21T00:00:00Z"), [], "{state:?}");
        }
        for state in [RemovalState::Deleting, RemovalState::Unknown] {
            assert_eq!(codes(past(state), 1, "2027-09-21T00:00:00Z"), [Code::PerPerson]);
        }
    }

    #[test]
    fn people_whose_grants_are_not_known_are_told_apart_by_whom_one_writes_to() {
        // An accountant with hundreds of tenants at a host that does not store who consented.
        let removed =
            PastRemoval { grant: GrantId(uuid::Uuid::from_u128(8)), ..past(RemovalState::Removed) };
        let reasons = |people: &[&str]| {
            let people: Vec<String> = people.iter().map(|name| (*name).to_owned()).collect();
            let connection = connection(1);
            let candidate = Candidate {
                connection: connection.key,
                tenant: connection.facts.tenant,
                grant: connection.facts.grant,
                people: &people,
            };
            barred_by(
                std::slice::from_ref(&removed),
                &removal(),
                candidate,
                at("2027-08-21T00:00:00Z"),
            )
            .len()
        };
        assert_eq!([reasons(&["p-2", "p-1"]), reasons(&["p-2"]), reasons(&[])], [1, 0, 0]);
    }

    #[test]
    fn what_is_unknown_in_hand_set_aside_or_waiting_is_not_taken_again() {
        let now = "2027-08-20T00:00:30Z";
        assert_eq!(codes(past(RemovalState::Unknown), 2, now), [Code::RemovalUnknown]);
        assert_eq!(codes(past(RemovalState::Deleting), 2, now), [Code::RemovalUnknown]);
        assert_eq!(codes(past(RemovalState::Leased), 2, now), [Code::InFlight]);
        assert_eq!(codes(past(RemovalState::SetAside), 2, now), [Code::SetAside]);
        assert_eq!(codes(past(RemovalState::Queued), 2, now), [Code::RetryLater]);
        let later = "2027-08-20T00:01:00Z";
        assert_eq!(codes(past(RemovalState::Leased), 2, later), []);
        assert_eq!(codes(past(RemovalState::Queued), 2, later), []);
    }

    #[test]
    fn what_differs_from_the_plan_is_named() {
        let planned = Planned {
            connection_id: ConnectionId(uuid::Uuid::from_u128(1)),
            tenant_id: TenantId(uuid::Uuid::from_u128(2)),
            grant: GrantId(uuid::Uuid::from_u128(3)),
            class: Class::BroadOnly,
            scopes: "accounting.transactions".to_owned(),
            required: "accounting.invoices".to_owned(),
            people: vec!["p-1".to_owned()],
            xero_created_at: Some(at("2025-01-01T00:00:00Z")),
            xero_updated_at: None,
        };
        assert!(planned.differing(&planned).is_empty());
        let now = Planned {
            people: Vec::new(),
            xero_updated_at: Some(at("2027-01-01T00:00:00Z")),
            ..planned.clone()
        };
        assert_eq!(planned.differing(&now), ["the people responsible", "Xero's updated date"]);
    }
}
