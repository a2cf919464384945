//! What a database holds after a scan, in a form that can be compared with another's.

use std::collections::{BTreeMap, BTreeSet};

use worker::domain::connection::{Connection, Presence};
use worker::domain::grant::{ConnectionKey, GrantId, Readiness};
use worker::domain::ids::TenantId;

use super::world::World;

/// All that is known of connections that the inventory lists, apart from when that was found out.
#[derive(Debug, Default)]
pub struct State {
    pub connections: BTreeMap<ConnectionKey, Connection>,
    /// By grant: what it settled on.
    pub grants: BTreeMap<String, String>,
}

impl State {
    pub async fn of(world: &World) -> Self {
        let sets = world.store.scope_sets().await.unwrap();
        let mut ids = Vec::new();
        let each = |grant| {
            ids.push(grant);
            Ok::<(), worker::store::Error>(())
        };
        world.store.grants(each).await.unwrap();
        let mut connections = BTreeMap::new();
        for mut connection in world.store.connections_of_grants(&ids, &sets).await.unwrap() {
            if !connection.is_listed() {
                continue;
            }
            connection.first_seen_at = chrono::DateTime::UNIX_EPOCH;
            connection.absent_since = None;
            for person in &mut connection.people {
                person.fingerprint = None;
            }
            connections.insert(connection.key, connection);
        }
        let rows = world.store.grant_rows(&ids).await.unwrap();
        let settled = world.store.settled_scopes(&ids, &sets).await.unwrap();
        let present: BTreeSet<GrantId> =
            connections.values().map(|connection| connection.facts.grant).collect();
        let grants = rows
            .into_iter()
            .filter(|row| present.contains(&GrantId(row.grant_id)))
            .map(|row| {
                let scopes = settled.get(&GrantId(row.grant_id)).map(|set| set.canonical());
                let text = format!("{} {:?} {scopes:?}", row.class, row.unsettled);
                (row.grant_id.to_string(), text)
            })
            .collect();
        Self { connections, grants }
    }

    pub fn held(&self) -> impl Iterator<Item = ConnectionKey> {
        let held = |connection: &&Connection| connection.presence == Presence::RowBad;
        self.connections.values().filter(held).map(|connection| connection.key)
    }

    pub fn removed(&self) -> impl Iterator<Item = ConnectionKey> {
        let removed = |connection: &&Connection| connection.presence == Presence::Removed;
        self.connections.values().filter(removed).map(|connection| connection.key)
    }

    /// Those that are counted.
    pub fn counted(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(|connection| connection.presence.counts())
    }

    /// Told a second time, by hand: another person's ready grant reaches the same tenant.
    pub fn check_covered(&self) {
        let mut ready: BTreeMap<GrantId, bool> = BTreeMap::new();
        for connection in self.counted() {
            let all = ready.entry(connection.facts.grant).or_insert(true);
            *all &= connection.standing.readiness == Readiness::Ready;
        }
        for connection in self.connections.values() {
            let covers = |other: &Connection| {
                other.facts.tenant == connection.facts.tenant && ready[&other.facts.grant]
            };
            let expected = connection.presence.counts()
                && connection.standing.readiness == Readiness::Awaiting
                && self.counted().any(covers);
            assert_eq!(connection.covered, expected, "covered: {connection:?}");
        }
    }

    /// Without grants in which bad rows hold something here or there.
    fn without(mut self, grants: &BTreeSet<GrantId>, tenants: &BTreeSet<TenantId>) -> Self {
        self.connections.retain(|_, connection| !grants.contains(&connection.facts.grant));
        self.grants.retain(|grant, _| !grants.iter().any(|held| held.to_string() == *grant));
        for connection in self.connections.values_mut() {
            if tenants.contains(&connection.facts.tenant) {
                connection.covered = false;
            }
        }
        self
    }
}

/// Takes out what a bad row holds in either; tells whether that is anything.
pub fn comparable(again: State, once: State, bad_rows: bool) -> (State, State, bool) {
    let mut held: BTreeSet<ConnectionKey> = again.held().chain(once.held()).collect();
    // Nothing is done to a removed one whose row may be a bad one.
    if bad_rows {
        held.extend(again.removed().chain(once.removed()));
    }
    let of = |state: &State| -> BTreeSet<GrantId> {
        held.iter().filter_map(|key| Some(state.connections.get(key)?.facts.grant)).collect()
    };
    let grants: BTreeSet<GrantId> = of(&again).union(&of(&once)).copied().collect();
    let tenants: BTreeSet<TenantId> = again
        .connections
        .values()
        .chain(once.connections.values())
        .filter(|connection| grants.contains(&connection.facts.grant))
        .map(|connection| connection.facts.tenant)
        .collect();
    let is_held = !held.is_empty();
    (again.without(&grants, &tenants), once.without(&grants, &tenants), is_held)
}
