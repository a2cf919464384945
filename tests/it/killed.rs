//! A scan that is killed at any moment leaves the last complete one in force, whole.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::support::generated::{self, HEADER, State};
use crate::support::pg::Pg;
use crate::support::place::{Place, terminate};
use crate::support::said::Said;

/// So many that reading, judging and writing take their time each, also in a debug build,
/// and that a hundred rounds are over in half a minute.
const ROWS: usize = 1500;
const ROUNDS: usize = 100;

/// A place with both states of an inventory; which one is scanned is said by a link.
fn place(edits: &[(&str, &str)]) -> Place {
    let place = Place::with_inventory("now.csv", edits);
    place.write("before.csv", generated::csv(ROWS, State::Before));
    place.write("after.csv", generated::csv(ROWS, State::After));
    place
}

fn show(place: &Place, state: State) {
    let name = match state {
        State::Before => "before.csv",
        State::After => "after.csv",
    };
    let link = place.path("next.csv");
    std::os::unix::fs::symlink(name, &link).expect("a link");
    std::fs::rename(link, place.path("now.csv")).expect("a rename");
}

fn other(state: State) -> State {
    match state {
        State::Before => State::After,
        State::After => State::Before,
    }
}

/// Which scan is in force. Panics if it is neither one nor the other, whole.
fn in_force(place: &Place, known: &[(State, Value)]) -> State {
    let standing = place.standing();
    match known.iter().find(|(_, counts)| *counts == standing) {
        Some((state, _)) => *state,
        None => panic!("neither of {known:#?}\nis {standing:#}"),
    }
}

/// Starts a run and kills it after `delay`, if it is still there; tells whether it was.
fn kill_after(place: &Place, delay: Duration) -> bool {
    let mut command = place.command(&["run-once"]);
    let mut child = command.stdout(Stdio::null()).spawn().expect("the program");
    let mut stderr = child.stderr.take().expect("a pipe");
    let (ended, end) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        let _ = ended.send(());
    });
    let was_there = end.recv_timeout(delay) == Err(RecvTimeoutError::Timeout);
    if was_there {
        child.kill().expect("to be killed");
    }
    child.wait().expect("its end");
    reader.join().expect("its output");
    was_there
}

fn a_hundred_kills(place: &Place, seed: u64) {
    let mut known = Vec::new();
    let mut slowest = Duration::ZERO;
    for state in [State::Before, State::After, State::Before] {
        show(place, state);
        let started = Instant::now();
        place.done(&["run-once"]);
        slowest = slowest.max(started.elapsed());
        if known.len() < 2 {
            known.push((state, place.standing()));
        }
    }
    assert_ne!(known[0].1, known[1].1);
    assert_eq!(known[0].1["connections"], ROWS);

    let mut random = StdRng::seed_from_u64(seed);
    let mut state = State::Before;
    let (mut kills, mut completed) = (0, 0);
    for round in 0..ROUNDS {
        show(place, other(state));
        let delay = slowest.mul_f64(random.random_range(0.0..1.1));
        kills += usize::from(kill_after(place, delay));
        let now = in_force(place, &known);
        completed += usize::from(now != state);
        state = now;
        if round % 20 == 19 {
            show(place, other(state));
            place.done(&["run-once"]);
            state = other(state);
            assert_eq!(in_force(place, &known), state);
        }
    }
    assert!(kills > ROUNDS / 3, "{kills} kills, {completed} completed");
}

#[test]
fn a_hundred_kills_never_halve_a_scan_on_sqlite() {
    a_hundred_kills(&place(&[]), 1);
}

#[tokio::test]
async fn a_hundred_kills_never_halve_a_scan_on_postgres() {
    let pg = Pg::new().await;
    let url = format!("{:?}", pg.url());
    a_hundred_kills(&place(&[("\"sqlite://worker.db\"", &url)]), 2);
}

/// Starts a run that reads from a pipe, gives it half of the inventory, and terminates it.
fn terminated(place: &Place) -> Said {
    place.make_fifo("half.csv");
    place.configure_inventory("half.csv", &[]);
    let mut child = place.start(&["run-once"]);
    let mut inventory = place.open_fifo("half.csv");
    inventory.write_all(HEADER.as_bytes()).unwrap();
    // A bad row is told about at once: from then on the scan is in the middle of its work.
    inventory.write_all("none,,,,,\n".as_bytes()).unwrap();
    for number in 1..=ROWS {
        inventory.write_all(generated::row(number, State::After).as_bytes()).unwrap();
    }
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    assert!(first.contains("bad row"), "{first}");
    terminate(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    drop(inventory);
    let mut said = Said::of(child);
    said.err = first + &rest;
    said
}

#[test]
fn a_terminated_scan_changes_nothing_and_reports_last() {
    let place = place(&[]);
    show(&place, State::Before);
    place.done(&["run-once"]);
    let before = place.standing();
    let said = terminated(&place);
    assert_eq!(said.code, Some(1), "{said}");
    said.complains(1, "interrupted", "run again");
    let progress = said.progress();
    assert_eq!(progress["connections"], ROWS);
    assert_eq!(progress["broad_only"], before["broad_only"]);
    place.configure_inventory("now.csv", &[]);
    assert_eq!(place.standing(), before);
    place.done(&["run-once"]);
}
