//! Whatever happens to an inventory, scanning it again and again comes to the same as
//! scanning it once into an empty database: a happy run and a recovery run are the same.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;
use worker::domain::connection::Presence;
use worker::domain::tally::Tally;
use worker::inventory::Column;
use worker::jobs::scan::Summary;
use worker::store::presence;

use crate::support::line::Line;
use crate::support::state::{State, comparable};
use crate::support::story::{Deed, Host, story};
use crate::support::world::{World, key, start};

/// What the guard is told must be what happened.
fn effect_is_true(before: &State, after: &State, summary: &Summary, lines: &[Line]) {
    let (mut changed, mut newly_gone) = (0, 0);
    let named: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.get(Column::ConnectionId)).collect();
    for (key, connection) in &before.connections {
        if !connection.presence.counts() {
            continue;
        }
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
    assert_eq!(summary.tally.connections, after.counted().count() as u64);
}

async fn wipe(world: &World) {
    for table in world.tables().await {
        // The record is only added to, and its end goes with it.
        if !["settings", "_sqlx_migrations", "audit", "audit_head"].contains(&table.as_str()) {
            world.execute(&format!("DELETE FROM {table}")).await;
        }
    }
}

const WATCHED: [&str; 4] = ["grants", "connections", "people", "changes"];

async fn remove(world: &World, slot: usize) {
    let mut tx = world.store.begin().await.unwrap();
    presence::remove(&mut tx, &[key(slot)], start(), Uuid::nil()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Removes what is to be removed, as far as it is there and nothing is wrong with it.
async fn remove_the_doomed(world: &World, host: &mut Host) {
    for slot in std::mem::take(&mut host.doomed) {
        let found = world.find(key(slot)).await;
        let is_there = found.is_some_and(|one| one.presence == Presence::Present);
        if is_there && !host.is_spoilt(slot) && !host.is_new(slot) {
            remove(world, slot).await;
            host.removed.insert(slot);
        }
    }
}

async fn live_through(again: &World, once: &World, story: &[Vec<Deed>]) {
    wipe(again).await;
    let mut host = Host::default();
    for deeds in story {
        deeds.iter().for_each(|deed| host.act(deed));
        let lines = host.lines();
        remove_the_doomed(again, &mut host).await;
        let before = State::of(again).await;
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
        let back: Vec<usize> =
            host.removed.iter().copied().filter(|slot| host.is_new(*slot)).collect();
        host.removed.retain(|slot| !back.contains(slot));
        for slot in &host.removed {
            remove(once, *slot).await;
        }
        let once_tally = once.store.tally().await.unwrap();
        let repeated = lines.iter().collect::<BTreeSet<_>>().len() < lines.len();
        if !repeated {
            assert_eq!(summary.effect.bad_rows, fresh.effect.bad_rows, "bad rows");
        }
        let (left, right, is_held) =
            comparable(state, State::of(once).await, summary.effect.bad_rows > 0);
        assert_eq!(left.connections, right.connections, "connections");
        assert_eq!(left.grants, right.grants, "grants");
        if !is_held {
            let Tally { gone, removed, removed_listed, .. } = summary.tally;
            assert_eq!(
                summary.tally,
                Tally { gone, removed, removed_listed, ..once_tally },
                "tally"
            );
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
