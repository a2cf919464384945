//! Announcements in the database: made once, in one worker's hands at a time, and back when
//! that worker is gone.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use worker::store::announcements::{Announcement, Ended, Lease, Leased};

use crate::support::world::{World, both, key, start};

fn announcement(number: usize) -> Announcement {
    Announcement {
        id: Uuid::from_u128(number as u128 + 1),
        webhook: "product".into(),
        connection: key(number),
        what: "ready",
        body: format!("{{\"number\":{number}}}"),
    }
}

async fn lease(world: &World, owner: u128, now: DateTime<Utc>, most: usize) -> Vec<Leased> {
    let until = now + TimeDelta::minutes(2);
    let owner = Uuid::from_u128(owner);
    let lease = Lease { webhook: "product", owner, now, until, most };
    world.store.lease_announcements(lease).await.unwrap().leased
}

fn sent(leased: &Leased, now: DateTime<Utc>) -> Ended {
    let (id, fence) = (leased.id, leased.fence);
    Ended { id, fence, state: "sent", outcome: None, due_at: now, is_free: false }
}

#[tokio::test]
async fn the_same_news_is_queued_once_whoever_finds_it() {
    both(async |world| {
        let all: Vec<Announcement> = (0..600).map(announcement).collect();
        assert_eq!(world.store.add_announcements(&all, start()).await.unwrap(), 600);
        assert_eq!(world.store.add_announcements(&all[5..], start()).await.unwrap(), 0);
        let waiting = world.store.waiting_announcements().await.unwrap();
        assert_eq!(waiting, [("product".to_owned(), 600)]);
    })
    .await;
}

#[tokio::test]
async fn workers_at_the_same_time_never_have_the_same_one() {
    both(async |world| {
        let all: Vec<Announcement> = (0..64).map(announcement).collect();
        world.store.add_announcements(&all, start()).await.unwrap();
        let leases = (1..=8).map(|owner| lease(&world, owner, start(), 8));
        let leased = futures_util::future::join_all(leases).await;
        let ids: Vec<Uuid> = leased.iter().flatten().map(|leased| leased.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert_eq!(ids.len(), 64);
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_worker_had_comes_back_and_its_late_answer_changes_nothing() {
    both(async |world| {
        let store = &world.store;
        store.add_announcements(&[announcement(1)], start()).await.unwrap();
        let first = lease(&world, 1, start(), 8).await.remove(0);
        let soon = start() + TimeDelta::minutes(1);
        store.sweep_announcements("product", soon).await.unwrap();
        assert_eq!(lease(&world, 2, soon, 8).await, []);
        let later = start() + TimeDelta::minutes(3);
        store.sweep_announcements("product", later).await.unwrap();
        let second = lease(&world, 2, later, 8).await.remove(0);
        assert_eq!((second.id, &second.body, second.attempts), (first.id, &first.body, 2));
        store.end_announcements(&[sent(&first, later)], later).await.unwrap();
        assert_eq!(store.waiting_announcements().await.unwrap().len(), 1, "still in its hands");
        store.end_announcements(&[sent(&second, later)], later).await.unwrap();
        assert_eq!(store.waiting_announcements().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_least_tried_goes_first() {
    both(async |world| {
        let store = &world.store;
        store.add_announcements(&[announcement(1)], start()).await.unwrap();
        let poison = lease(&world, 1, start(), 1).await.remove(0);
        let back = Ended { state: "queued", ..sent(&poison, start()) };
        store.end_announcements(&[back], start()).await.unwrap();
        let later = start() + TimeDelta::hours(1);
        store.add_announcements(&[announcement(2)], later).await.unwrap();
        let next = lease(&world, 1, later, 1).await.remove(0);
        assert_ne!(next.id, poison.id);
    })
    .await;
}
