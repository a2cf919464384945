//! Bad rows: what they name keeps its state and is never taken for gone.

use chrono::TimeDelta;
use worker::domain::class::Class;
use worker::domain::connection::Presence;
use worker::inventory::Column;

use crate::support::line::{Line, READY, line, lines};
use crate::support::world::{World, both, key, start};

fn pigeon(number: usize) -> Line {
    line(number).with(Column::Flow, "pigeon")
}

/// Names the tenant, but neither connection nor person.
fn of_tenant(number: usize) -> Line {
    line(number).with(Column::ConnectionId, "broken").without(Column::XeroUserId)
}

fn nameless(text: &str) -> Line {
    Line::default().with(Column::TenantId, text)
}

async fn presences(world: &World, numbers: impl IntoIterator<Item = usize>) -> Vec<&'static str> {
    let mut presences = Vec::new();
    for number in numbers {
        presences.push(world.get(number).await.presence.as_str());
    }
    presences
}

#[tokio::test]
async fn a_known_connection_whose_row_turns_bad_keeps_its_state_and_recovers() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.get(2).await;
        let bad = [line(1), pigeon(2).with(Column::Scopes, READY), line(3)];
        for hour in 1..=3 {
            let summary = world.scan(&bad).await;
            let effect = summary.effect;
            assert_eq!((effect.bad_rows, effect.newly_gone, effect.changed), (1, 0, 0));
            assert_eq!(effect.seen, 2, "a bad row is not a connection that was read");
            assert_eq!((summary.tally.connections, summary.tally.row_bad), (3, 1));
            let held = world.get(2).await;
            assert_eq!(held.presence, Presence::RowBad);
            assert_eq!(held.absent_since, Some(start() + TimeDelta::hours(1)), "scan {hour}");
            assert_eq!((&held.facts, held.standing), (&before.facts, before.standing));
            assert_eq!(held.people[0].person, before.people[0].person);
        }
        world.scan(&lines(1..=3)).await;
        assert_eq!(world.get(2).await, before);
        world.scan(&bad).await;
        let gone = world.scan(&[line(1), line(3)]).await;
        assert_eq!((gone.effect.newly_gone, gone.tally.gone), (1, 1), "neither good nor bad");
    })
    .await;
}

#[tokio::test]
async fn a_bad_row_of_an_unknown_connection_makes_none() {
    both(async |world: World| {
        let summary = world.scan(&[line(1), pigeon(2)]).await;
        assert_eq!((summary.tally.connections, summary.effect.bad_rows), (1, 1));
        assert_eq!(world.find(key(2)).await, None);
        assert_eq!(world.scan(&lines(1..=2)).await.tally.connections, 2);
    })
    .await;
}

#[tokio::test]
async fn a_good_row_beside_a_bad_one_of_the_same_connection_is_held() {
    both(async |world: World| {
        let inventory = [line(1), line(2), pigeon(2).with(Column::Email, "b@example.com")];
        assert_eq!(world.scan(&inventory).await.tally.row_bad, 1);
        assert_eq!(world.get(2).await.presence, Presence::RowBad);
        let dump = world.dump(&["connections", "people", "grants"]).await;
        world.scan(&inventory).await;
        assert_eq!(world.dump(&["connections", "people", "grants"]).await, dump);
        world.scan(&lines(1..=2)).await;
        assert_eq!(world.get(2).await.presence, Presence::Present);
    })
    .await;
}

#[tokio::test]
async fn a_bad_row_that_names_only_the_tenant_holds_what_is_missing_there() {
    both(async |world: World| {
        let neighbour = line(3).with(Column::TenantId, line(2).get(Column::TenantId).unwrap());
        let all = [line(1), line(2), neighbour.clone()];
        world.scan(&all).await;
        let summary = world.scan(&[line(1), of_tenant(2), neighbour.clone()]).await;
        assert_eq!((summary.effect.bad_rows, summary.effect.newly_gone), (1, 0));
        assert_eq!(presences(&world, 1..=3).await, ["present", "row_bad", "present"]);
        world.scan(&[line(1), of_tenant(2), neighbour.clone()]).await;
        assert_eq!(presences(&world, 1..=3).await, ["present", "row_bad", "present"]);
        // Elsewhere, missing is gone.
        world.scan(&[of_tenant(2), neighbour.clone()]).await;
        assert_eq!(presences(&world, 1..=3).await, ["gone", "row_bad", "present"]);
        world.scan(&all).await;
        assert_eq!(presences(&world, 1..=3).await, ["present", "present", "present"]);
    })
    .await;
}

#[tokio::test]
async fn a_nameless_bad_row_that_is_new_holds_what_is_missing_as_long_as_one_is_left() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let inventory = [line(1), nameless("???"), line(3)];
        let summary = world.scan(&inventory).await;
        assert_eq!((summary.effect.newly_gone, summary.tally.row_bad), (0, 1));
        assert_eq!(presences(&world, 1..=3).await, ["present", "row_bad", "present"]);
        world.scan(&inventory).await;
        assert_eq!(presences(&world, 1..=3).await, ["present", "row_bad", "present"]);
        // It is no longer new: what is missing from now on is gone, what was held stays so.
        world.scan(&[line(1), nameless("???")]).await;
        assert_eq!(presences(&world, 1..=3).await, ["present", "row_bad", "gone"]);
        world.scan(&[line(1)]).await;
        assert_eq!(presences(&world, 1..=3).await, ["present", "gone", "gone"]);
    })
    .await;
}

#[tokio::test]
async fn a_nameless_bad_row_that_was_there_before_holds_nothing() {
    both(async |world: World| {
        let mut inventory = lines(1..=3);
        inventory.push(nameless("???"));
        world.scan(&inventory).await;
        inventory.remove(1);
        let summary = world.scan(&inventory).await;
        assert_eq!((summary.effect.bad_rows, summary.effect.newly_gone), (1, 1));
        assert_eq!(presences(&world, 1..=3).await, ["present", "gone", "present"]);
        // One that is new beside it does.
        let summary = world.scan(&[line(1), nameless("???"), nameless("!!!")]).await;
        assert_eq!((summary.effect.bad_rows, summary.effect.newly_gone), (2, 0));
        assert_eq!(presences(&world, 1..=3).await, ["present", "gone", "row_bad"]);
    })
    .await;
}

#[tokio::test]
async fn somebody_responsible_is_not_dropped_for_a_bad_row_that_may_be_theirs() {
    both(async |world: World| {
        let second = line(2).with(Column::Email, "second@example.com");
        let all = [line(1), line(2), second.clone()];
        world.scan(&all).await;
        for bad in [of_tenant(2).with(Column::Email, "second@example.com"), nameless("???")] {
            for _ in 0..2 {
                world.scan(&[line(1), line(2), bad.clone()]).await;
                let held = world.get(2).await;
                assert_eq!((held.presence, held.people.len()), (Presence::RowBad, 2));
            }
            world.scan(&all).await;
            assert_eq!(world.get(2).await.presence, Presence::Present);
        }
        world.scan(&[line(1), line(2)]).await;
        assert_eq!(world.get(2).await.people.len(), 1, "no bad row, so it is really gone");
    })
    .await;
}

#[tokio::test]
async fn rows_of_one_connection_that_differ_are_all_bad() {
    both(async |world: World| {
        let other = |text: &str| {
            line(2).with(Column::Email, "b@example.com").with(Column::TenantName, text)
        };
        let first = world.scan(&[line(1), line(2), other("B"), other("B")]).await;
        assert_eq!(first.effect.bad_rows, 3, "each row is counted");
        assert_eq!((first.tally.connections, world.find(key(2)).await), (1, None));

        world.scan(&[line(1), line(2)]).await;
        let known = world.get(2).await;
        // The row of the last scan is still there, unchanged, and bad all the same.
        for _ in 0..2 {
            let summary = world.scan(&[line(1), line(2), other("B")]).await;
            assert_eq!((summary.effect.bad_rows, summary.effect.newly_gone), (2, 0));
            let held = world.get(2).await;
            assert_eq!((held.presence, held.standing), (Presence::RowBad, known.standing));
            assert_eq!((&held.facts, held.people.len()), (&known.facts, 1));
        }
        world.scan(&[line(1), other("B")]).await;
        let settled = world.get(2).await;
        assert_eq!(settled.presence, Presence::Present);
        assert_eq!(settled.facts.tenant_name.as_deref(), Some("B"));
    })
    .await;
}

#[tokio::test]
async fn rows_that_give_one_connection_to_two_people_are_bad() {
    both(async |world: World| {
        let mine = line(1);
        let theirs = line(1).with(Column::XeroUserId, line(9).get(Column::XeroUserId).unwrap());
        let summary = world.scan(&[mine.clone(), theirs.clone(), line(2)]).await;
        assert_eq!((summary.effect.bad_rows, summary.tally.connections), (2, 1));
        world.scan(&[mine.clone(), line(2)]).await;
        let summary = world.scan(&[mine, theirs, line(2)]).await;
        assert_eq!((summary.effect.bad_rows, summary.tally.row_bad), (2, 1));
    })
    .await;
}

/// INCIDENTS E52: an id of another kind in the connection's place.
#[tokio::test]
async fn the_tenants_id_in_the_connections_place_is_a_bad_row_and_makes_nobody_gone_e52() {
    both(async |world: World| {
        world.scan(&lines(1..=4)).await;
        let mixed_up = |number: usize| {
            let tenant = line(number).get(Column::TenantId).unwrap().to_owned();
            line(number).with(Column::ConnectionId, tenant)
        };
        let inventory: Vec<Line> = (1..=4).map(mixed_up).collect();
        let summary = world.scan(&inventory).await;
        assert_eq!((summary.effect.bad_rows, summary.effect.newly_gone), (4, 0));
        assert_eq!((summary.tally.connections, summary.tally.row_bad), (4, 4));
        assert_eq!(summary.tally.broad_only, 4);
        assert_eq!(world.get(3).await.standing.class, Class::BroadOnly);
    })
    .await;
}
