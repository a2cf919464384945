//! The third part of a scan: grant by grant, events meet what is stored, the grant is judged
//! anew, and what changed is handed to the writer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::class::Class;
use crate::domain::connection::{Connection, Presence, Responsible, Standing};
use crate::domain::grant::{ConnectionKey, GrantId, Member, Readiness, judge};
use crate::domain::row::Flow;
use crate::domain::scopes::ScopeSet;
use crate::jobs::progress::Watcher;
use crate::jobs::sorter::{Groups, Sorted};
use crate::store::writer::{Batch, Change, GrantRecord};
use crate::store::{ScopeSets, Store};

use super::Error;
use super::cover::Touched;
use super::guard::weigh;
use super::known::Known;
use super::record::{Draft, Event, read};

/// Grants judged and written together.
const GRANTS: usize = 700;
/// Events that close a batch early: an accountant's grant may have hundreds.
const EVENTS: usize = 2_000;

/// Judges grants.
pub(super) struct Settle<'a> {
    pub store: &'a Store,
    pub sets: &'a ScopeSets,
    pub first: bool,
    pub known: &'a Known,
    pub required: ScopeSet,
    /// For rows that give no flow.
    pub app_flow: Flow,
    pub now: DateTime<Utc>,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// What the guard looks at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turned {
    pub changed: u64,
    pub newly_gone: u64,
    pub sum: u128,
}

/// What a page of grants comes to.
struct Ledger<'a> {
    /// Connections that come from another grant, as they were there.
    moved: BTreeMap<ConnectionKey, Connection>,
    batch: Batch,
    turned: &'a mut Turned,
    touched: &'a mut Touched,
}

type Events = Vec<(ConnectionKey, Event)>;

impl Settle<'_> {
    /// Sends batches to the writer; stops when it has failed, whose error counts then.
    pub(super) async fn run(
        &self,
        events: Sorted,
        batches: &mpsc::Sender<Batch>,
        touched: &mut Touched,
    ) -> Result<Turned, Error> {
        let mut turned = Turned::default();
        let mut groups = Groups::of(events)?;
        let mut done = 0;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let mut page: Vec<(GrantId, Events)> = Vec::new();
            let mut size = 0;
            while page.len() < GRANTS && size < EVENTS {
                let Some((grant, records)) = groups.next_group()? else { break };
                let grant = GrantId(uuid::Uuid::from_u128(grant));
                let events = records
                    .iter()
                    .map(|record| read(record))
                    .collect::<std::io::Result<Events>>()?;
                size += events.len();
                page.push((grant, events));
            }
            if page.is_empty() {
                return Ok(turned);
            }
            done += size as u64;
            let batch = self.page(page, &mut turned, touched).await?;
            if batches.send(batch).await.is_err() {
                return Ok(turned);
            }
            self.watcher.settling(done);
        }
    }

    async fn page(
        &self,
        page: Vec<(GrantId, Events)>,
        turned: &mut Turned,
        touched: &mut Touched,
    ) -> Result<Batch, Error> {
        let mut stored: BTreeMap<GrantId, Vec<Connection>> = BTreeMap::new();
        let mut moved: BTreeMap<ConnectionKey, Connection> = BTreeMap::new();
        if !self.first {
            let grants: Vec<GrantId> = page.iter().map(|(grant, _)| *grant).collect();
            for connection in self.store.connections_of_grants(&grants, self.sets).await? {
                stored.entry(connection.facts.grant).or_default().push(connection);
            }
            let keys: Vec<ConnectionKey> = page
                .iter()
                .flat_map(|(_, events)| events)
                .filter(|(_, event)| matches!(event, Event::Put { moved: true, .. }))
                .map(|(key, _)| *key)
                .collect();
            for connection in self.store.connections_by_key(&keys, self.sets).await? {
                moved.insert(connection.key, connection);
            }
        }
        let mut ledger = Ledger { moved, batch: Batch::default(), turned, touched };
        for (grant, events) in page {
            let known = stored.remove(&grant).unwrap_or_default();
            self.grant(grant, events, known, &mut ledger)?;
        }
        Ok(ledger.batch)
    }

    fn grant(
        &self,
        grant: GrantId,
        events: Events,
        stored: Vec<Connection>,
        ledger: &mut Ledger<'_>,
    ) -> std::io::Result<()> {
        let Ledger { moved, batch, turned, touched } = ledger;
        for connection in &stored {
            touched.note(connection, false)?;
        }
        let mut before: BTreeMap<ConnectionKey, Connection> =
            stored.into_iter().map(|connection| (connection.key, connection)).collect();
        let mut after = before.clone();
        for (key, event) in events {
            match event {
                Event::Put { rows, held, .. } => {
                    if let Some(elsewhere) = moved.remove(&key) {
                        touched.note(&elsewhere, false)?;
                        before.insert(key, elsewhere);
                    }
                    if let Some(connection) = self.put(key, rows, held, before.get(&key)) {
                        after.insert(key, connection);
                    }
                }
                Event::Left => {
                    before.remove(&key);
                    after.remove(&key);
                }
                Event::Trim => {
                    if let Some(connection) = after.get_mut(&key) {
                        connection.people.retain(|person| self.is_seen(person));
                    }
                }
                Event::Gone => self.absent(&mut after, key, Presence::Gone),
                Event::Hold => self.absent(&mut after, key, Presence::RowBad),
                Event::Judge => {}
            }
        }
        let judged = self.judge(grant, &mut after);
        let is_ready = judged.as_ref().is_some_and(|grant| grant.ready);
        batch.grants.extend(judged);
        for (key, connection) in after {
            touched.note(&connection, is_ready)?;
            let earlier = before.get(&key);
            if earlier == Some(&connection) {
                continue;
            }
            if let Some(earlier) = earlier {
                turned.note(earlier, &connection);
                batch.changes.extend(changes(earlier, &connection));
                batch.known.push(key);
            }
            batch.connections.push(connection);
        }
        Ok(())
    }

    fn is_seen(&self, responsible: &Responsible) -> bool {
        responsible.fingerprint.is_some_and(|print| self.known.is_seen(print))
    }

    /// The connection as its new rows and its unchanged ones tell it.
    fn put(
        &self,
        key: ConnectionKey,
        rows: Vec<Draft>,
        held: bool,
        stored: Option<&Connection>,
    ) -> Option<Connection> {
        let mut people: Vec<Responsible> = stored
            .into_iter()
            .flat_map(|stored| &stored.people)
            .filter(|person| self.is_seen(person))
            .cloned()
            .collect();
        let mut facts = None;
        for row in rows {
            let fingerprint = (!held).then_some(row.print);
            people.push(Responsible { fingerprint, person: row.person });
            facts.get_or_insert(row.facts);
        }
        people.sort_by(|a, b| a.order().cmp(&b.order()));
        let facts = facts?;
        let manual = facts.flow.unwrap_or(self.app_flow).is_manual();
        Some(Connection {
            key,
            presence: if held { Presence::RowBad } else { Presence::Present },
            standing: Standing {
                class: Class::Unknown,
                readiness: Readiness::Unknown,
                some_evidence_ready: false,
                token_behind: false,
                manual,
                reachable: false,
            },
            covered: stored.is_some_and(|stored| stored.covered),
            first_seen_at: stored.map_or(self.now, |stored| stored.first_seen_at),
            absent_since: held.then_some(self.now),
            people,
            facts,
        })
    }

    fn absent(
        &self,
        after: &mut BTreeMap<ConnectionKey, Connection>,
        key: ConnectionKey,
        presence: Presence,
    ) {
        let Some(connection) = after.get_mut(&key) else { return };
        if connection.presence == Presence::Gone && presence == Presence::RowBad {
            // Already gone: a bad row that may be its own does not bring it back.
            return;
        }
        connection.presence = presence;
        connection.absent_since = connection.absent_since.or(Some(self.now));
        for person in &mut connection.people {
            person.fingerprint = None;
        }
    }

    /// Judges all that is present; `None` when nothing is.
    fn judge(
        &self,
        grant: GrantId,
        connections: &mut BTreeMap<ConnectionKey, Connection>,
    ) -> Option<GrantRecord> {
        let present: Vec<&Connection> = connections
            .values()
            .filter(|connection| connection.presence != Presence::Gone)
            .collect();
        if present.is_empty() {
            return None;
        }
        let members: Vec<Member<'_>> = present
            .iter()
            .map(|connection| Member {
                evidence: &connection.facts.evidence,
                doubt: connection.facts.doubt,
                required: connection.facts.required,
            })
            .collect();
        let reachable = present
            .iter()
            .flat_map(|connection| &connection.people)
            .any(|person| person.person.email.is_some());
        let judged = judge(&members, self.required);
        let present =
            connections.values_mut().filter(|connection| connection.presence != Presence::Gone);
        for (connection, own) in present.zip(&judged.connections) {
            let manual = connection.facts.flow.unwrap_or(self.app_flow).is_manual();
            connection.standing = Standing {
                class: judged.class,
                readiness: own.readiness,
                some_evidence_ready: own.some_evidence_ready,
                token_behind: own.token_behind,
                manual,
                reachable,
            };
        }
        Some(GrantRecord {
            id: grant,
            class: judged.class,
            unsettled: judged.unsettled,
            evidence: judged.evidence,
            ready: judged.ready,
        })
    }
}

impl Turned {
    fn note(&mut self, before: &Connection, after: &Connection) {
        if before.presence == Presence::Gone {
            return;
        }
        let key = after.key.to_string();
        if after.presence == Presence::Gone {
            self.newly_gone += 1;
            self.sum = self.sum.wrapping_add(weigh(&[&key, "gone"]));
        } else if before.standing.class != after.standing.class {
            self.changed += 1;
            let (from, to) = (before.standing.class.as_str(), after.standing.class.as_str());
            self.sum = self.sum.wrapping_add(weigh(&[&key, from, to]));
        }
    }
}

/// What of a change belongs into the connection's story.
fn changes(before: &Connection, after: &Connection) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |what, from: &str, to: &str| {
        if from != to {
            changes.push(Change {
                key: after.key,
                what,
                before: Some(from.to_owned()),
                after: Some(to.to_owned()),
            });
        }
    };
    note("presence", before.presence.as_str(), after.presence.as_str());
    note("class", before.standing.class.as_str(), after.standing.class.as_str());
    note("readiness", before.standing.readiness.as_str(), after.standing.readiness.as_str());
    note("grant", &before.facts.grant.to_string(), &after.facts.grant.to_string());
    changes
}
