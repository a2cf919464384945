//! The third part of a scan: grant by grant, events meet what is stored, the grant is judged
//! anew, and what changed is handed to the writer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::domain::class::Class;
use crate::domain::connection::{Connection, Facts, Presence, Responsible, Standing};
use crate::domain::grant::{ConnectionKey, GrantId, Member, Readiness, judge};
use crate::domain::row::Flow;
use crate::domain::scopes::ScopeSet;
use crate::jobs::progress::Watcher;
use crate::jobs::sorter::{Groups, Sorted};
use crate::store::writer::{Batch, GrantRecord, ScanWriter};
use crate::store::{ScopeSets, Store};

use super::Error;
use super::cover::{Covered, Touched};
use super::known::Known;
use super::record::{Event, Packed, read};
use super::turned::{Turned, changes};

/// Grants judged and written together.
const GRANTS: usize = 400;
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
    /// Xero's list is read after the scan, and tells what has come back.
    pub has_list: bool,
    pub now: DateTime<Utc>,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// How what is covered comes to be known.
enum Cover {
    /// Before anything is written: nothing else is stored.
    Found(Box<Covered>),
    /// From the database, after all is written.
    Later(Touched),
}

/// What a page of grants comes to.
struct Ledger<'a> {
    /// Connections that come from another grant, as they were there.
    moved: BTreeMap<ConnectionKey, Connection>,
    batch: Batch,
    turned: &'a mut Turned,
    cover: &'a mut Cover,
}

type Events<'a> = Vec<(ConnectionKey, Event<'a>)>;

impl Settle<'_> {
    /// Hands batches to the writer, which works on one while the next is made.
    pub(super) async fn run(
        &self,
        events: Sorted,
        writer: &mut ScanWriter,
    ) -> Result<Turned, Error> {
        let mut groups = Groups::of(events)?;
        let mut cover = match self.first {
            true => {
                let covered = Covered::find(&mut groups, self.required, self.cancel)?;
                groups.rewind()?;
                Cover::Found(Box::new(covered))
            }
            false => Cover::Later(Touched::default()),
        };
        let mut turned = Turned::default();
        let mut done = 0;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let mut page = Vec::new();
            let mut size = 0;
            while page.len() < GRANTS && size < EVENTS {
                let Some((grant, records)) = groups.next_group()? else { break };
                size += records.len();
                page.push((GrantId(uuid::Uuid::from_u128(grant)), records));
            }
            if page.is_empty() {
                break;
            }
            done += size as u64;
            let batch = self.page(&page, &mut turned, &mut cover).await?;
            writer.write(batch).await?;
            self.watcher.settling(done);
        }
        if let Cover::Later(touched) = cover {
            touched.settle(writer).await?;
        }
        Ok(turned)
    }

    async fn page(
        &self,
        page: &[(GrantId, Vec<Vec<u8>>)],
        turned: &mut Turned,
        cover: &mut Cover,
    ) -> Result<Batch, Error> {
        let page = page
            .iter()
            .map(|(grant, records)| {
                let events: std::io::Result<Events<'_>> =
                    records.iter().map(|record| read(record)).collect();
                Ok((*grant, events?))
            })
            .collect::<std::io::Result<Vec<(GrantId, Events<'_>)>>>()?;
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
        if let Cover::Later(touched) = cover {
            for connection in stored.values().flatten().chain(moved.values()) {
                touched.note(connection)?;
            }
        }
        let mut ledger = Ledger { moved, batch: Batch::default(), turned, cover };
        for (grant, events) in page {
            let known = stored.remove(&grant).unwrap_or_default();
            self.grant(grant, events, known, &mut ledger)?;
        }
        Ok(ledger.batch)
    }

    fn grant(
        &self,
        grant: GrantId,
        events: Events<'_>,
        stored: Vec<Connection>,
        ledger: &mut Ledger<'_>,
    ) -> std::io::Result<()> {
        let Ledger { moved, batch, turned, cover } = ledger;
        let mut before: BTreeMap<ConnectionKey, Connection> =
            stored.into_iter().map(|connection| (connection.key, connection)).collect();
        let mut after = before.clone();
        for (key, event) in events {
            match event {
                Event::Put { rows, held, .. } => {
                    if let Some(elsewhere) = moved.remove(&key) {
                        before.insert(key, elsewhere);
                    }
                    if let Some(connection) = self.put(key, rows, held, before.get(&key))? {
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
        batch.grants.extend(self.judge(grant, &mut after));
        match cover {
            Cover::Found(covered) => {
                for key in covered.of(grant)? {
                    after.entry(key).and_modify(|connection| connection.covered = true);
                }
            }
            Cover::Later(touched) => {
                for connection in after.values() {
                    touched.note(connection)?;
                }
            }
        }
        for (key, connection) in after {
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
        rows: Vec<Packed<'_>>,
        held: bool,
        stored: Option<&Connection>,
    ) -> std::io::Result<Option<Connection>> {
        let mut people: Vec<Responsible> = stored
            .into_iter()
            .flat_map(|stored| &stored.people)
            .filter(|person| self.is_seen(person))
            .cloned()
            .collect();
        let mut facts = None;
        for row in rows {
            let row = row.draft()?;
            people.push(Responsible { fingerprint: Some(row.print), person: row.person });
            facts.get_or_insert(row.facts);
        }
        people.sort_by(|a, b| a.order().cmp(&b.order()));
        let Some(facts) = facts else { return Ok(None) };
        let (presence, absent_since) = match stored.and_then(|stored| self.removed(stored, &facts))
        {
            Some(removed_at) => (Presence::Removed, Some(removed_at)),
            None if held => (Presence::RowBad, Some(self.now)),
            None => (Presence::Present, None),
        };
        if presence == Presence::RowBad {
            people.iter_mut().for_each(|person| person.fingerprint = None);
        }
        let manual = facts.flow.unwrap_or(self.app_flow).is_manual();
        Ok(Some(Connection {
            key,
            presence,
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
            absent_since,
            people,
            facts,
        }))
    }

    /// When a connection was removed that has not come back, by what its rows say now.
    fn removed(&self, stored: &Connection, facts: &Facts) -> Option<DateTime<Utc>> {
        let removed_at = stored.absent_since.filter(|_| stored.presence == Presence::Removed)?;
        let is_back = !self.has_list && facts.are_newer_than(removed_at);
        (!is_back).then_some(removed_at)
    }

    fn absent(
        &self,
        after: &mut BTreeMap<ConnectionKey, Connection>,
        key: ConnectionKey,
        presence: Presence,
    ) {
        let Some(connection) = after.get_mut(&key) else { return };
        // A bad row that may be its own does not bring one back that stands outside already.
        if !connection.presence.counts() && presence == Presence::RowBad {
            return;
        }
        if connection.presence != Presence::Removed {
            connection.presence = presence;
            connection.absent_since = connection.absent_since.or(Some(self.now));
        }
        for person in &mut connection.people {
            person.fingerprint = None;
        }
    }

    /// Judges all that the host lists; `None` when it lists nothing. What it lists of removed
    /// connections is evidence of the grant all the same.
    fn judge(
        &self,
        grant: GrantId,
        connections: &mut BTreeMap<ConnectionKey, Connection>,
    ) -> Option<GrantRecord> {
        let listed: Vec<&Connection> =
            connections.values().filter(|connection| connection.is_listed()).collect();
        if listed.is_empty() {
            return None;
        }
        let members: Vec<Member<'_>> = listed
            .iter()
            .map(|connection| Member {
                evidence: &connection.facts.evidence,
                doubt: connection.facts.doubt,
                required: connection.facts.required,
            })
            .collect();
        let reachable = listed
            .iter()
            .flat_map(|connection| &connection.people)
            .any(|person| person.person.email.is_some());
        let judged = judge(&members, self.required);
        let listed = connections.values_mut().filter(|connection| connection.is_listed());
        let mut ready = None;
        for (connection, own) in listed.zip(&judged.connections) {
            if connection.presence.counts() {
                let is_ready = own.readiness == Readiness::Ready;
                ready = Some(ready.unwrap_or(true) && is_ready);
            }
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
            ready: ready.unwrap_or(false),
        })
    }
}
