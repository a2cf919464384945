//! Reading Xero's own list after a scan, and holding it against the inventory's connections.
//! A list that is empty, far shorter than the last or not whole changes nothing, and neither
//! does one that cannot be read: it is said, and the run goes on. Removals then lack a list.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::reason::{Code, Reason};
use crate::domain::reconciling::{AtXero, Ours, Reconciled, Reconciling, Removed, objection};
use crate::domain::row::Flow;
use crate::store::lists::{GOOD, Known, ListRecord};
use crate::store::{self, Store};
use crate::xero::connections::{Connections, Listed, Listing};

use super::failure::Failure;
use super::run::Setting;
use super::workplace::Workplace;
use super::{returning, scan};

/// Removed connections looked up at once.
const BATCH: usize = 500;

/// What reconciling is done by.
pub struct Reconcile<'a> {
    pub store: &'a Store,
    pub xero: &'a dyn Connections,
    pub clock: &'a dyn Clock,
    /// How many connections fewer than the last list a list may have, in percent.
    pub max_change_percent: f64,
    pub run: Uuid,
}

impl Reconcile<'_> {
    /// Reads the list and puts it to use. Gives what it has against it, if anything.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn run(&self) -> Result<Option<Reason>, store::Error> {
        let read_at = self.clock.now();
        let listing = match self.xero.list().await {
            Ok(listing) => listing,
            Err(error) => {
                let reason = Code::ListUnread.because(format!("Xero's list: {error}"));
                return self.refuse(read_at, &[], reason).await.map(Some);
            }
        };
        let Listing { connections, incomplete, .. } = listing;
        let list: Vec<AtXero> = connections.into_iter().map(at_xero).collect();
        let last = self.store.list_before().await?;
        let length = list.len() as u64;
        let objection = objection(length, incomplete.as_deref(), last, self.max_change_percent);
        match objection {
            Some(reason) => self.refuse(read_at, &list, reason).await.map(Some),
            None => self.take(read_at, &list).await.map(|()| None),
        }
    }

    /// Remembers that a list came to nothing.
    async fn refuse(
        &self,
        read_at: DateTime<Utc>,
        list: &[AtXero],
        reason: Reason,
    ) -> Result<Reason, store::Error> {
        tracing::warn!(
            code = reason.code.as_str(),
            remedy = remedy(reason.code),
            "Xero's list changes nothing: {}",
            reason.text
        );
        let record = ListRecord {
            outcome: reason.code.as_str(),
            detail: Some(reason.text.clone()),
            ..self.record(read_at, list)
        };
        self.store.note_list(&record).await?;
        Ok(reason)
    }

    async fn take(&self, read_at: DateTime<Utc>, list: &[AtXero]) -> Result<(), store::Error> {
        let mut reconciling = Reconciling::with(list, read_at);
        let mut removed = Vec::new();
        self.store
            .each_of_ours(|ours| match ours.presence {
                Presence::Removed => removed.push(ours.key),
                _ => reconciling.add(Ours {
                    key: ours.key,
                    id: ours.id,
                    tenant: ours.tenant,
                    auth_event: ours.auth_event,
                    removed: None,
                }),
            })
            .await?;
        let unlisted = self.add_removed(&removed, &mut reconciling).await?;
        let reconciled = reconciling.end();
        let claimed = reconciled.claims.values().filter(|key| !unlisted.contains(key)).count();
        let record = ListRecord {
            not_in_inventory: (list.len() - claimed) as u64,
            gone: reconciled.gone.len() as u64,
            unresolved: reconciled.unresolved,
            ..self.record(read_at, list)
        };
        let changed = changed(self.store.known_at_xero().await?, list, &reconciled, read_at);
        if !self.store.take_list(&record, changed, &reconciled.back).await? {
            tracing::info!("another worker has read Xero's list since: going on with that");
            return Ok(());
        }
        tracing::info!(
            connections = record.connections,
            tenants = record.tenants,
            not_in_inventory = record.not_in_inventory,
            gone = record.gone,
            unresolved = record.unresolved,
            back = reconciled.back.len(),
            "Xero's list read"
        );
        Ok(())
    }

    /// Adds what was removed; gives those that the host no longer lists.
    async fn add_removed(
        &self,
        keys: &[ConnectionKey],
        reconciling: &mut Reconciling<'_>,
    ) -> Result<BTreeSet<ConnectionKey>, store::Error> {
        let sets = self.store.scope_sets().await?;
        let mut unlisted = BTreeSet::new();
        for keys in keys.chunks(BATCH) {
            let known = self.store.known_of(keys).await?;
            for connection in self.store.connections_by_key(keys, &sets).await? {
                if !connection.is_listed() {
                    unlisted.insert(connection.key);
                }
                reconciling.add(ours(&connection, known.get(&connection.key)));
            }
        }
        Ok(unlisted)
    }

    fn record(&self, read_at: DateTime<Utc>, list: &[AtXero]) -> ListRecord {
        let tenants: BTreeSet<_> = list.iter().map(|listed| listed.tenant).collect();
        ListRecord {
            run: self.run,
            read_at,
            outcome: GOOD,
            detail: None,
            connections: list.len() as u64,
            tenants: tenants.len() as u64,
            not_in_inventory: 0,
            gone: 0,
            unresolved: 0,
        }
    }
}

impl Setting<'_> {
    /// What a scan that is in force brings with it: Xero's own list, and what both tell of
    /// removed connections. Gives what there is against the list, which removals then lack.
    pub(super) async fn follow_scan(
        &self,
        workplace: &Workplace,
        run_id: Uuid,
    ) -> Result<Option<Reason>, Failure> {
        let store = &workplace.store;
        let mut objection = None;
        // A dry run asks nobody; it goes by the last list.
        if self.has_list() && !self.dry_run {
            objection = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(scan::Error::Interrupted.into()),
                objection = self.read_list(workplace, run_id) => objection?,
            };
        }
        returning::note(store, self.config, self.clock.now(), run_id).await?;
        Ok(objection)
    }

    async fn read_list(
        &self,
        workplace: &Workplace,
        run: Uuid,
    ) -> Result<Option<Reason>, store::Error> {
        let xero = match workplace.xero(self.config, self.clock, self.env) {
            Ok(xero) => xero,
            Err(why) => {
                tracing::warn!(remedy = why.remedy(), "Xero's list cannot be read: {why}");
                return Ok(Some(Code::ListUnread.because(why.to_string())));
            }
        };
        let reconcile = Reconcile {
            store: &workplace.store,
            xero: &*xero,
            clock: self.clock,
            max_change_percent: self.config.guard.max_change_percent,
            run,
        };
        reconcile.run().await
    }

    /// Whether Xero's own list of the app's connections is to be had.
    pub(super) fn has_list(&self) -> bool {
        let app = &self.config.app;
        let secret = app.client_secret.as_ref().filter(|_| app.flow == Flow::Web);
        secret.is_some_and(|secret| secret.resolve(&self.env).is_ok())
    }
}

/// What to do about a list that changes nothing.
fn remedy(code: Code) -> &'static str {
    match code {
        Code::ListShort => {
            "if so many really disconnected, write a higher [inventory] max_change_percent for one run"
        }
        Code::ListEmpty => "look at whether client_id and client_secret are of the right app",
        _ => "the next run reads it again; until then nothing is removed",
    }
}

fn at_xero(listed: Listed) -> AtXero {
    AtXero {
        id: listed.id,
        tenant: listed.tenant,
        tenant_type: listed.tenant_type,
        auth_event: listed.auth_event,
        created_at: listed.created_at,
        updated_at: listed.updated_at,
    }
}

fn ours(connection: &Connection, known: Option<&Known>) -> Ours {
    let facts = &connection.facts;
    let removed_at = connection.absent_since.filter(|_| connection.presence == Presence::Removed);
    Ours {
        key: connection.key,
        id: facts.id,
        tenant: facts.tenant,
        auth_event: facts.auth_event,
        removed: removed_at.map(|at| Removed {
            at,
            id: facts.id.or(known.map(|known| known.at_xero.id)),
            is_listed: connection.is_listed(),
            is_newer: facts.are_newer_than(at),
        }),
    }
}

/// What a list says that is not known yet.
fn changed(
    mut known: HashMap<ConnectionId, Known>,
    list: &[AtXero],
    reconciled: &Reconciled,
    read_at: DateTime<Utc>,
) -> Vec<Known> {
    let mut changed = Vec::new();
    for listed in list {
        let before = known.remove(&listed.id);
        let now = Known {
            at_xero: listed.clone(),
            connection: reconciled.claims.get(&listed.id).copied(),
            first_seen_at: before
                .as_ref()
                .and_then(|before| before.first_seen_at)
                .or(Some(read_at)),
            missing_since: None,
        };
        if before.as_ref() != Some(&now) {
            changed.push(now);
        }
    }
    let there: HashSet<ConnectionId> = list.iter().map(|listed| listed.id).collect();
    for (key, id, tenant) in &reconciled.gone {
        // One that stands for another tenant there has its row.
        if there.contains(id) {
            continue;
        }
        let before = known.remove(id);
        let mut now = before.clone().unwrap_or_else(|| never_seen(*id, *tenant));
        now.connection = Some(*key);
        now.missing_since.get_or_insert(read_at);
        if before.as_ref() != Some(&now) {
            changed.push(now);
        }
    }
    // What is left is missing now, if it was not before.
    changed.extend(
        known
            .into_values()
            .filter(|left| left.missing_since.is_none())
            .map(|left| Known { missing_since: Some(read_at), ..left }),
    );
    changed
}

/// Of the inventory alone.
fn never_seen(id: ConnectionId, tenant: TenantId) -> Known {
    Known {
        at_xero: AtXero {
            id,
            tenant,
            tenant_type: None,
            auth_event: None,
            created_at: None,
            updated_at: None,
        },
        connection: None,
        first_seen_at: None,
        missing_since: None,
    }
}
