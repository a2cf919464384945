//! Pausing and resuming.

use chrono::{TimeDelta, Utc};
use worker::store::pauses::Pause;

use crate::support::place::Place;
use crate::support::world::{World, both, start};

fn pause(minutes: i64, by: &str) -> Pause {
    Pause {
        paused_at: start() + TimeDelta::minutes(minutes),
        reason: "the product is down".to_owned(),
        by: by.to_owned(),
    }
}

fn later(minutes: i64) -> chrono::DateTime<Utc> {
    start() + TimeDelta::minutes(minutes)
}

#[tokio::test]
async fn a_pause_is_seen_at_once_through_every_other_connection() {
    both(async |world: World| {
        let replica = world.database().open().await.unwrap();
        assert_eq!(replica.pause_in_force().await.unwrap(), None);
        assert_eq!(world.store.pause(&pause(1, "Ann")).await.unwrap(), None);
        assert_eq!(replica.pause_in_force().await.unwrap(), Some(pause(1, "Ann")));
        assert_eq!(replica.resume("Bo", later(2)).await.unwrap(), Some(pause(1, "Ann")));
        assert_eq!(world.store.pause_in_force().await.unwrap(), None);
        replica.close().await;
    })
    .await;
}

#[tokio::test]
async fn pausing_twice_keeps_the_first_and_resuming_twice_does_nothing() {
    both(async |world: World| {
        let store = &world.store;
        store.pause(&pause(1, "Ann")).await.unwrap();
        assert_eq!(store.pause(&pause(2, "Bo")).await.unwrap(), Some(pause(1, "Ann")));
        store.resume("Bo", later(3)).await.unwrap();
        assert_eq!(store.resume("Bo", later(4)).await.unwrap(), None);
        assert_eq!(store.pause_in_force().await.unwrap(), None);
        let ends = world.texts("SELECT resumed_by FROM pauses").await;
        assert_eq!(ends, ["Bo"]);
    })
    .await;
}

#[tokio::test]
async fn a_pause_at_the_very_moment_of_an_ended_one_is_not_lost() {
    both(async |world: World| {
        let store = &world.store;
        store.pause(&pause(1, "Ann")).await.unwrap();
        store.resume("Ann", later(1)).await.unwrap();
        store.pause(&pause(1, "Bo")).await.unwrap();
        assert_eq!(store.pause_in_force().await.unwrap(), Some(pause(1, "Bo")));
    })
    .await;
}

#[test]
fn status_shows_a_pause_until_it_ends() {
    let place = Place::new(&[]);
    let pause = ["pause", "--reason", "the product is down", "--by", "Ann"];
    let said = place.done(&[&pause[..], &["--format", "json"]].concat()).json();
    assert_eq!(
        (said["paused"]["by"].as_str(), said["was_paused"].as_bool()),
        (Some("Ann"), Some(false))
    );
    assert!(place.done(&pause).out.contains("Paused already"));
    let status = place.done(&["status", "--format", "json"]).json();
    assert_eq!(status["paused"]["reason"], "the product is down");
    assert!(place.done(&["status"]).out.contains("by Ann: the product is down"));

    assert!(place.done(&["resume", "--by", "Bo"]).out.contains("Resumed."));
    assert_eq!(place.done(&["resume", "--by", "Bo"]).out, "Nothing was paused.\n");
    assert!(place.done(&["status", "--format", "json"]).json()["paused"].is_null());
}

#[test]
fn a_pause_needs_a_name_and_a_reason() {
    let place = Place::new(&[]);
    place.worker(&["pause", "--reason", " ", "--by", "Ann"]).complains(2, "--reason is empty", "");
    place.worker(&["resume", "--by", ""]).complains(2, "--by is empty", "");
    assert!(!place.database().exists());
}
