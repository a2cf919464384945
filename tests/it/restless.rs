//! What plans keep in mind: the grants that the last one had something to do with, until
//! something changes that plans are made by.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use uuid::Uuid;
use worker::domain::grant::GrantId;
use worker::inventory::Column;
use worker::store::lists::{GOOD, ListRecord};
use worker::store::restless::Restless;
use worker::store::suppressions::Suppression;

use crate::support::line::{Line, READY, lines};
use crate::support::sending::{BASES, Sending};
use crate::support::world::{World, both, start};

async fn kept(world: &World) -> Option<BTreeSet<GrantId>> {
    world.store.restless("made by this").await.unwrap()
}

async fn those<const N: usize>(world: &World, numbers: [usize; N]) -> BTreeSet<GrantId> {
    let mut grants = BTreeSet::new();
    for number in numbers {
        grants.insert(world.get(number).await.facts.grant);
    }
    grants
}

async fn keep(world: &World) -> BTreeSet<GrantId> {
    let footing = world.store.footing().await.unwrap();
    let grants = those(world, [2, 3]).await;
    let restless: Restless = grants.iter().copied().collect();
    world.store.keep_restless("made by this", footing, &restless).await.unwrap();
    grants
}

#[tokio::test]
async fn a_scan_adds_those_of_whom_it_changes_something() {
    both(async |world: World| {
        let all = lines(1..=3);
        world.scan(&all).await;
        assert_eq!(kept(&world).await, None, "nothing was kept yet");
        let grants = keep(&world).await;
        assert_eq!(kept(&world).await, Some(grants.clone()));
        assert_eq!(world.store.restless("made by that").await.unwrap(), None);
        world.scan(&all).await;
        assert_eq!(kept(&world).await, Some(grants), "the same rows change nothing");
        let with = |column, value: &str| -> Vec<Line> {
            let mut changed = all.clone();
            changed[0] = changed[0].clone().with(column, value);
            changed
        };
        for changed in [
            with(Column::Email, "elsewhere@example.com"),
            with(Column::TimeZone, "Europe/London"),
            with(Column::Scopes, READY),
            all[1..].to_vec(),
        ] {
            world.scan(&all).await;
            keep(&world).await;
            world.scan(&changed).await;
            let first = those(&world, [1, 2, 3]).await;
            assert_eq!(kept(&world).await, Some(first), "{changed:?}");
        }
        world.scan(&all).await;
        keep(&world).await;
        world.scan(&lines(1..=4)).await;
        assert_eq!(kept(&world).await, Some(those(&world, [2, 3, 4]).await));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_of_a_plan_that_another_scan_overtook() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let footing = world.store.footing().await.unwrap();
        world.scan(&lines(1..=4)).await;
        world.store.keep_restless("made by this", footing, &Restless::default()).await.unwrap();
        assert_eq!(kept(&world).await, None);
    })
    .await;
}

#[tokio::test]
async fn what_xeros_list_brings_back_is_looked_at_again() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let list = ListRecord {
            run: Uuid::nil(),
            read_at: start(),
            outcome: GOOD,
            detail: None,
            connections: 3,
            tenants: 3,
            not_in_inventory: 0,
            gone: 0,
            unresolved: 0,
        };
        let before = world.store.footing().await.unwrap();
        let grants = keep(&world).await;
        let first = world.get(1).await.key;
        world.store.take_list(&list, Vec::new(), &[]).await.unwrap();
        assert_eq!(kept(&world).await, Some(grants), "nothing came back");
        let later = ListRecord { read_at: start() + TimeDelta::hours(1), ..list };
        assert!(world.store.take_list(&later, Vec::new(), &[first]).await.unwrap());
        assert_eq!(kept(&world).await, None);
        // A plan that was begun before either knows nothing of them.
        world.store.keep_restless("made by this", before, &Restless::default()).await.unwrap();
        assert_eq!(kept(&world).await, None);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_where_there_are_too_many() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let footing = world.store.footing().await.unwrap();
        let many = |count: u128| (1..=count).map(|id| GrantId(Uuid::from_u128(id)));
        let most: Restless = many(20_000).collect();
        world.store.keep_restless("made by this", footing, &most).await.unwrap();
        assert_eq!(kept(&world).await.map(|kept| kept.len()), Some(20_000));
        // One more, from a scan: nobody knows who they are.
        world.scan(&lines(1..=4)).await;
        assert_eq!(kept(&world).await, None);
        let too_many: Restless = many(20_001).collect();
        assert_eq!(too_many.grants(), None);
    })
    .await;
}

#[tokio::test]
async fn scans_and_messages_are_no_acts_that_plans_are_made_on_and_everything_else_is() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.store.footing().await.unwrap();
        world.scan(&lines(1..=4)).await;
        let after = world.store.footing().await.unwrap();
        assert_eq!(after.acts, before.acts);
        assert_ne!(after, before, "it is another scan");
        let one = Suppression {
            recipient: "person1@example.com".to_owned(),
            reason: "asked".to_owned(),
            by: "ann".to_owned(),
            added_at: chrono::DateTime::UNIX_EPOCH,
        };
        world.store.suppress(&[one]).await.unwrap();
        assert!(world.store.footing().await.unwrap().acts > after.acts);
    })
    .await;
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        sending.prepare();
        sending.ran(0);
        let acts =
            "SELECT CAST(number - messages - (SELECT count(*) FROM scans) AS text) FROM audit_head";
        let before = sending.texts(acts).await;
        let elsewhere = |(number, line): (usize, Line)| {
            line.with(Column::Email, format!("moved{number}@example.com"))
        };
        let moved: Vec<Line> = lines(0..3).into_iter().enumerate().map(elsewhere).collect();
        sending.show(&moved);
        assert_eq!(sending.ran(0)["prompts_sent"], 3, "{base:?}");
        assert_eq!(sending.texts(acts).await, before, "{base:?}");
    }
}

#[tokio::test]
async fn who_comes_after_everybody_was_told_is_told() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..5)).await;
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 5);
        // One that finds nothing left to do, and one that need not look.
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        let mut all = lines(0..6);
        all[1] = all[1].clone().with(Column::Email, "moved@example.com");
        sending.show(&all);
        let ran = sending.ran(0);
        assert_eq!(ran["prompts_sent"], 1, "{base:?}: {ran}");
        let told = sending.recipients();
        assert!(told.contains(&"TO:<moved@example.com>".to_owned()), "{told:?}");
    }
}

#[tokio::test]
async fn who_is_erased_after_everybody_was_told_shows_in_the_next_run() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 3);
        // The second knows that nothing was left, and that nothing has changed.
        assert_eq!(sending.ran(0)["held_back"], 0);
        assert_eq!(sending.ran(0)["held_back"], 0);
        let said = sending.worker(&["forget", "person1@example.com", "--by", "ann"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert_eq!(sending.ran(0)["held_back"], 1, "{base:?}: they cannot be told any more");
    }
}
