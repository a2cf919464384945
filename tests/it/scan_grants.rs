//! Grants: what one person consented to, over all rows that tell of it.

use chrono::TimeDelta;
use worker::domain::class::Class;
use worker::domain::grant::Readiness;
use worker::domain::row::Flow;
use worker::inventory::Column;

use crate::support::line::{BROAD, GRANULAR, Line, MIXED, READY, line, token};
use crate::support::world::{Conditions, World, both, start};

/// A connection of person 1.
fn mine(number: usize, scopes: &str) -> Line {
    line(number).with(Column::XeroUserId, user(1)).with(Column::Scopes, scopes)
}

fn user(number: usize) -> String {
    line(number).get(Column::XeroUserId).expect("a person").to_owned()
}

fn tenant(number: usize) -> String {
    line(number).get(Column::TenantId).expect("a tenant").to_owned()
}

async fn classes(world: &World, numbers: &[usize]) -> Vec<&'static str> {
    let mut classes = Vec::new();
    for number in numbers {
        classes.push(world.get(*number).await.standing.class.as_str());
    }
    classes
}

/// INCIDENTS E1: one person, many tenants, rows of many ages.
#[tokio::test]
async fn one_renewed_row_makes_all_rows_of_its_person_ready_e1() {
    both(async |world: World| {
        let old: Vec<Line> = (1..=5).map(|n| mine(n, BROAD)).chain([line(9)]).collect();
        world.scan(&old).await;
        let mut renewed = old.clone();
        let at = start().timestamp();
        renewed[2] = mine(3, BROAD).with(Column::AccessToken, token(&user(1), READY, at));
        let summary = world.scan(&renewed).await;
        // The text of the same row has no date, and the token does not contain it.
        assert_eq!((summary.tally.unknown, summary.effect.changed), (5, 5));

        renewed[2] = mine(3, READY).with(Column::EvidenceAt, "2026-11-01T00:00:00Z");
        let both = format!("{BROAD} {READY}");
        renewed[3] = mine(4, &both);
        let summary = world.scan(&renewed).await;
        assert_eq!((summary.tally.mixed, summary.tally.ready), (5, 5));
        assert_eq!(summary.tally.token_behind, 3, "three rows hold the old scopes still");
        assert_eq!(summary.effect.changed, 5, "though one row in five was written anew");
        for number in [1, 2, 5] {
            let standing = world.get(number).await.standing;
            assert!(standing.token_behind && standing.some_evidence_ready);
            assert_eq!(standing.readiness, Readiness::Ready);
        }
        assert!(!world.get(4).await.standing.token_behind);
        let sets = world.store.scope_sets().await.unwrap();
        let grant = world.get(1).await.facts.grant;
        let settled = world.store.settled_scopes(&[grant], &sets).await.unwrap();
        let rows = world.store.grant_rows(&[grant]).await.unwrap();
        assert!(settled[&grant].canonical().contains("accounting.transactions"));
        assert_eq!(rows[0].ready_at, Some(start() + TimeDelta::hours(2)));
    })
    .await;
}

#[tokio::test]
async fn the_newest_dated_evidence_of_a_grant_counts_wherever_it_stands() {
    both(async |world: World| {
        let dated = |number, scopes: &str, day: u32| {
            mine(number, scopes).with(Column::EvidenceAt, format!("2026-10-{day:02} 00:00:00"))
        };
        world.scan(&[dated(1, BROAD, 1), dated(2, BROAD, 2)]).await;
        world.scan(&[dated(1, READY, 9), dated(2, BROAD, 2)]).await;
        assert_eq!(classes(&world, &[1, 2]).await, ["granular", "granular"]);
        // The newest goes with its connection; nothing keeps it in mind.
        world.scan(&[dated(2, BROAD, 2)]).await;
        assert_eq!(world.get(2).await.standing.class, Class::BroadOnly);
        world.scan(&[dated(1, READY, 9), dated(2, BROAD, 10)]).await;
        assert_eq!(classes(&world, &[1, 2]).await, ["broad_only", "broad_only"]);
        let standing = world.get(2).await.standing;
        assert!(standing.some_evidence_ready, "enough to forbid a removal");
    })
    .await;
}

#[tokio::test]
async fn a_token_of_somebody_else_makes_the_whole_grant_unknown_until_it_is_gone() {
    both(async |world: World| {
        let good = [mine(1, BROAD), mine(2, BROAD), line(3)];
        world.scan(&good).await;
        let at = start().timestamp();
        let doubtful = mine(2, BROAD).with(Column::AccessToken, token(&user(7), READY, at));
        let summary = world.scan(&[good[0].clone(), doubtful, good[2].clone()]).await;
        assert_eq!(summary.effect.changed, 2);
        assert_eq!(classes(&world, &[1, 2, 3]).await, ["unknown", "unknown", "broad_only"]);
        world.scan(&good).await;
        assert_eq!(classes(&world, &[1, 2, 3]).await, ["broad_only"; 3]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_moves_to_another_grant_leaves_both_judged_anew() {
    both(async |world: World| {
        // Connection 2 has no person of its own yet; 1 and 3 are two people's.
        let without = |scopes: &str| mine(2, scopes).without(Column::XeroUserId);
        let dated = |line: Line| line.with(Column::EvidenceAt, "2026-11-01T00:00:00Z");
        world.scan(&[mine(1, BROAD), dated(without(READY)), line(3)]).await;
        assert_eq!(classes(&world, &[1, 2, 3]).await, ["broad_only", "granular", "broad_only"]);
        let alone = world.get(2).await;
        assert_eq!(alone.facts.grant.0, alone.key.0, "the connection by itself");

        let first = dated(mine(2, &format!("{BROAD} {READY}")));
        let summary = world.scan(&[mine(1, BROAD), first.clone(), line(3)]).await;
        assert_eq!(summary.effect.changed, 2, "1 and 2 are mixed now");
        assert_eq!(classes(&world, &[1, 2, 3]).await, ["mixed", "mixed", "broad_only"]);
        assert_eq!(world.get(2).await.first_seen_at, start());
        assert_eq!(world.get(1).await.facts.grant, world.get(2).await.facts.grant);

        let moved = first.with(Column::XeroUserId, user(3));
        let summary = world.scan(&[mine(1, BROAD), moved, line(3)]).await;
        assert_eq!(summary.effect.changed, 2, "1 is broad again, 3 is mixed");
        assert_eq!(classes(&world, &[1, 2, 3]).await, ["broad_only", "mixed", "mixed"]);
        assert_eq!((summary.tally.connections, summary.tally.gone), (3, 0));
        let story = world.store.changes(&[alone.key]).await.unwrap();
        let moves = story.iter().filter(|change| change.what == "grant").count();
        assert_eq!(moves, 2);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_gone_comes_back_in_another_grant() {
    both(async |world: World| {
        world.scan(&[mine(1, BROAD), mine(2, BROAD)]).await;
        world.scan(&[mine(1, BROAD)]).await;
        let back = line(2).with(Column::Scopes, READY);
        let summary = world.scan(&[mine(1, BROAD), back]).await;
        assert_eq!((summary.tally.gone, summary.effect.changed), (0, 0));
        assert_eq!(classes(&world, &[1, 2]).await, ["broad_only", "granular"]);
    })
    .await;
}

/// INCIDENTS E51: two people connected the same tenant.
#[tokio::test]
async fn an_awaiting_connection_is_covered_while_somebody_elses_grant_is_ready_e51() {
    both(async |world: World| {
        let awaiting = line(1);
        let ready = line(2).with(Column::TenantId, tenant(1)).with(Column::Scopes, READY);
        let covered = async |inventory: &[Line]| {
            let tally = world.scan(inventory).await.tally;
            let one = world.get(1).await.covered;
            assert_eq!(tally.covered, u64::from(one));
            one
        };
        assert!(!covered(std::slice::from_ref(&awaiting)).await);
        assert!(covered(&[awaiting.clone(), ready.clone()]).await);
        assert!(covered(&[awaiting.clone(), ready.clone()]).await);
        assert!(!world.get(2).await.covered, "who is ready needs no cover");
        // A grant is ready when all its connections are.
        let unready = line(3)
            .with(Column::XeroUserId, user(2))
            .with(Column::Scopes, READY)
            .with(Column::RequiredScopes, "accounting.payments");
        assert!(!covered(&[awaiting.clone(), ready.clone(), unready]).await);
        assert!(covered(&[awaiting.clone(), ready.clone()]).await);
        assert!(!covered(std::slice::from_ref(&awaiting)).await, "the ready one is gone");
        assert!(covered(&[awaiting.clone(), ready.clone()]).await);
        let renewed = awaiting.with(Column::Scopes, READY);
        assert!(!covered(&[renewed, ready]).await, "ready itself now");
    })
    .await;
}

#[tokio::test]
async fn nobody_covers_their_own_connections() {
    both(async |world: World| {
        let ready = mine(1, READY);
        let own = mine(2, READY)
            .with(Column::TenantId, tenant(1))
            .with(Column::RequiredScopes, "accounting.payments");
        let summary = world.scan(&[ready, own]).await;
        assert_eq!((summary.tally.ready, summary.tally.awaiting, summary.tally.covered), (1, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn another_requirement_of_the_campaign_judges_all_anew_and_is_no_change_to_the_guard() {
    both(async |world: World| {
        let own = line(3).with(Column::RequiredScopes, "accounting.payments");
        let inventory =
            [mine(1, READY), mine(2, READY), own, line(4).with(Column::Scopes, GRANULAR)];
        let before = world.scan(&inventory).await;
        assert_eq!((before.tally.ready, before.tally.awaiting), (2, 2));
        let strict = worker::domain::campaign::GuardLimits {
            floor: 4,
            max_change_percent: 0.0,
            max_bad_percent: 0.0,
        };
        let under = |required| Conditions { limits: strict, required, ..Conditions::default() };
        let after =
            world.scan_under(&inventory, under("accounting.payments")).await.expect("a scan");
        assert!(after.is_in_force(), "{:?}", after.objections);
        assert_eq!((after.effect.changed, after.effect.newly_gone), (0, 0));
        assert_eq!((after.tally.ready, after.tally.awaiting), (1, 3));
        assert_eq!(world.get(4).await.standing.readiness, Readiness::Ready);
        assert_eq!(world.get(1).await.standing.readiness, Readiness::Awaiting);
        assert_eq!(world.store.tally().await.unwrap(), after.tally);

        world.watch_writes().await;
        world.scan_under(&inventory, under("accounting.payments")).await.expect("a scan");
        assert_eq!(world.written().await, Vec::<String>::new(), "once is enough");
    })
    .await;
}

#[tokio::test]
async fn rows_without_a_flow_have_the_apps() {
    both(async |world: World| {
        let inventory = [line(1), line(2).with(Column::Flow, "web")];
        assert_eq!(world.scan(&inventory).await.tally.manual, 0);
        let conditions = Conditions { app_flow: Flow::Custom, ..Conditions::default() };
        let summary = world.scan_under(&inventory, conditions).await.expect("a scan");
        assert_eq!((summary.tally.manual, summary.effect.changed), (1, 0));
        assert!(world.get(1).await.standing.manual);
        let inventory = [line(1), line(2).with(Column::Flow, "oauth1").with(Column::Scopes, MIXED)];
        assert_eq!(world.scan(&inventory).await.tally.manual, 1);
        assert!(world.get(2).await.standing.manual && !world.get(1).await.standing.manual);
    })
    .await;
}
