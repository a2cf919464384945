//! What a scan makes of connections that come, stay, change, go and come back.

use chrono::TimeDelta;
use worker::domain::class::Class;
use worker::domain::connection::Presence;
use worker::domain::grant::Readiness;
use worker::inventory::Column;
use worker::jobs::scan::{Effect, WarningCounts};
use worker::store::tally::Tally;

use crate::support::line::{BROAD, GRANULAR, MIXED, READY, UNAFFECTED, line, lines};
use crate::support::world::{World, both, key, start};

#[tokio::test]
async fn a_first_scan_puts_what_it_read_in_force() {
    both(async |world: World| {
        let texts = [BROAD, MIXED, GRANULAR, READY, UNAFFECTED, "gibberish", ""];
        let inventory: Vec<_> =
            (1..).zip(texts).map(|(n, text)| line(n).with(Column::Scopes, text)).collect();
        let summary = world.scan(&inventory).await;
        let tally = Tally {
            connections: 7,
            broad_only: 1,
            mixed: 1,
            granular: 2,
            unaffected: 1,
            unknown: 2,
            ready: 1,
            awaiting: 3,
            ..Tally::default()
        };
        let effect = Effect { rows: 7, seen: 7, ..Effect::default() };
        assert!(summary.first);
        assert_eq!((summary.tally, summary.effect), (tally, effect));
        assert_eq!(world.store.tally().await.unwrap(), tally);
        let last = world.store.last_complete_scan().await.unwrap().unwrap();
        assert_eq!((last.finished_at, last.connections, last.bad_rows), (start(), 7, 0));
        let one = world.get(1).await;
        assert_eq!(one.standing.class, Class::BroadOnly);
        assert_eq!((one.first_seen_at, one.absent_since), (start(), None));
        assert_eq!(one.people[0].person.email.as_ref().unwrap().given(), "person1@example.com");
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_inventory_is_scanned_without_writing_a_row() {
    both(async |world: World| {
        let mut inventory = lines(1..=20);
        inventory.push(line(3).with(Column::Email, "second@example.com"));
        inventory.push(line(4).with(Column::Email, "nobody").with(Column::TimeZone, "Mars"));
        let first = world.scan(&inventory).await;
        let dump = world.dump(&["grants", "connections", "people", "changes"]).await;
        world.watch_writes().await;
        inventory.reverse();
        // The same row twice says nothing new.
        inventory.push(line(5));
        let second = world.scan(&inventory).await;
        assert_eq!(world.written().await, Vec::<String>::new());
        assert_eq!(world.dump(&["grants", "connections", "people", "changes"]).await, dump);
        assert_eq!(second.tally, first.tally);
        assert_eq!((second.effect.changed, second.effect.newly_gone), (0, 0));
        assert_eq!(second.effect.before, Some(20));
        assert_eq!(
            second.warnings,
            WarningCounts { address: 1, time_zone: 1, date: 0 },
            "unchanged rows are counted with their warnings"
        );
        assert_eq!(second.warnings, first.warnings);
    })
    .await;
}

#[tokio::test]
async fn only_what_changed_is_written() {
    both(async |world: World| {
        world.scan(&lines(1..=20)).await;
        world.watch_writes().await;
        let mut inventory = lines(1..=20);
        inventory[6] = line(7).with(Column::Scopes, READY);
        inventory[7] = line(8).with(Column::TenantName, "New name");
        let summary = world.scan(&inventory).await;
        assert_eq!(summary.effect.changed, 1, "a new name is no change of class");
        let mut written = world.written().await;
        let connections = written.iter().filter(|what| what.ends_with(" connections")).count();
        written.dedup();
        assert_eq!(connections, 2);
        assert_eq!(
            written,
            [
                "DELETE people",
                "INSERT changes",
                "INSERT people",
                "INSERT scope_sets",
                "UPDATE connections",
                "UPDATE grants"
            ]
        );
        let seven = world.get(7).await;
        assert_eq!(seven.standing.class, Class::Granular);
        assert_eq!(seven.standing.readiness, Readiness::Ready);
        assert_eq!(world.get(8).await.facts.tenant_name.as_deref(), Some("New name"));
        let story: Vec<(String, Option<String>)> = world
            .store
            .changes(&[seven.key])
            .await
            .unwrap()
            .into_iter()
            .map(|change| (change.what, change.after))
            .collect();
        let mut story: Vec<(&str, &str)> =
            story.iter().map(|(what, to)| (what.as_str(), to.as_deref().unwrap())).collect();
        story.sort_unstable();
        assert_eq!(story, [("class", "granular"), ("readiness", "ready")]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_missing_is_gone_and_comes_back_as_it_was() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.get(2).await;
        let missing = world.scan(&[line(1), line(3)]).await;
        assert_eq!((missing.effect.newly_gone, missing.effect.changed), (1, 0));
        assert_eq!((missing.tally.connections, missing.tally.gone), (2, 1));
        let gone = world.get(2).await;
        assert_eq!(gone.presence, Presence::Gone);
        assert_eq!(gone.absent_since, Some(start() + TimeDelta::hours(1)));

        let still = world.scan(&[line(1), line(3)]).await;
        assert_eq!(still.effect.newly_gone, 0, "it is gone already");
        assert_eq!(world.get(2).await, gone);

        let back = world.scan(&lines(1..=3)).await;
        assert_eq!((back.effect.newly_gone, back.effect.changed, back.tally.gone), (0, 0, 0));
        assert_eq!(back.effect.before, Some(2));
        assert_eq!(world.get(2).await, before);
        let story = world.store.changes(&[before.key]).await.unwrap();
        let story: Vec<&str> = story.iter().filter_map(|one| one.after.as_deref()).collect();
        assert_eq!(story, ["gone", "present"]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_comes_back_with_other_scopes_is_judged_by_them() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        world.scan(&[line(1), line(3)]).await;
        let renewed = line(2).with(Column::Scopes, READY);
        let back = world.scan(&[line(1), renewed, line(3)]).await;
        assert_eq!(back.effect.changed, 0, "it was not there to be changed");
        assert_eq!((back.tally.ready, back.tally.broad_only), (1, 2));
        assert_eq!(world.get(2).await.first_seen_at, start());
    })
    .await;
}

#[tokio::test]
async fn one_of_two_responsible_people_leaves() {
    both(async |world: World| {
        let second = line(1).with(Column::Email, "second@example.com");
        world.scan(&[line(1), second.clone(), line(2)]).await;
        assert_eq!(world.get(1).await.people.len(), 2);
        let summary = world.scan(&[second, line(2)]).await;
        assert_eq!((summary.effect.newly_gone, summary.tally.gone), (0, 0));
        let people = world.get(1).await.people;
        assert_eq!(people.len(), 1);
        assert_eq!(people[0].person.email.as_ref().unwrap().given(), "second@example.com");
        assert!(world.scan(&[line(2)]).await.tally.gone == 1, "and then the other");
    })
    .await;
}

#[tokio::test]
async fn nobody_reachable_is_left_when_the_only_address_goes() {
    both(async |world: World| {
        let nameless = line(1).without(Column::Email);
        world.scan(&[line(1), nameless.clone()]).await;
        assert!(world.get(1).await.standing.reachable);
        let summary = world.scan(std::slice::from_ref(&nameless)).await;
        assert!(!world.get(1).await.standing.reachable);
        assert_eq!(summary.tally.unreachable, 1);
        // Somebody else of the same grant makes all of it reachable again.
        let other = line(2).with(Column::XeroUserId, line(1).get(Column::XeroUserId).unwrap());
        assert_eq!(world.scan(&[nameless, other]).await.tally.unreachable, 0);
        assert!(world.get(1).await.standing.reachable);
    })
    .await;
}

#[tokio::test]
async fn scope_texts_that_say_nothing_are_no_evidence_and_no_change_of_order_is_one_e57() {
    both(async |world: World| {
        let with = |text: &str| vec![line(1).with(Column::Scopes, text)];
        world.scan(&with("accounting.transactions accounting.invoices offline_access")).await;
        let shuffled = "OFFLINE_ACCESS,accounting.Invoices+accounting.transactions \
                        accounting.transactions accounting.nonsense";
        let summary = world.scan(&with(shuffled)).await;
        assert_eq!(summary.effect.changed, 0);
        assert_eq!(world.get(1).await.standing.class, Class::Mixed);
        for nothing in ["", "  ", "accounting.nonsense", "[]", "null", "{}"] {
            let summary = world.scan(&with(nothing)).await;
            assert_eq!(summary.tally.unknown, 1, "{nothing:?}");
        }
        assert_eq!(world.get(1).await.standing.readiness, Readiness::Unknown);
        assert!(world.find(key(1)).await.unwrap().facts.evidence.is_empty());
    })
    .await;
}
