//! The pace of calls in the database: one for all replicas.

use chrono::TimeDelta;
use worker::clock::{Clock, VirtualClock};
use worker::jobs::calling::SharedPace;
use worker::xero::error::Error;
use worker::xero::limits::{Pace, Turn, per_minute};

use crate::support::world::{World, both_empty, start};

#[tokio::test]
async fn replicas_together_call_no_more_often_than_one_alone() {
    // E5: a herd at the limit.
    both_empty(async |world: World| {
        world.store.migrate().await.unwrap();
        let clock = VirtualClock::at(start());
        let pace = || SharedPace { store: &world.store, clock: &clock, rate: per_minute(30) };
        let replicas = [pace(), pace(), pace()];
        let end = start() + TimeDelta::minutes(2);
        let mut times = Vec::new();
        while clock.now() < end {
            let mut next = end;
            for replica in &replicas {
                match replica.turn().await.unwrap() {
                    Turn::Now => times.push(clock.now()),
                    Turn::NotBefore(at) => next = next.min(at),
                }
            }
            clock.reach(next);
        }
        for first in &times {
            let minute = *first..*first + TimeDelta::minutes(1);
            assert!(times.iter().filter(|at| minute.contains(at)).count() <= 30);
        }
        assert!(times.len() >= 58, "{}", times.len());
    })
    .await;
}

#[tokio::test]
async fn what_xero_said_to_one_replica_holds_all_of_them() {
    both_empty(async |world: World| {
        world.store.migrate().await.unwrap();
        let clock = VirtualClock::at(start());
        let pace = || SharedPace { store: &world.store, clock: &clock, rate: per_minute(600) };
        let (one, other) = (pace(), pace());
        assert_eq!(one.turn().await.unwrap(), Turn::Now);
        let until = start() + TimeDelta::minutes(5);
        one.hold(until).await.unwrap();
        one.hold(start()).await.unwrap();
        assert_eq!(other.turn().await.unwrap(), Turn::NotBefore(until));
        clock.reach(until);
        assert_eq!(other.turn().await.unwrap(), Turn::Now);
        assert!(matches!(one.turn().await.unwrap(), Turn::NotBefore(_)));
        let none = SharedPace { rate: per_minute(0), ..pace() };
        assert!(matches!(none.turn().await, Err(Error::Withheld(_))));
    })
    .await;
}
