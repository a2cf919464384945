//! Whatever happens to an inventory, scanning it again and again comes to the same as
//! scanning it once into an empty database: a happy run and a recovery run are the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use worker::domain::connection::{Connection, Presence};
use worker::domain::grant::{ConnectionKey, GrantId, Readiness};
use worker::domain::ids::TenantId;
use worker::inventory::Column;
use worker::jobs::scan::Summary;
use worker::store::tally::Tally;

use crate::support::line::Line;
use crate::support::story::{Deed, Host, story};
use crate::support::world::World;

/// All that is known of connections that are not gone, apart from when that was found out.
#[derive(Debug, Default)]
struct State {
    connections: BTreeMap<ConnectionKey, Connection>,
    /// By grant: what it settled on.
    grants: BTreeMap<String, String>,
}

impl State {
    async fn of(world: &World) -> Self {
        let sets = world.store.scope_sets().await.unwrap();
        let mut ids = Vec::new();
        let each = |grant| {
            ids.push(grant);
            Ok::<(), worker::store::Error>(())
        };
        world.store.grants(each).await.unwrap();
        let mut connections = BTreeMap::new();
        for mut connection in world.store.connections_of_grants(&ids, &sets).await.unwrap() {
            if connection.presence == Presence::Gone {
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

    fn held(&self) -> impl Iterator<Item = ConnectionKey> {
        let held = |connection: &&Connection| connection.presence == Presence::RowBad;
        self.connections.values().filter(held).map(|connection| connection.key)
    }

    /// Told a second time, by hand: another person's ready grant reaches the same tenant.
    fn check_covered(&self) {
        let mut ready: BTreeMap<GrantId, bool> = BTreeMap::new();
        for connection in self.connections.values() {
            let all = ready.entry(connection.facts.grant).or_insert(true);
            *all &= connection.standing.readiness == Readiness::Ready;
        }
        for connection in self.connections.values() {
            let covers = |other: &Connection| {
                other.facts.tenant == connection.facts.tenant && ready[&other.facts.grant]
            };
            let expected = connection.standing.readiness == Readiness::Awaiting
                && self.connections.values().any(covers);
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
fn comparable(again: State, once: State) -> (State, State, bool) {
    let held: BTreeSet<ConnectionKey> = again.held().chain(once.held()).collect();
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

/// What the guard is told must be what happened.
fn effect_is_true(before: &State, after: &State, summary: &Summary, lines: &[Line]) {
    let (mut changed, mut newly_gone) = (0, 0);
    let named: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.get(Column::ConnectionId)).collect();
    for (key, connection) in &before.connections {
        match after.connections.get(key) {
            None => {
                newly_gone += 1;
                let id = key.to_string();
                assert!(!named.contains(id.as_str()), "{id} is listed, and yet it is gone");
            }
            Some(now) => changed += u64::from(now.standing.class != connection.standing.class),
        }
    }
    let effect = summary.effect;
    assert_eq!((effect.changed, effect.newly_gone), (changed, newly_gone));
    assert_eq!(effect.rows, lines.len() as u64);
    assert_eq!(summary.tally.connections, after.connections.len() as u64);
}

async fn wipe(world: &World) {
    for table in world.tables().await {
        if table != "settings" && table != "_sqlx_migrations" {
            world.execute(&format!("DELETE FROM {table}")).await;
        }
    }
}

const WATCHED: [&str; 4] = ["grants", "connections", "people", "changes"];

async fn live_through(again: &World, once: &World, story: &[Vec<Deed>]) {
    wipe(again).await;
    let mut host = Host::default();
    let mut before = State::default();
    for deeds in story {
        deeds.iter().for_each(|deed| host.act(deed));
        let lines = host.lines();
        let summary = again.scan(&lines).await;
        assert_eq!(again.store.tally().await.unwrap(), summary.tally);
        let state = State::of(again).await;
        state.check_covered();
        if summary.effect.bad_rows == 0 {
            assert_eq!(state.held().next(), None, "held by no bad row");
        }
        effect_is_true(&before, &state, &summary, &lines);

        wipe(once).await;
        let fresh = once.scan(&lines).await;
        let repeated = lines.iter().collect::<BTreeSet<_>>().len() < lines.len();
        if !repeated {
            assert_eq!(summary.effect.bad_rows, fresh.effect.bad_rows, "bad rows");
        }
        let kept = State::of(again).await;
        let (left, right, is_held) = comparable(state, State::of(once).await);
        assert_eq!(left.connections, right.connections, "connections");
        assert_eq!(left.grants, right.grants, "grants");
        if !is_held {
            let gone = summary.tally.gone;
            assert_eq!(summary.tally, Tally { gone, ..fresh.tally }, "tally");
            assert_eq!(summary.warnings, fresh.warnings, "warnings");
        }

        let dump = again.dump(&WATCHED).await;
        let mut backwards = lines.clone();
        backwards.reverse();
        let unchanged = again.scan(&backwards).await;
        assert_eq!((unchanged.effect.changed, unchanged.effect.newly_gone), (0, 0));
        if !repeated {
            assert_eq!(unchanged.effect.bad_rows, summary.effect.bad_rows, "bad rows again");
        }
        assert_eq!(again.dump(&WATCHED).await, dump, "the same inventory, backwards");
        before = kept;
    }
}

fn stories(cases: u32, again: impl AsyncFnOnce() -> World) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (again, once) = runtime.block_on(async {
        let again = again().await;
        again.prepare().await;
        (again, World::fleeting().await)
    });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let lived = TestRunner::new(config).run(&story(), |story| {
        let live = std::panic::AssertUnwindSafe(|| {
            runtime.block_on(live_through(&again, &once, &story));
        });
        std::panic::catch_unwind(live).map_err(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            TestCaseError::fail(text.unwrap_or_default())
        })
    });
    if let Err(error) = lived {
        panic!("{error}");
    }
}

#[test]
fn scanning_again_and_again_comes_to_the_same_as_scanning_once() {
    stories(100, World::fleeting);
}

/// The same stories on PostgreSQL, held against SQLite.
#[test]
fn scanning_again_and_again_on_postgresql_comes_to_the_same_as_scanning_once_on_sqlite() {
    stories(10, World::postgres);
}
