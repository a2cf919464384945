//! The last look: right before a removal the live inventory and Xero's own list are read once
//! more, and the connection is decided about by what they say now. What cannot be read again
//! in time is held back; what is not as planned any more is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::connection::Connection;
use crate::domain::decide::Rules;
use crate::domain::evidence::Evidence;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::ids::TenantId;
use crate::domain::reason::{Code, Reason};
use crate::domain::removal::Listed;
use crate::domain::scopes::ScopeSet;
use crate::domain::standing::stand;
use crate::domain::told::{History, Past};
use crate::inventory;
use crate::jobs::bearings::Bearings;
use crate::jobs::workplace::Workplace;
use crate::store;
use crate::store::removals::Leased;
use crate::xero::connections::Connections;

use super::appraisal::{Appraised, appraise, line};
use super::list::{ListError, XeroList, listed};
use super::planned::Naming;
use super::refresh::Fresh;

/// One list serves the looks of this span; what is looked at with it still has the rest of
/// the minute.
const LIST_SERVES: TimeDelta = TimeDelta::seconds(25);
/// How long the inventory may take for a second look.
const PATIENCE: TimeDelta = TimeDelta::seconds(20);

/// What a last look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As planned at this time.
    Good(DateTime<Utc>),
    /// Not any more what was planned.
    Changed(String),
    /// Not now.
    Held(String),
    /// Xero does not list it, and was asked before without an answer: that call took effect.
    TookEffect,
}

/// Looks again.
pub struct Looker<'a> {
    pub workplace: &'a Workplace,
    pub config: &'a Config,
    pub clock: &'a dyn Clock,
    pub env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
    pub xero: &'a dyn Connections,
    /// What the plan in force removes.
    pub planned: &'a BTreeSet<ConnectionKey>,
    pub edition: i64,
    pub owner: Uuid,
    pub(super) list: Mutex<Option<Arc<XeroList>>>,
}

impl<'a> Looker<'a> {
    #[must_use]
    pub fn new(
        workplace: &'a Workplace,
        config: &'a Config,
        clock: &'a dyn Clock,
        env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
        xero: &'a dyn Connections,
        planned: &'a BTreeSet<ConnectionKey>,
        (edition, owner): (i64, Uuid),
    ) -> Self {
        let list = Mutex::new(None);
        Self { workplace, config, clock, env, xero, planned, edition, owner, list }
    }

    pub(super) fn naming(&self) -> Naming<'a> {
        Naming(&self.workplace.keys.pseudonym)
    }

    /// Looks at each of these once more; `list` is a young one.
    pub(super) async fn look(
        &self,
        leased: &[Leased],
        list: &XeroList,
    ) -> Result<Vec<Verdict>, store::Error> {
        let looked_at = list.asked_at.min(self.clock.now());
        let store = &self.workplace.store;
        let stored = self.stored(leased).await?;
        let fresh = match self.fresh(&stored).await {
            Ok(fresh) => fresh,
            Err(why) => {
                tracing::warn!("the inventory cannot be looked at again: {why}");
                let held = format!("{}: the inventory: {why}", Code::NotLookedAt.as_str());
                return Ok(vec![Verdict::Held(held); leased.len()]);
            }
        };
        let now = self.clock.now();
        let bearings = Bearings::take(store, now).await?;
        let rules = Rules { planned: Some(self.planned), ..bearings.rules(self.config) };
        let mut grants: BTreeMap<GrantId, (Vec<Connection>, ScopeSet)> = BTreeMap::new();
        for (grant, stored) in &stored {
            let mut connections = fresh.grant(*grant, stored, now);
            let judged =
                stand(connections.iter_mut(), rules.campaign.required, self.config.app.flow);
            self.cover(&mut connections, &fresh);
            connections.retain(Connection::is_listed);
            let held = judged.and_then(|judged| judged.evidence);
            grants.insert(*grant, (connections, held.map_or(ScopeSet::EMPTY, scopes)));
        }
        let groups: Vec<Vec<Connection>> =
            grants.values().map(|(connections, _)| connections.clone()).collect();
        let mut past = store.past_but_for(self.edition, &groups, Some(self.owner)).await?;
        let seen = seen(&groups, &past, list);
        past.set_listed(seen);
        let last = store.list_before().await?;
        let absence = list.proves_no_absence(last, self.config.guard.max_change_percent);
        let verdict = |leased: &Leased| {
            if let Some(verdict) = by_list(leased, list, absence.as_deref()) {
                return verdict;
            }
            let Some((connections, held)) = grants.get(&leased.planned.grant) else {
                return changed(&[Code::Gone.into()]);
            };
            let Some(connection) = connections.iter().find(|one| one.key == leased.connection)
            else {
                return changed(&[Code::ChangedSincePlan
                    .because("the inventory does not have it any more, or for another person")]);
            };
            let planned = &leased.planned;
            match appraise(&rules, self.naming(), planned, connection, connections, *held, &past) {
                Appraised::Stands => Verdict::Good(looked_at),
                Appraised::Held(reasons) => Verdict::Held(line(&reasons)),
                Appraised::Changed(reasons) => changed(&reasons),
            }
        };
        Ok(leased.iter().map(verdict).collect())
    }

    /// A list that is young enough, read anew where there is none.
    ///
    /// # Errors
    /// Xero does not answer, or its clock is minutes away from ours.
    pub(super) async fn list(&self) -> Result<Arc<XeroList>, ListError> {
        let mut known = self.list.lock().await;
        let now = self.clock.now();
        if let Some(list) = &*known
            && now - list.asked_at < LIST_SERVES
            && list.asked_at <= now
        {
            return Ok(Arc::clone(list));
        }
        let list = Arc::new(XeroList::read(self.xero, self.clock).await?);
        *known = Some(Arc::clone(&list));
        Ok(list)
    }

    /// The grants of these as the last scan stored them.
    async fn stored(
        &self,
        leased: &[Leased],
    ) -> Result<BTreeMap<GrantId, Vec<Connection>>, store::Error> {
        let store = &self.workplace.store;
        let sets = store.scope_sets().await?;
        let mut ids: Vec<GrantId> = leased.iter().map(|leased| leased.planned.grant).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut stored: BTreeMap<GrantId, Vec<Connection>> =
            ids.iter().map(|id| (*id, Vec::new())).collect();
        for connection in store.connections_of_grants(&ids, &sets).await? {
            if connection.is_listed() {
                stored.entry(connection.facts.grant).or_default().push(connection);
            }
        }
        Ok(stored)
    }

    async fn fresh(&self, stored: &BTreeMap<GrantId, Vec<Connection>>) -> Result<Fresh, String> {
        let tenants: BTreeSet<TenantId> =
            stored.values().flatten().map(|connection| connection.facts.tenant).collect();
        let rules = inventory::Rules {
            client_id: self.config.app.client_id.clone(),
            ignore_refresh_tokens: self.config.inventory.ignore_refresh_tokens,
        };
        let forgotten = self.workplace.store.forgotten(self.workplace.keys.pseudonym).await;
        let forgotten = forgotten.map_err(|error| error.to_string())?;
        let tenants = tenants.into_iter().collect();
        let reading = async {
            let reader = self.workplace.second_look(self.config, self.env, tenants).await;
            let reader = reader.map_err(|failure| failure.to_string())?;
            Fresh::read(reader, &rules, &forgotten).await.map_err(|error| error.to_string())
        };
        tokio::select! {
            biased;
            fresh = reading => fresh,
            () = self.clock.sleep(PATIENCE) => {
                Err(format!("no answer within {} s", PATIENCE.num_seconds()))
            }
        }
    }

    /// A colleague may have consented since the last scan.
    fn cover(&self, connections: &mut [Connection], fresh: &Fresh) {
        for connection in connections {
            let required = connection.facts.required.unwrap_or(self.config.campaign.required);
            let is_ready = |facts: &crate::domain::connection::Facts| {
                facts.evidence.iter().any(|reading| reading.scopes.missing(required).is_empty())
            };
            connection.covered |= fresh.is_covered(connection, is_ready);
        }
    }
}

fn scopes(evidence: Evidence) -> ScopeSet {
    evidence.scopes
}

fn changed(reasons: &[Reason]) -> Verdict {
    Verdict::Changed(line(reasons))
}

/// What Xero's list says of these connections.
fn seen(
    groups: &[Vec<Connection>],
    past: &Past,
    list: &XeroList,
) -> BTreeMap<ConnectionKey, Listed> {
    let mut seen = BTreeMap::new();
    for connection in groups.iter().flatten() {
        let known = past.in_xero(connection).listed().map(|listed| listed.id);
        let Some(id) = connection.facts.id.or(known) else { continue };
        if let [entry] = list.get(id)
            && entry.tenant == connection.facts.tenant
        {
            seen.insert(connection.key, listed(entry));
        }
    }
    seen
}

/// What the list alone decides; `absence` is why it proves no absence.
fn by_list(leased: &Leased, list: &XeroList, absence: Option<&str>) -> Option<Verdict> {
    let planned = &leased.planned;
    let entries = list.get(planned.connection_id);
    if entries.iter().any(|entry| entry.tenant != planned.tenant_id) {
        let reason = Code::ChangedSincePlan.because("Xero lists its id for another tenant");
        return Some(changed(&[reason]));
    }
    match (entries.len(), absence) {
        (1, _) => None,
        (0, Some(why)) => Some(Verdict::Held(format!("{}: {why}", Code::NotLookedAt.as_str()))),
        (0, None) if leased.lost > 0 => Some(Verdict::TookEffect),
        (0, None) => Some(changed(&[Code::NotListed.into()])),
        (_, _) => {
            let why = "Xero lists its id more than once";
            Some(Verdict::Held(format!("{}: {why}", Code::NotLookedAt.as_str())))
        }
    }
}
