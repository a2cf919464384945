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
use super::record::{Claim, Draft, Event, Packed, Sighting, read, write};

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
struct Found<'a> {
    drafts: Vec<Draft>,
    /// The drafts as they were written.
    rows: Vec<Packed<'a>>,
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
            let mut batch: Vec<(ConnectionKey, Vec<Vec<u8>>)> = Vec::with_capacity(BATCH);
            while batch.len() < BATCH {
                let Some((key, records)) = groups.next_group()? else { break };
                let key = ConnectionKey(uuid::Uuid::from_u128(key));
                batch.push((key, records));
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
            for (key, records) in batch {
                match stored.get(&key) {
                    None => self.unknown(key, &records)?,
                    Some(stored) => self.stored(key, &records, stored)?,
                }
            }
        }
    }

    /// A connection that is not stored.
    fn unknown(&mut self, key: ConnectionKey, records: &[Vec<u8>]) -> Result<(), Error> {
        if let [record] = records
            && let Sighting::Row { claim, row } = read(record)?
        {
            let rows = vec![row];
            return self.emit(
                claim.grant,
                key,
                Event::Put { claim, rows, moved: false, held: false },
            );
        }
        let found = found(records)?;
        let differ = self.rows_differ(&found, None, 0);
        if differ {
            self.add_bad(key, &found, 0);
        }
        match found.drafts.first() {
            Some(first) if !differ => {
                let claim = Claim::of(&first.facts);
                let (rows, held) = (found.rows, found.bad);
                self.emit(claim.grant, key, Event::Put { claim, rows, moved: false, held })
            }
            _ => Ok(()),
        }
    }

    fn stored(
        &mut self,
        key: ConnectionKey,
        records: &[Vec<u8>],
        stored: &Connection,
    ) -> Result<(), Error> {
        let mut found = found(records)?;
        let prints = stored.people.iter().filter_map(|person| person.fingerprint);
        let seen_rows = prints.filter(|print| self.gathered.known.is_seen(*print)).count();
        let mut bad = found.bad;
        if self.rows_differ(&found, Some(stored), seen_rows) {
            self.add_bad(key, &found, seen_rows);
            found.drafts.clear();
            bad = true;
        }
        let may_be_nameless = match stored.presence {
            // Held since an earlier scan: it stays so while any nameless row is left. Nothing is
            // done to a removed one, so that it may wait as long.
            Presence::RowBad | Presence::Removed => self.gathered.nameless > 0,
            Presence::Present | Presence::Gone => self.gathered.fresh_nameless > 0,
        };
        // A row that is missing may be a bad one that does not name its connection; dropping
        // somebody responsible for that would leave them untold.
        let lost_a_row = seen_rows + found.drafts.len() < stored.people.len();
        bad |= lost_a_row && stored.is_listed() && (found.perhaps_bad || may_be_nameless);
        if bad {
            return self.emit(stored.facts.grant, key, Event::Hold);
        }
        if let Some(first) = found.drafts.first() {
            let claim = Claim::of(&first.facts);
            let moved = claim.grant != stored.facts.grant;
            if moved {
                self.emit(stored.facts.grant, key, Event::Left)?;
            }
            let rows = found.rows;
            return self.emit(claim.grant, key, Event::Put { claim, rows, moved, held: false });
        }
        let event = if seen_rows > 0 { Event::Trim } else { Event::Gone };
        self.emit(stored.facts.grant, key, event)
    }

    /// Counts rows of one connection that differ, all of them.
    fn add_bad(&mut self, key: ConnectionKey, found: &Found<'_>, seen_rows: usize) {
        for draft in &found.drafts {
            self.gathered.bad.add(&rows_differ(draft), draft.print, Some(key));
        }
        self.gathered.bad.count += seen_rows as u64 + found.repeats;
    }

    /// Rows of one connection may differ in the person only.
    fn rows_differ(
        &self,
        found: &Found<'_>,
        stored: Option<&Connection>,
        seen_rows: usize,
    ) -> bool {
        let Some((first, others)) = found.drafts.split_first() else { return false };
        others.iter().any(|other| other.facts != first.facts)
            || (seen_rows > 0 && stored.is_some_and(|stored| stored.facts != first.facts))
    }

    fn emit(&mut self, grant: GrantId, key: ConnectionKey, event: Event<'_>) -> Result<(), Error> {
        write(&(key, event), &mut self.buffer)?;
        self.events.push(grant.0.as_u128(), &self.buffer)?;
        Ok(())
    }
}

fn found(records: &[Vec<u8>]) -> Result<Found<'_>, Error> {
    let mut found = Found::default();
    for record in records {
        match read(record)? {
            Sighting::Row { row, .. } => {
                let draft = row.draft()?;
                // The same row twice says nothing new.
                if found.drafts.iter().any(|known| known.print == draft.print) {
                    found.repeats += 1;
                } else {
                    found.drafts.push(draft);
                    found.rows.push(row);
                }
            }
            Sighting::Bad => found.bad = true,
            Sighting::PerhapsBad => found.perhaps_bad = true,
            Sighting::Unseen => {}
        }
    }
    Ok(found)
}
