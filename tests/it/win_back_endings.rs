//! How it ends for whoever was removed, and that several workers tell everybody once.

use chrono::{DateTime, Utc};
use worker::clock::{Clock, SystemClock};
use worker::inventory::Column;

use crate::support::inventory::id;
use crate::support::line::{Line, READY, line, lines};
use crate::support::said::Said;
use crate::support::sending::{BASES, Base, Sending, deadline};

const MANY_A_DAY: (&str, &str) = ("max_per_address_per_day = 1", "max_per_address_per_day = 99");

/// A campaign with nothing to say but what follows removals.
async fn quiet(base: Base, lines: &[Line]) -> Sending {
    let sending = Sending::new(base, lines).await;
    let (soon, later) = (deadline(100), deadline(300));
    sending.configure(&[MANY_A_DAY, (&soon, &later)]);
    sending.prepare();
    sending
}

/// The acts of a kind, of the connections that they are about.
fn recorded(sending: &Sending, kind: &str) -> usize {
    let listed = sending.worker(&["audit", "list", "--kind", kind, "--format", "json"]);
    assert_eq!(listed.code, Some(0), "{listed}");
    listed.json().as_array().expect("a list").len()
}

fn at(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339()
}

#[tokio::test]
async fn whoever_is_not_back_after_the_last_message_is_lost_which_is_recorded_once() {
    for base in BASES {
        let sending = quiet(base, &lines(0..3)).await;
        sending.removed(1).await;
        for (days, lost) in [(0, 0), (21, 0), (23, 1), (30, 1)] {
            sending.removals_were(days).await;
            sending.ran(0);
            assert_eq!(recorded(&sending, "lost"), lost, "{base:?} after {days} days");
        }
        let told = sending.worker(&["explain", &id("c", 1)]);
        assert!(told.out.contains("lost"), "{told}");
        let removals = sending.worker(&["report", "--format", "json"]).json()["removals"].clone();
        assert_eq!((&removals["lost"], &removals["returned"]), (&1.into(), &0.into()));
        // Better late than never.
        let mut rows = lines(0..3);
        rows[1] = line(1)
            .with(Column::ConnectionId, id("c", 101))
            .with(Column::Scopes, format!("{READY} accounting.contacts"))
            .with(Column::EvidenceAt, at(SystemClock.now()));
        sending.show(&rows);
        assert_eq!(sending.ran(0)["returned"], 1, "{base:?}");
        let report = sending.worker(&["report", "--format", "json"]).json();
        let removals = &report["removals"];
        assert_eq!((&removals["lost"], &removals["returned"]), (&0.into(), &1.into()));
        assert_eq!((recorded(&sending, "lost"), recorded(&sending, "returned")), (1, 1));
        let verified = sending.worker(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified}");
    }
}

#[tokio::test]
async fn several_workers_at_the_same_time_tell_everybody_of_a_removal_once() {
    // E22
    const PEOPLE: usize = 20;
    for base in BASES {
        for workers in [2, 6] {
            let sending = quiet(base, &lines(0..PEOPLE)).await;
            for person in 0..PEOPLE {
                sending.removed(person).await;
            }
            let run = || sending.command(&["run-once"]).spawn().expect("the program");
            let started: Vec<_> = (0..workers).map(|_| run()).collect();
            for said in started.into_iter().map(Said::of) {
                assert_eq!(said.code, Some(0), "{base:?} {workers}: {said}");
            }
            let mut told = sending.recipients();
            assert_eq!(told.len(), PEOPLE, "{base:?} {workers}");
            told.dedup();
            assert_eq!(told.len(), PEOPLE, "{base:?} {workers}: somebody got two");
            sending.ran(0);
            assert_eq!(sending.recipients().len(), PEOPLE, "{base:?} {workers}");
        }
    }
}
