//! A resolver that is slow or silent: what needs the name waits for its limit and no longer,
//! the rest goes on, and nothing is told twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::line::lines;
use crate::support::place::Place;
use crate::support::said::Said;
use crate::support::sending::{Base, Sending};
use crate::support::slow_names::slow;

/// Longer than any limit that these tests wait for.
const NEVER: u32 = 600;

fn run(sending: &Sending, name: &str, seconds: u32) -> (Said, Duration) {
    let mut command = sending.command(&["run-once", "--format", "json"]);
    slow(&mut command, name, seconds);
    let began = Instant::now();
    (Said::by(command), began.elapsed())
}

#[tokio::test]
async fn a_name_that_takes_seconds_to_resolve_only_takes_seconds() {
    let sending = Sending::new(Base::Sqlite, &lines(0..6)).await;
    sending.prepare();
    let (said, took) = run(&sending, "localhost", 2);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(took >= Duration::from_secs(2), "the library was preloaded: {took:?}");
    assert_eq!(said.progress()["prompts_sent"], 6);
    assert_eq!(sending.recipients().len(), 6);
}

#[tokio::test]
async fn a_mail_server_whose_name_does_not_resolve_is_left_and_everybody_is_told_later_once() {
    let sending = Sending::new(Base::Sqlite, &lines(0..6)).await;
    sending.prepare();
    let (said, took) = run(&sending, "localhost", NEVER);
    assert_eq!(said.progress()["prompts_sent"], 0, "{said}");
    assert_ne!(said.code, Some(0), "{said}");
    assert!(took < Duration::from_secs(NEVER.into()) / 2, "{took:?}");
    assert!(sending.recipients().is_empty());
    let states = sending.states().await;
    assert!(states.keys().all(|state| state == "queued"), "nothing is half done: {states:?}");
    sending.retries_come_due().await;
    assert_eq!(sending.ran(0)["prompts_sent"], 6);
    let told: BTreeSet<String> = sending.recipients().into_iter().collect();
    assert_eq!((told.len(), sending.recipients().len()), (6, 6));
}

#[test]
fn a_database_whose_name_does_not_resolve_is_waited_for_as_long_as_is_written_and_no_longer() {
    let place = Place::new(&[
        ("\"sqlite://worker.db\"", "\"postgres://worker@database.example/worker\""),
        ("wait_seconds = 60", "wait_seconds = 2"),
    ]);
    let mut command = place.command(&["run-once"]);
    slow(&mut command, "database.example", NEVER);
    let began = Instant::now();
    let said = Said::by(command);
    let took = began.elapsed();
    assert_eq!(said.code, Some(1), "{said}");
    let (_, remedy) = said.complaint();
    assert!(!remedy.is_empty(), "{said}");
    said.progress();
    assert!(took < Duration::from_secs(NEVER.into()) / 2, "{took:?}");
}
