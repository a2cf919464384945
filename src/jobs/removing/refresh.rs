//! The live inventory, read a second time: what it says now of the tenants that a removal
//! touches, put in the place of what the last scan stored.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use crate::domain::class::Class;
use crate::domain::connection::{Connection, Facts, Presence, Responsible, Standing, take_apart};
use crate::domain::grant::{ConnectionKey, GrantId, Readiness};
use crate::domain::ids::TenantId;
use crate::domain::pseudonym::Forgotten;
use crate::domain::row::Person;
use crate::inventory::{self, Reader, Rules, ScopeMemo, parse};

/// What the inventory says of some tenants, by connection.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    rows: BTreeMap<ConnectionKey, (Facts, Vec<Person>)>,
    /// Connections with a bad row, or with rows that differ in more than the person.
    bad: BTreeSet<ConnectionKey>,
    /// Tenants of bad rows that name no connection.
    bad_tenants: HashSet<TenantId>,
    /// A bad row that names nothing may be any of them.
    is_doubtful: bool,
}

impl Fresh {
    pub(super) async fn read(
        mut reader: Reader,
        rules: &Rules,
        forgotten: &Forgotten,
    ) -> Result<Self, inventory::Error> {
        let mut fresh = Self::default();
        let mut memo = ScopeMemo::default();
        while let Some(batch) = reader.next().await? {
            for raw in batch.rows() {
                match parse(&raw, rules, &mut memo) {
                    Ok((row, _)) => {
                        let (key, facts, mut person) = take_apart(row);
                        forgotten.erase(&mut person);
                        fresh.add(key, facts, person);
                    }
                    Err(bad) => match (bad.connection, bad.tenant) {
                        (Some(id), _) => {
                            fresh.bad.insert(ConnectionKey(id.0));
                        }
                        (None, Some(tenant)) => {
                            fresh.bad_tenants.insert(tenant);
                        }
                        (None, None) => fresh.is_doubtful = true,
                    },
                }
            }
            reader.recycle(batch);
        }
        Ok(fresh)
    }

    fn add(&mut self, key: ConnectionKey, facts: Facts, person: Person) {
        match self.rows.get_mut(&key) {
            None => {
                self.rows.insert(key, (facts, vec![person]));
            }
            Some((known, people)) => {
                if *known != facts {
                    self.bad.insert(key);
                }
                people.push(person);
            }
        }
    }

    fn is_bad(&self, key: ConnectionKey, tenant: TenantId) -> bool {
        self.is_doubtful || self.bad.contains(&key) || self.bad_tenants.contains(&tenant)
    }

    /// The connections of a grant as they are now: `stored` are those that the last scan
    /// knew. One that is not there any more is gone; one that is new joins.
    pub(super) fn grant(
        &self,
        grant: GrantId,
        stored: &[Connection],
        now: DateTime<Utc>,
    ) -> Vec<Connection> {
        let mut connections: Vec<Connection> = stored
            .iter()
            .map(|stored| {
                let mut connection = stored.clone();
                let is_bad = self.is_bad(stored.key, stored.facts.tenant);
                match self.rows.get(&stored.key) {
                    Some((facts, people)) if !is_bad => {
                        connection.facts = facts.clone();
                        connection.people = people.iter().map(responsible).collect();
                        if connection.presence == Presence::RowBad {
                            connection.presence = Presence::Present;
                        }
                    }
                    _ if !stored.presence.counts() => {}
                    _ if is_bad => connection.presence = Presence::RowBad,
                    _ => connection.presence = Presence::Gone,
                }
                connection
            })
            // A row that names somebody else now is evidence of their grant.
            .filter(|connection| connection.facts.grant == grant)
            .collect();
        let is_new = |key: &ConnectionKey| stored.iter().all(|one| one.key != *key);
        let joined = self.rows.iter().filter(|(key, (facts, _))| {
            is_new(key) && facts.grant == grant && !self.bad.contains(key)
        });
        connections.extend(joined.map(|(key, (facts, people))| Connection {
            key: *key,
            facts: facts.clone(),
            presence: Presence::Present,
            standing: UNJUDGED,
            covered: false,
            first_seen_at: now,
            absent_since: None,
            people: people.iter().map(responsible).collect(),
        }));
        connections
    }

    /// Whether another person's row for a tenant shows scopes that satisfy this connection.
    pub(super) fn is_covered(
        &self,
        connection: &Connection,
        is_ready: impl Fn(&Facts) -> bool,
    ) -> bool {
        self.rows.values().any(|(facts, _)| {
            facts.tenant == connection.facts.tenant
                && facts.grant != connection.facts.grant
                && is_ready(facts)
        })
    }
}

const UNJUDGED: Standing = Standing {
    class: Class::Unknown,
    readiness: Readiness::Unknown,
    some_evidence_ready: false,
    token_behind: false,
    manual: false,
    reachable: false,
};

/// Somebody in a row that was read just now: it is listed, whatever its fingerprint.
fn responsible(person: &Person) -> Responsible {
    Responsible { fingerprint: Some(0), person: person.clone() }
}
