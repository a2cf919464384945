//! Holding Xero's own list of an app's connections against the inventory's: which of ours are
//! there, which are gone there, which ours without an id must be, and what has come back. The
//! list knows neither person nor scopes; it proves existence and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::grant::ConnectionKey;
use super::ids::{AuthEventId, ConnectionId, TenantId};
use super::reason::{Code, Reason};

/// How long after a removal Xero's list may still show what was removed.
const SETTLING: TimeDelta = TimeDelta::minutes(1);

/// A connection in Xero's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtXero {
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub tenant_type: Option<String>,
    pub auth_event: Option<AuthEventId>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A connection of the inventory, as far as it is held against the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ours {
    pub key: ConnectionKey,
    /// As the inventory gives it.
    pub id: Option<ConnectionId>,
    pub tenant: TenantId,
    pub auth_event: Option<AuthEventId>,
    pub removed: Option<Removed>,
}

/// What counts of a connection that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub at: DateTime<Utc>,
    /// The id under which it was removed.
    pub id: Option<ConnectionId>,
    /// The host still lists it.
    pub is_listed: bool,
    /// Its rows show something that is newer than the removal.
    pub is_newer: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Which of ours a connection in the list is.
    pub claims: HashMap<ConnectionId, ConnectionKey>,
    /// Ours that the list lacks, by the id and tenant that the inventory gives.
    pub gone: Vec<(ConnectionKey, ConnectionId, TenantId)>,
    /// Ours without an id of which the list has none, or more than one that fits.
    pub unresolved: u64,
    /// Removed ones that are there again.
    pub back: Vec<ConnectionKey>,
}

/// Takes ours one by one.
#[derive(Debug)]
pub struct Reconciling<'a> {
    listed: HashMap<ConnectionId, &'a AtXero>,
    read_at: DateTime<Utc>,
    nameless: Vec<Ours>,
    reconciled: Reconciled,
}

impl<'a> Reconciling<'a> {
    /// Begins with a complete list that was asked for at `read_at`.
    #[must_use]
    pub fn with(list: &'a [AtXero], read_at: DateTime<Utc>) -> Self {
        Self {
            listed: list.iter().map(|one| (one.id, one)).collect(),
            read_at,
            nameless: Vec::new(),
            reconciled: Reconciled::default(),
        }
    }

    pub fn add(&mut self, ours: Ours) {
        let id = ours.id.or(ours.removed.and_then(|removed| removed.id));
        let Some(id) = id else {
            self.nameless.push(ours);
            return;
        };
        // An id that stands for another tenant there is not ours, whatever the inventory says.
        let is_there = self.listed.get(&id).is_some_and(|listed| listed.tenant == ours.tenant);
        match ours.removed {
            None if is_there => drop(self.reconciled.claims.insert(id, ours.key)),
            None => self.reconciled.gone.push((ours.key, id, ours.tenant)),
            Some(removed) if is_there => {
                self.reconciled.claims.insert(id, ours.key);
                if removed.is_listed && self.read_at > removed.at + SETTLING {
                    self.reconciled.back.push(ours.key);
                }
            }
            Some(_) => self.nameless.push(ours),
        }
    }

    /// Resolves what has no id, once all of ours are known.
    #[must_use]
    pub fn end(mut self) -> Reconciled {
        let mut free: HashMap<TenantId, Vec<&AtXero>> = HashMap::new();
        let tenants: BTreeSet<TenantId> = self.nameless.iter().map(|ours| ours.tenant).collect();
        for listed in self.listed.values() {
            if tenants.contains(&listed.tenant) && !self.reconciled.claims.contains_key(&listed.id)
            {
                free.entry(listed.tenant).or_default().push(listed);
            }
        }
        let mut waiting: BTreeMap<TenantId, Vec<Ours>> = BTreeMap::new();
        for ours in std::mem::take(&mut self.nameless) {
            if may_be_back(&ours) || ours.removed.is_none() {
                waiting.entry(ours.tenant).or_default().push(ours);
            }
        }
        for (tenant, waiting) in waiting {
            let free = free.get(&tenant).map_or(&[][..], Vec::as_slice);
            self.resolve(&waiting, free);
        }
        self.reconciled
    }

    fn resolve(&mut self, waiting: &[Ours], free: &[&AtXero]) {
        let counted = waiting.iter().filter(|ours| ours.removed.is_none()).count() as u64;
        let [ours] = waiting else {
            self.reconciled.unresolved += counted;
            return;
        };
        let mut fitting = free.iter().filter(|listed| fits(ours, listed));
        match (fitting.next(), fitting.next()) {
            (Some(listed), None) => {
                self.reconciled.claims.insert(listed.id, ours.key);
                if ours.removed.is_some() {
                    self.reconciled.back.push(ours.key);
                }
            }
            _ => self.reconciled.unresolved += counted,
        }
    }
}

/// Somebody new at the tenant proves nothing of a removed connection, unless its own row shows
/// that something happened.
fn may_be_back(ours: &Ours) -> bool {
    ours.removed.is_some_and(|removed| removed.is_listed && removed.is_newer)
}

/// Whether a connection of the same tenant may be the one: another consent is another person's,
/// or another time.
fn fits(ours: &Ours, listed: &AtXero) -> bool {
    match ours.removed {
        Some(removed) => listed.created_at.is_some_and(|at| at > removed.at),
        None => match (ours.auth_event, listed.auth_event) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        },
    }
}

/// The last list that was put to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastList {
    pub connections: u64,
    /// Connections that this worker has removed since.
    pub removed_since: u64,
}

/// What a list has against it; `None` for one that may be put to use.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn objection(
    listed: u64,
    incomplete: Option<&str>,
    last: Option<LastList>,
    max_change_percent: f64,
) -> Option<Reason> {
    if let Some(why) = incomplete {
        return Some(Code::ListIncomplete.because(format!("Xero's list is not whole: {why}")));
    }
    if listed == 0 {
        return Some(Code::ListEmpty.into());
    }
    let last = last?;
    let expected = last.connections.saturating_sub(last.removed_since);
    let missing = expected.saturating_sub(listed);
    (missing as f64 * 100.0 > max_change_percent * expected as f64).then(|| {
        Code::ListShort.because(format!(
            "Xero's list has {listed} connections where the last had {expected}: fewer than \
             max_change_percent = {max_change_percent} allows"
        ))
    })
}

/// How near the app is to the number of tenants that Xero lets it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Room {
    /// `None` for a tier without a cap.
    pub cap: Option<u32>,
    /// Tenants in Xero's last good list.
    pub tenants: u64,
    /// Removed tenants that the list lacks: each needs a place to come back to.
    pub away: u64,
    pub read_at: DateTime<Utc>,
}

impl Room {
    /// Places that are neither taken nor kept for somebody; `None` without a cap.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        let cap = u64::from(self.cap?);
        Some(cap.saturating_sub(self.tenants + self.away))
    }

    /// Whether a tenant that is removed now could come back even if somebody else connects
    /// first.
    #[must_use]
    pub fn bar(&self) -> Option<Reason> {
        (self.left() == Some(0)).then(|| {
            Code::NoRoom.because(format!(
                "the app has {} tenants and {} on their way back, of {}: who is removed may be \
                 unable to come back",
                self.tenants,
                self.away,
                self.cap.unwrap_or_default()
            ))
        })
    }
}

#[cfg(test)]
mod tests;
