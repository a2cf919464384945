//! What of an approved plan still holds: each of its removals is decided about anew, by the
//! same rules that it was planned by.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::connection::Connection;
use crate::domain::decide::Rules;
use crate::domain::grant::{ConnectionKey, GrantId, Readiness};
use crate::domain::reason::{Code, Reason};
use crate::domain::recipient::responsible;
use crate::domain::removal::{Planned, RemovalState};
use crate::domain::scopes::ScopeSet;
use crate::domain::told::{History, Past};
use crate::store::plans::{PlanEntry, PlanRecord};
use crate::store::removals::Wanted;
use crate::store::{Error, Store};

use super::planned::{Naming, removal_id};

/// Entries looked at together.
const PAGE: usize = 200;

/// What one entry of a plan comes to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appraised {
    /// As planned, and due.
    Stands,
    /// As planned, and not to be removed at this moment.
    Held(Vec<Reason>),
    /// Not any more what was planned.
    Changed(Vec<Reason>),
}

/// A plan in force, and what of it still holds.
#[derive(Debug, Default)]
pub struct Appraisal {
    /// What may go, least used first.
    pub stands: Vec<Wanted>,
    /// What is not so any more, with the reasons in one line.
    pub changed: Vec<(Wanted, String)>,
    /// Removals of the plan that were dropped before.
    dropped: u64,
    /// Removals that the plan has in all.
    planned: u64,
}

impl Appraisal {
    /// Appraises all of a plan that is not settled.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn of(
        store: &Store,
        rules: &Rules<'_>,
        edition: i64,
        naming: Naming<'_>,
        plan: &PlanRecord,
        entries: &[PlanEntry],
    ) -> Result<Self, Error> {
        let outcomes = store.plan_outcomes(&plan.id).await?;
        let is_open = |entry: &&PlanEntry| {
            outcomes.get(&entry.connection).is_none_or(|state| !state.is_settled())
        };
        let dropped = outcomes.values().filter(|state| **state == RemovalState::Dropped).count();
        let mut appraisal =
            Self { dropped: dropped as u64, planned: plan.removals, ..Self::default() };
        let open: Vec<&PlanEntry> = entries.iter().filter(is_open).collect();
        let mut stands: Vec<(Option<DateTime<Utc>>, Wanted)> = Vec::new();
        for page in open.chunks(PAGE) {
            let grants = Grants::of(store, edition, page).await?;
            for entry in page {
                // Not before the day that was signed, whatever was promised since.
                if entry.not_before > rules.now {
                    continue;
                }
                let wanted = wanted(plan, entry);
                match grants.appraise(rules, naming, entry) {
                    Appraised::Stands => stands.push((grants.used(entry.connection), wanted)),
                    Appraised::Held(_) => {}
                    Appraised::Changed(reasons) => appraisal.changed.push((wanted, line(&reasons))),
                }
            }
        }
        stands.sort_by_key(|(used, wanted)| (*used, wanted.connection));
        appraisal.stands = stands.into_iter().map(|(_, wanted)| wanted).collect();
        Ok(appraisal)
    }

    /// Why the plan as a whole is not to be trusted any more. `most` percent of it may have
    /// changed, rounded up, so that one customer who comes back stops nobody's plan.
    #[must_use]
    pub fn drift(&self, most: f64) -> Option<Reason> {
        let changed = self.dropped + self.changed.len() as u64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "percent is within 0..=100 and counts stay far below 2^52"
        )]
        let allowed = (self.planned as f64 * most / 100.0).ceil() as u64;
        (changed > allowed).then(|| {
            Code::Drift.because(format!(
                "{changed} of the plan's {} removals are not so any more, and max_drift_percent \
                 lets {allowed} pass: draw up a new plan",
                self.planned
            ))
        })
    }
}

/// Reasons in one line.
pub(super) fn line(reasons: &[Reason]) -> String {
    let lines: Vec<String> =
        reasons.iter().map(|reason| format!("{}: {}", reason.code.as_str(), reason.text)).collect();
    lines.join("; ")
}

fn wanted(plan: &PlanRecord, entry: &PlanEntry) -> Wanted {
    Wanted {
        removal: removal_id(&plan.id, entry.connection),
        connection: entry.connection,
        plan: plan.id.clone(),
        planned: entry.planned.clone(),
    }
}

/// The grants that some entries are of, as they are stored.
struct Grants {
    by_key: BTreeMap<ConnectionKey, Connection>,
    grants: BTreeMap<GrantId, Vec<Connection>>,
    settled: BTreeMap<GrantId, ScopeSet>,
    past: Past,
}

impl Grants {
    async fn of(store: &Store, edition: i64, page: &[&PlanEntry]) -> Result<Self, Error> {
        let sets = store.scope_sets().await?;
        let keys: Vec<ConnectionKey> = page.iter().map(|entry| entry.connection).collect();
        let own = store.connections_by_key(&keys, &sets).await?;
        let mut ids: Vec<GrantId> = own.iter().map(|one| one.facts.grant).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut grants: BTreeMap<GrantId, Vec<Connection>> = BTreeMap::new();
        for connection in store.connections_of_grants(&ids, &sets).await? {
            if connection.is_listed() {
                grants.entry(connection.facts.grant).or_default().push(connection);
            }
        }
        let groups: Vec<Vec<Connection>> = grants.values().cloned().collect();
        let past = store.past(edition, &groups).await?;
        let settled = store.settled_scopes(&ids, &sets).await?.into_iter().collect();
        let by_key = own.into_iter().map(|one| (one.key, one)).collect();
        Ok(Self { by_key, grants, settled, past })
    }

    fn used(&self, key: ConnectionKey) -> Option<DateTime<Utc>> {
        self.by_key.get(&key).and_then(|connection| connection.facts.last_used_at)
    }

    fn appraise(&self, rules: &Rules<'_>, naming: Naming<'_>, entry: &PlanEntry) -> Appraised {
        let Some(connection) = self.by_key.get(&entry.connection) else {
            return Appraised::Changed(vec![Code::Gone.into()]);
        };
        let none: &[Connection] = &[];
        let grant = self.grants.get(&connection.facts.grant).map_or(none, Vec::as_slice);
        let held = self.settled.get(&connection.facts.grant).copied().unwrap_or_default();
        appraise(rules, naming, &entry.planned, connection, grant, held, &self.past)
    }
}

/// What a planned removal comes to by the facts of its grant. `grant` are all connections of
/// it that the host lists.
pub(super) fn appraise(
    rules: &Rules<'_>,
    naming: Naming<'_>,
    planned: &Planned,
    connection: &Connection,
    grant: &[Connection],
    held: ScopeSet,
    past: &impl History,
) -> Appraised {
    if !connection.presence.counts() {
        let code = match connection.presence {
            crate::domain::connection::Presence::Removed => Code::RemovedBefore,
            _ => Code::Gone,
        };
        return Appraised::Changed(vec![code.into()]);
    }
    let parties = responsible(grant);
    let in_xero = past.in_xero(connection);
    let Some(now) = naming.planned(rules, connection, &parties, held, in_xero) else {
        return Appraised::Changed(vec![Code::NoConnectionId.into()]);
    };
    let differing = planned.differing(&now);
    let is_awaiting = connection.standing.readiness == Readiness::Awaiting;
    if !is_awaiting {
        let code = match connection.standing.readiness {
            Readiness::Ready => Code::AlreadyReady,
            Readiness::Unaffected => Code::Unaffected,
            Readiness::Awaiting | Readiness::Unknown => Code::NoEvidence,
        };
        return Appraised::Changed(vec![code.into()]);
    }
    let decision = rules.removals_now(grant, past);
    if decision.removals.iter().any(|candidate| candidate.connection == connection.key) {
        return match differing.is_empty() {
            true => Appraised::Stands,
            false => Appraised::Changed(vec![changed(&differing)]),
        };
    }
    let mut reasons: Vec<Reason> = decision
        .held_back
        .into_iter()
        .filter(|held| held.connection == connection.key)
        .flat_map(|held| held.reasons)
        .collect();
    if !differing.is_empty() {
        reasons.push(changed(&differing));
    }
    match reasons.iter().all(|reason| reason.code.passes()) {
        // Nothing against it: its date has not come yet, or has been moved out.
        true => Appraised::Held(reasons),
        false => Appraised::Changed(reasons),
    }
}

fn changed(differing: &[&str]) -> Reason {
    Code::ChangedSincePlan.because(format!("not as planned any more: {}", differing.join(", ")))
}
