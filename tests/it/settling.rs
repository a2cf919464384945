//! Messages whose outcome is unknown, and what a named person says became of them.

use chrono::TimeDelta;
use uuid::Uuid;
use worker::store::settling::Became;

use crate::support::place::Place;
use crate::support::prompts::prompt_id;
use crate::support::world::{World, both, start};

fn id(number: usize) -> Uuid {
    prompt_id(number).parse().unwrap()
}

#[tokio::test]
async fn what_arrived_counts_from_when_it_was_sent() {
    both(async |world: World| {
        world.prompt(1, "jo@example.com", "unknown").await;
        assert!(world.store.settle_prompt(id(1), Became::Sent, "Ann", start()).await.unwrap());
        assert_eq!(world.of_prompt(1, "state").await, "sent");
        assert_eq!(world.of_prompt(1, "sent_at").await, world.of_prompt(1, "sending_at").await);
        assert_eq!(world.of_prompt(1, "settled_by").await, "Ann");
        assert_eq!(world.of_prompt(1, "day").await, "2026-12-01", "it counts against its day");
    })
    .await;
}

#[tokio::test]
async fn what_never_left_is_due_again_and_counts_on_no_day() {
    both(async |world: World| {
        world.prompt(1, "jo@example.com", "unknown").await;
        let now = start() + TimeDelta::hours(3);
        assert!(world.store.settle_prompt(id(1), Became::NotSent, "Ann", now).await.unwrap());
        assert_eq!(world.of_prompt(1, "state").await, "queued");
        assert_eq!(world.of_prompt(1, "day").await, "");
        assert!(world.of_prompt(1, "due_at").await.starts_with("2026-11-23"));
        assert_eq!(world.of_prompt(1, "sent_at").await, "");
    })
    .await;
}

#[tokio::test]
async fn only_the_unknown_can_be_settled_and_only_once() {
    both(async |world: World| {
        let states = ["queued", "leased", "sending", "sent", "refused", "unknown"];
        for (number, state) in states.into_iter().enumerate() {
            world.prompt(number, &format!("p{number}@example.com"), state).await;
            let settled = world.store.settle_prompt(id(number), Became::Sent, "Ann", start()).await;
            assert_eq!(settled.unwrap(), state == "unknown", "{state}");
            let again = world.store.settle_prompt(id(number), Became::NotSent, "Bo", start()).await;
            assert!(!again.unwrap(), "{state}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_prompt_is_found_by_how_its_id_begins() {
    both(async |world: World| {
        world.prompt(1, "a@example.com", "unknown").await;
        world.prompt(2, "b@example.com", "unknown").await;
        let found = async |digits: &str| world.store.prompts_beginning(digits).await.unwrap().len();
        assert_eq!(found(&id(1).simple().to_string()).await, 1);
        assert_eq!(found("1a2b3c4d00").await, 2);
        assert_eq!(found("1a2b3c4d01").await, 0);
        assert_eq!(found("no").await, 0);
    })
    .await;
}

#[tokio::test]
async fn settle_takes_the_reference_of_a_message() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let world = World::of(&place).await;
    world.prompt(1, "jo@example.com", "unknown").await;
    let settle = |prompt: &str, became: &str| {
        place.worker(&["settle", prompt, "--as", became, "--by", "Ann", "--format", "json"])
    };
    let said = settle("xc-1a2b3-c4d00", "not-sent");
    assert_eq!(said.code, Some(0), "{said}");
    let said = said.json();
    assert_eq!(
        (said["prompt"].as_str(), said["state"].as_str()),
        (Some(&*prompt_id(1)), Some("queued"))
    );
    settle(&prompt_id(1), "sent").complains(2, "XC-1A2B3-C4D00 is queued", "unknown");
    settle(&prompt_id(9), "sent").complains(2, "no such prompt", "");
    settle("jo@example.com", "sent").complains(2, "names no prompt", "reference");
    world.prompt(2, "bo@example.com", "unknown").await;
    settle("XC-1A2B3-C4D00", "sent").complains(2, "any of several", "whole id");
    assert_eq!(settle("XC-1A2B3-C4D00", "maybe").code, Some(2));
    let blank = ["settle", &prompt_id(2), "--as", "sent", "--by", " "];
    place.worker(&blank).complains(2, "--by is empty", "");
}
