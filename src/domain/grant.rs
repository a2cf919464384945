//! A grant: what one person consented to for the app. Its evidence gives one class; each of
//! its connections is ready or not (docs/classes.md).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::class::Class;
use super::evidence::{Evidence, Settled, settle};
use super::ids::{ConnectionId, TenantId, UserId};
use super::row::Doubt;
use super::scopes::ScopeSet;

/// A connection as this program tells it from others: Xero's id where the host has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionKey(pub Uuid);

impl ConnectionKey {
    /// Xero's id, else one derived from the tenant and the person, who can be connected to a
    /// tenant only once.
    #[must_use]
    pub fn of(connection: Option<ConnectionId>, tenant: TenantId, user: Option<UserId>) -> Self {
        if let Some(ConnectionId(id)) = connection {
            return Self(id);
        }
        let mut name = [0; 32];
        name[..16].copy_from_slice(tenant.0.as_bytes());
        if let Some(UserId(user)) = user {
            name[16..].copy_from_slice(user.as_bytes());
        }
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name))
    }
}

/// The person, or the connection by itself where no person is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub Uuid);

impl GrantId {
    #[must_use]
    pub fn of(user: Option<UserId>, connection: ConnectionKey) -> Self {
        Self(user.map_or(connection.0, |user| user.0))
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Every required scope is held.
    Ready,
    Awaiting,
    Unaffected,
    Unknown,
}

impl Readiness {
    fn of(class: Class, held: ScopeSet, required: ScopeSet) -> Self {
        match class {
            Class::Unknown => Self::Unknown,
            Class::Unaffected => Self::Unaffected,
            Class::BroadOnly | Class::Mixed | Class::Granular => {
                if held.missing(required).is_empty() { Self::Ready } else { Self::Awaiting }
            }
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Awaiting => "awaiting",
            Self::Unaffected => "unaffected",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a grant's class is `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    NoEvidence,
    /// Readings differ and cannot be settled.
    EvidenceDiffers,
    UserDisagrees,
    OtherClient,
}

impl From<Doubt> for Unsettled {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::UserDisagrees => Self::UserDisagrees,
            Doubt::OtherClient => Self::OtherClient,
        }
    }
}

impl Unsettled {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoEvidence => "no_evidence",
            Self::EvidenceDiffers => "evidence_differs",
            Self::UserDisagrees => "user_disagrees",
            Self::OtherClient => "other_client",
        }
    }

    /// The reason that a stored word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NoEvidence, Self::EvidenceDiffers, Self::UserDisagrees, Self::OtherClient]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }

    /// What it means, for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NoEvidence => "no stored scopes or token tell what was consented to",
            Self::EvidenceDiffers => {
                "stored scopes differ, and neither a date nor containment tells which are right"
            }
            Self::UserDisagrees => {
                "the column xero_user_id and a stored token name different people"
            }
            Self::OtherClient => "a stored token was issued to another app (client_id)",
        }
    }
}

/// One present connection, as far as its grant's standing depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub evidence: &'a [Evidence],
    pub doubt: Option<Doubt>,
    /// The row's own required scopes.
    pub required: Option<ScopeSet>,
}

/// What a grant comes to under a campaign's required scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub class: Class,
    /// Set exactly when the class is `unknown`.
    pub unsettled: Option<Unsettled>,
    /// The reading that stands.
    pub evidence: Option<Evidence>,
    /// All connections are ready; false for a grant without one.
    pub ready: bool,
    /// One for each member, in their order.
    pub connections: Vec<ConnectionStanding>,
}

/// What one connection of a grant comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionStanding {
    pub readiness: Readiness,
    /// Some evidence of the grant, however old, says ready: enough to forbid a removal.
    pub some_evidence_ready: bool,
    /// Ready, though the row itself still holds an older token.
    pub token_behind: bool,
}

/// Judges a grant by all its present connections.
#[must_use]
pub fn judge(members: &[Member<'_>], campaign_required: ScopeSet) -> Standing {
    let pool: Vec<Evidence> = members.iter().flat_map(|member| member.evidence).copied().collect();
    let doubt = members.iter().filter_map(|member| member.doubt).min();
    let (settled, unsettled) = match (doubt, settle(&pool)) {
        (Some(doubt), _) => (None, Some(doubt.into())),
        (None, Settled::Nothing) => (None, Some(Unsettled::NoEvidence)),
        (None, Settled::Disputed) => (None, Some(Unsettled::EvidenceDiffers)),
        (None, Settled::On(evidence)) => (Some(evidence), None),
    };
    let class = settled.map_or(Class::Unknown, |evidence| Class::of(&evidence.scopes));
    let held = settled.map_or(ScopeSet::EMPTY, |evidence| evidence.scopes);
    // An accountant's grant has hundreds of readings of few different sets.
    let distinct: BTreeSet<ScopeSet> = pool.iter().map(|reading| reading.scopes).collect();
    let connections: Vec<ConnectionStanding> = members
        .iter()
        .map(|member| {
            let required = member.required.unwrap_or(campaign_required);
            let readiness = Readiness::of(class, held, required);
            ConnectionStanding {
                readiness,
                some_evidence_ready: distinct
                    .iter()
                    .any(|scopes| scopes.missing(required).is_empty()),
                token_behind: readiness == Readiness::Ready
                    && !member.evidence.is_empty()
                    && !ready_alone(member.evidence, required),
            }
        })
        .collect();
    let ready = !connections.is_empty()
        && connections.iter().all(|connection| connection.readiness == Readiness::Ready);
    Standing { class, unsettled, evidence: settled, ready, connections }
}

fn ready_alone(evidence: &[Evidence], required: ScopeSet) -> bool {
    match settle(evidence) {
        Settled::On(reading) => {
            Readiness::of(Class::of(&reading.scopes), reading.scopes, required) == Readiness::Ready
        }
        Settled::Nothing | Settled::Disputed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Source;
    use super::super::scopes::catalogue;
    use super::*;

    fn set(names: &[&str]) -> ScopeSet {
        names.iter().map(|name| catalogue().find(name).expect("a scope of the catalogue")).collect()
    }

    fn reading(names: &[&str], day: i64) -> Evidence {
        Evidence {
            source: Source::AccessToken,
            scopes: set(names),
            at: chrono::DateTime::from_timestamp(day * 86_400, 0),
        }
    }

    fn member(evidence: &[Evidence]) -> Member<'_> {
        Member { evidence, doubt: None, required: None }
    }

    const OLD: &[&str] = &["accounting.transactions", "accounting.settings"];
    const NEW: &[&str] = &["accounting.transactions", "accounting.settings", "accounting.invoices"];

    fn required() -> ScopeSet {
        set(&["offline_access", "accounting.settings.read", "accounting.invoices"])
    }

    #[test]
    fn one_renewed_token_makes_all_of_a_persons_connections_ready() {
        let (old, new) = ([reading(OLD, 1)], [reading(NEW, 2)]);
        let standing = judge(&[member(&old), member(&new)], required());
        assert_eq!(standing.class, Class::Mixed);
        assert!(standing.ready);
        assert!(standing.connections[0].token_behind);
        assert!(!standing.connections[1].token_behind);
    }

    #[test]
    fn old_evidence_that_says_ready_is_remembered_when_newer_says_otherwise() {
        let (earlier, later) = ([reading(NEW, 1)], [reading(OLD, 2)]);
        let standing = judge(&[member(&earlier), member(&later)], required());
        assert_eq!(standing.class, Class::BroadOnly);
        assert_eq!(standing.connections[0].readiness, Readiness::Awaiting);
        assert!(standing.connections[1].some_evidence_ready);
    }

    #[test]
    fn a_doubt_in_one_row_makes_the_whole_grant_unknown() {
        let evidence = [reading(NEW, 1)];
        let doubtful = Member { doubt: Some(Doubt::OtherClient), ..member(&evidence) };
        let standing = judge(&[member(&evidence), doubtful], required());
        assert_eq!(standing.class, Class::Unknown);
        assert_eq!(standing.unsettled, Some(Unsettled::OtherClient));
        assert!(!standing.ready);
        assert_eq!(standing.connections[0].readiness, Readiness::Unknown);
    }

    #[test]
    fn a_rows_own_required_scopes_replace_the_campaigns() {
        let evidence = [reading(OLD, 1)];
        let own = Member { required: Some(set(&["accounting.settings"])), ..member(&evidence) };
        let standing = judge(&[own, member(&evidence)], required());
        assert_eq!(standing.connections[0].readiness, Readiness::Ready);
        assert_eq!(standing.connections[1].readiness, Readiness::Awaiting);
        assert!(!standing.ready, "a grant is ready when all its connections are");
    }

    #[test]
    fn identity_scopes_are_asked_for_but_do_not_decide() {
        let evidence = [reading(&["accounting.invoices", "accounting.settings"], 1)];
        let standing = judge(&[member(&evidence)], required());
        assert!(standing.ready);
    }

    #[test]
    fn the_same_person_in_the_same_tenant_is_the_same_connection() {
        let tenant = TenantId(Uuid::from_u128(7));
        let user = Some(UserId(Uuid::from_u128(8)));
        assert_eq!(ConnectionKey::of(None, tenant, user), ConnectionKey::of(None, tenant, user));
        assert_ne!(ConnectionKey::of(None, tenant, user), ConnectionKey::of(None, tenant, None));
        let id = ConnectionId(Uuid::from_u128(9));
        assert_eq!(ConnectionKey::of(Some(id), tenant, user).0, id.0);
    }
}
