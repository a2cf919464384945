//! The second part of a scan: what the reading found, connection by connection, becomes
//! events of grants. Here rows of one connection are held against each other, and against
//! what the store remembers.

use std::collections::HashMap;

use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::jobs::sorter::{Groups, Sorted, Sorter};
use crate::store::{ScopeSets, Store};

use super::Error;
use super::gather::{Gathered, rows_differ};
use super::record::{Draft, Event, Sighting, read, write};

/// Connections looked up at once.
const BATCH: usize = 500;

/// Turns sightings into events.
pub(super) struct Unite<'a> {
    pub store: &'a Store,
    pub sets: &'a ScopeSets,
    /// Nothing is stored yet, so nothing needs to be looked up.
    pub first: bool,
    pub gathered: &'a mut Gathered,
    pub events: &'a mut Sorter,
    buffer: Vec<u8>,
}

/// What was found about one connection.
#[derive(Default)]
struct Found {
    drafts: Vec<Draft>,
    /// Rows that repeat one of the drafts word for word.
    repeats: u64,
    bad: bool,
    perhaps_bad: bool,
}

impl<'a> Unite<'a> {
    pub(super) fn new(
        store: &'a Store,
        sets: &'a ScopeSets,
        first: bool,
        gathered: &'a mut Gathered,
        events: &'a mut Sorter,
    ) -> Self {
        Self { store, sets, first, gathered, events, buffer: Vec::new() }
    }

    pub(super) async fn run(&mut self, sightings: Sorted) -> Result<(), Error> {
        let mut groups = Groups::of(sightings)?;
        loop {
            let mut batch: Vec<(ConnectionKey, Found)> = Vec::with_capacity(BATCH);
            while batch.len() < BATCH {
                let Some((key, records)) = groups.next_group()? else { break };
                let key = ConnectionKey(uuid::Uuid::from_u128(key));
                batch.push((key, found(&records)?));
            }
            if batch.is_empty() {
                return Ok(());
            }
            let mut stored: HashMap<ConnectionKey, Connection> = HashMap::new();
            if !self.first {
                let keys: Vec<ConnectionKey> = batch.iter().map(|(key, _)| *key).collect();
                let connections = self.store.connections_by_key(&keys, self.sets).await?;
                stored
                    .extend(connections.into_iter().map(|connection| (connection.key, connection)));
            }
            for (key, found) in batch {
                self.one(key, found, stored.get(&key))?;
            }
        }
    }

    fn one(
        &mut self,
        key: ConnectionKey,
        mut found: Found,
        stored: Option<&Connection>,
    ) -> Result<(), Error> {
        let seen_rows = stored.map_or(0, |stored| {
            let is_seen = |print: &u64| self.gathered.known.is_seen(*print);
            stored
                .people
                .iter()
                .filter_map(|person| person.fingerprint.as_ref())
                .filter(|print| is_seen(print))
                .count()
        });
        let mut bad = found.bad;
        if self.rows_differ(&found, stored, seen_rows) {
            for draft in &found.drafts {
                self.gathered.bad.add(&rows_differ(draft), draft.print, Some(key));
            }
            self.gathered.bad.count += seen_rows as u64 + found.repeats;
            found.drafts.clear();
            bad = true;
        }
        let Some(stored) = stored else {
            if let Some(first) = found.drafts.first() {
                let grant = first.facts.grant;
                return self.emit(
                    grant,
                    key,
                    Event::Put { rows: found.drafts, moved: false, held: bad },
                );
            }
            return Ok(());
        };
        let may_be_nameless = match stored.presence {
            // Held since an earlier scan: it stays so while any nameless row is left.
            Presence::RowBad => self.gathered.nameless > 0,
            Presence::Present | Presence::Gone => self.gathered.fresh_nameless > 0,
        };
        // A row that is missing may be a bad one that does not name its connection; dropping
        // somebody responsible for that would leave them untold.
        let lost_a_row = seen_rows + found.drafts.len() < stored.people.len();
        bad |= lost_a_row
            && stored.presence != Presence::Gone
            && (found.perhaps_bad || may_be_nameless);
        if bad {
            return self.emit(stored.facts.grant, key, Event::Hold);
        }
        if let Some(first) = found.drafts.first() {
            let grant = first.facts.grant;
            let moved = grant != stored.facts.grant;
            if moved {
                self.emit(stored.facts.grant, key, Event::Left)?;
            }
            return self.emit(grant, key, Event::Put { rows: found.drafts, moved, held: false });
        }
        let event = if seen_rows > 0 { Event::Trim } else { Event::Gone };
        self.emit(stored.facts.grant, key, event)
    }

    /// Rows of one connection may differ in the person only.
    fn rows_differ(&self, found: &Found, stored: Option<&Connection>, seen_rows: usize) -> bool {
        let Some((first, others)) = found.drafts.split_first() else { return false };
        others.iter().any(|other| other.facts != first.facts)
            || (seen_rows > 0 && stored.is_some_and(|stored| stored.facts != first.facts))
    }

    fn emit(&mut self, grant: GrantId, key: ConnectionKey, event: Event) -> Result<(), Error> {
        write(&(key, event), &mut self.buffer)?;
        self.events.push(grant.0.as_u128(), &self.buffer)?;
        Ok(())
    }
}

fn found(records: &[Vec<u8>]) -> Result<Found, Error> {
    let mut found = Found::default();
    for record in records {
        match read::<Sighting>(record)? {
            Sighting::Row(draft) => {
                // The same row twice says nothing new.
                if found.drafts.iter().any(|known| known.print == draft.print) {
                    found.repeats += 1;
                } else {
                    found.drafts.push(*draft);
                }
            }
            Sighting::Bad => found.bad = true,
            Sighting::PerhapsBad => found.perhaps_bad = true,
            Sighting::Unseen => {}
        }
    }
    Ok(found)
}
