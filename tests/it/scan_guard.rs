//! The guard: a scan that would turn too much changes nothing, and only a named person lets
//! that one through.

use worker::domain::campaign::GuardLimits;
use worker::inventory::Column;
use worker::jobs::scan::{Objection, Summary};

use crate::support::line::{Line, READY, line, lines};
use crate::support::world::{Conditions, OPEN, World, both, start};

async fn under(world: &World, inventory: &[Line], limits: GuardLimits) -> Summary {
    let conditions = Conditions { limits, ..Conditions::default() };
    world.scan_under(inventory, conditions).await.expect("a scan")
}

fn codes(summary: &Summary) -> Vec<&'static str> {
    summary.objections.iter().map(Objection::code).collect()
}

fn change(max_change_percent: f64) -> GuardLimits {
    GuardLimits { max_change_percent, ..OPEN }
}

fn bad(max_bad_percent: f64) -> GuardLimits {
    GuardLimits { max_bad_percent, ..OPEN }
}

fn floor(floor: u64) -> GuardLimits {
    GuardLimits { floor, ..OPEN }
}

/// Ten connections of which the first are renewed and the last missing.
fn turned(renewed: usize, missing: usize) -> Vec<Line> {
    let mut inventory = lines(1..=10 - missing);
    for line in &mut inventory[..renewed] {
        *line = line.clone().with(Column::Scopes, READY);
    }
    inventory
}

/// INCIDENTS E50 and E3: an empty answer where there were a thousand.
#[tokio::test]
async fn an_empty_inventory_is_stopped_and_changes_nothing_e50() {
    let limits = GuardLimits { floor: 1, max_change_percent: 20.0, max_bad_percent: 1.0 };
    both(async |world: World| {
        let first = under(&world, &[], limits).await;
        assert_eq!(codes(&first), ["floor"]);
        assert_eq!(world.store.last_complete_scan().await.unwrap(), None);
        world.scan(&lines(1..=10)).await;
        let dump = world.dump(&["connections", "people", "grants", "changes", "bad_rows"]).await;
        let summary = under(&world, &[], limits).await;
        assert_eq!(codes(&summary), ["floor", "max_change_percent"]);
        assert_eq!((summary.effect.newly_gone, summary.tally.gone), (10, 10), "as it would be");
        assert_eq!(
            world.dump(&["connections", "people", "grants", "changes", "bad_rows"]).await,
            dump
        );
    })
    .await;
}

/// INCIDENTS E3: what cannot be read is no reason to act.
#[tokio::test]
async fn rows_that_all_turn_bad_are_stopped_and_change_nothing_e3() {
    both(async |world: World| {
        world.scan(&lines(1..=10)).await;
        let dump = world.dump(&["connections", "people", "grants", "changes", "bad_rows"]).await;
        let broken: Vec<Line> =
            (1..=10).map(|n| line(n).with(Column::AccessToken, "<html>")).collect();
        let limits = GuardLimits { floor: 1, max_change_percent: 20.0, max_bad_percent: 1.0 };
        let summary = under(&world, &broken, limits).await;
        assert_eq!(codes(&summary), ["floor", "max_bad_percent"]);
        assert_eq!((summary.effect.newly_gone, summary.effect.bad_rows), (0, 10));
        assert_eq!(
            world.dump(&["connections", "people", "grants", "changes", "bad_rows"]).await,
            dump
        );
    })
    .await;
}

#[tokio::test]
async fn the_floor_counts_connections_that_were_read_well() {
    both(async |world: World| {
        let mut inventory = lines(1..=10);
        inventory.push(line(3).with(Column::Email, "second@example.com"));
        assert_eq!(codes(&under(&world, &inventory, floor(11)).await), ["floor"]);
        assert_eq!(codes(&under(&world, &inventory, floor(10)).await), [""; 0]);
        inventory[0] = line(1).with(Column::Flow, "pigeon");
        assert_eq!(codes(&under(&world, &inventory, floor(10)).await), ["floor"]);
        assert_eq!(codes(&under(&world, &inventory, floor(9)).await), [""; 0]);
        assert_eq!(codes(&under(&world, &[], floor(0)).await), [""; 0], "zero means none");
    })
    .await;
}

#[tokio::test]
async fn changed_and_newly_gone_together_may_reach_the_limit_and_not_pass_it() {
    both(async |world: World| {
        assert_eq!(codes(&under(&world, &turned(0, 0), change(0.0)).await), [""; 0], "the first");
        for (renewed, missing, limit, expected) in [
            (0, 0, 0.0, None),
            (1, 0, 0.0, Some("max_change_percent")),
            (0, 1, 0.0, Some("max_change_percent")),
            (2, 0, 19.9, Some("max_change_percent")),
            (0, 3, 20.0, Some("max_change_percent")),
            (2, 1, 20.0, Some("max_change_percent")),
            (1, 1, 20.0, None),
        ] {
            let summary = under(&world, &turned(renewed, missing), change(limit)).await;
            let case = format!("{renewed} changed, {missing} gone, limit {limit}");
            assert_eq!(codes(&summary), Vec::from_iter(expected), "{case}");
            assert_eq!(summary.effect.changed, renewed as u64, "{case}");
            assert_eq!(summary.effect.newly_gone, missing as u64, "{case}");
            assert_eq!(summary.effect.before, Some(10), "{case}");
            assert_eq!(summary.is_in_force(), expected.is_none(), "{case}");
        }
        assert_eq!(world.store.tally().await.unwrap().connections, 9);
        // The share is of those that were present, not of all that were ever seen.
        let back = under(&world, &turned(1, 0), change(0.0)).await;
        assert_eq!(back.effect.before, Some(9));
        assert!(back.is_in_force(), "coming back is neither changed nor gone");
    })
    .await;
}

#[tokio::test]
async fn bad_rows_may_reach_their_share_and_not_pass_it_even_at_first() {
    both(async |world: World| {
        let mut inventory = lines(1..=10);
        for line in &mut inventory[..2] {
            *line = line.clone().with(Column::Flow, "pigeon");
        }
        for (limit, expected) in [
            (0.0, vec!["max_bad_percent"]),
            (19.99, vec!["max_bad_percent"]),
            (20.0, vec![]),
            (0.0, vec!["max_bad_percent"]),
        ] {
            assert_eq!(codes(&under(&world, &inventory, bad(limit)).await), expected, "{limit}");
        }
        assert_eq!(codes(&under(&world, &lines(1..=10), bad(0.0)).await), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_stopped_scan_changes_nothing_but_is_remembered() {
    both(async |world: World| {
        world.scan(&turned(0, 0)).await;
        let before = world.dump(&[]).await;
        let summary = under(&world, &turned(3, 3), change(20.0)).await;
        let digest = summary.digest.clone().expect("a digest");
        assert!(!summary.is_in_force());
        let mut after = world.dump(&[]).await;
        let (then, now) = (&before["scans"], after.insert("scans".to_owned(), Vec::new()));
        assert_eq!(now.expect("a table").len(), then.len() + 1);
        after.insert("scans".to_owned(), then.clone());
        for record in ["audit", "audit_head"] {
            after.insert(record.to_owned(), before[record].clone());
        }
        assert_eq!(after, before, "every other table is as it was");
        assert!(world.store.stopped_scan(&digest).await.unwrap().is_some());
        let last = world.store.last_complete_scan().await.unwrap().unwrap();
        assert_eq!(last.finished_at, start());
        // What comes next is compared with the scan in force.
        let next = under(&world, &turned(1, 0), change(20.0)).await;
        assert_eq!((next.effect.before, next.effect.changed), (Some(10), 1));
        assert!(next.is_in_force());
    })
    .await;
}

#[tokio::test]
async fn an_accepted_scan_passes_once_and_no_other_passes_for_it() {
    both(async |world: World| {
        world.scan(&turned(0, 0)).await;
        let wanted = turned(4, 0);
        let stopped = under(&world, &wanted, change(20.0)).await;
        let digest = stopped.digest.clone().expect("a digest");
        world.store.accept_scan(&digest, "alice", "we migrated them", start()).await.unwrap();

        for other in [turned(5, 0), turned(3, 1), turned(0, 4), lines(7..=10)] {
            let other = under(&world, &other, change(20.0)).await;
            assert!(!other.is_in_force());
            assert_ne!(other.digest.as_ref(), Some(&digest));
        }
        let mut shuffled = wanted.clone();
        shuffled.reverse();
        // A new connection beside them is nothing that the guard looks at.
        shuffled.push(line(11));
        let accepted = under(&world, &shuffled, change(20.0)).await;
        assert!(accepted.accepted && accepted.is_in_force());
        assert_eq!(accepted.digest, Some(digest.clone()));
        assert_eq!((accepted.tally.ready, accepted.tally.connections), (4, 11));

        // Back, and the same again: the acceptance is used.
        assert!(under(&world, &turned(0, 0), OPEN).await.is_in_force());
        let again = under(&world, &wanted, change(20.0)).await;
        assert!(!again.is_in_force());
        assert_eq!(world.store.tally().await.unwrap().ready, 0);
    })
    .await;
}

#[tokio::test]
async fn an_acceptance_that_was_not_used_ends_with_the_next_complete_scan() {
    both(async |world: World| {
        world.scan(&turned(0, 0)).await;
        let stopped = under(&world, &[], floor(1)).await;
        let digest = stopped.digest.expect("a digest");
        world.store.accept_scan(&digest, "alice", "all of them left", start()).await.unwrap();
        world.scan(&turned(0, 0)).await;
        let later = under(&world, &[], floor(1)).await;
        assert!(!later.is_in_force(), "another day's empty inventory is another scan");
    })
    .await;
}
