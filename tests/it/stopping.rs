//! Runs that may not go on as long as they would: whose time is used up, that do not come to
//! their end when they are asked to stop, or whose database says nothing any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use worker::clock::Clock;
use worker::jobs::exit::Exit;
use worker::simulation::xero::http::Reaction;

use crate::support::leap::LeapClock;
use crate::support::line::lines;
use crate::support::removing::{Removing, each};
use crate::support::replica::Replica;
use crate::support::sending::{Base, Sending, well};
use crate::support::silent::Network;
use crate::support::smtp::{Moment, Reaction as Mail, Step};

async fn signed(clock: &Arc<LeapClock>, people: u32) -> Removing {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let removing = Removing::by(clock, Base::Sqlite, &each(0..people), &[]).await;
    removing.prepare().await;
    removing.approve();
    removing
}

#[tokio::test]
async fn a_run_whose_time_is_used_up_leaves_the_rest_to_the_next() {
    let clock = Arc::new(LeapClock::default());
    let removing = signed(&clock, 3).await;
    let calls = ("calls_per_minute = 60000", "calls_per_minute = 2");
    removing.configure(&[calls, ("budget_minutes = 50", "budget_minutes = 3")]);
    clock.leap(TimeDelta::minutes(2));
    let began = clock.now();
    let finished = clock.holds_and_runs(&removing.sending.place, &CancellationToken::new()).await;
    let took = clock.now() - began;
    assert!(took < TimeDelta::minutes(4), "{took}");
    let done = finished.progress.removals_done.unwrap();
    assert!((1..3).contains(&done), "{finished:?}");
    assert_eq!((finished.exit, removing.deletes() as u64), (Exit::CouldNotRun, done));
    let states = removing.states().await;
    assert!(!states.contains_key("leased") && !states.contains_key("deleting"), "{states:?}");
    // Another has the time that it takes.
    clock.leap(TimeDelta::minutes(1));
    removing.configure(&[]);
    let finished = clock.holds_and_runs(&removing.sending.place, &CancellationToken::new()).await;
    assert_eq!(finished.progress.removals_done, Some(3 - done), "{finished:?}");
    assert_eq!((finished.exit, removing.deletes()), (Exit::Done, 3));
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_left_and_settled_as_after_a_crash() {
    let clock = Arc::new(LeapClock::default());
    let removing = signed(&clock, 2).await;
    let (cancel, asked) = (CancellationToken::new(), AtomicUsize::new(0));
    let stop = cancel.clone();
    removing.xero.watch(move |request, comes| {
        if !comes || request.method != "DELETE" {
            return None;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        stop.cancel();
        Some(Reaction::Silence)
    });
    let began = clock.now();
    let finished = clock.holds_and_runs(&removing.sending.place, &cancel).await;
    let took = clock.now() - began;
    assert_eq!(finished.exit, Exit::CouldNotRun, "{finished:?}");
    assert!((TimeDelta::seconds(25)..TimeDelta::seconds(60)).contains(&took), "{took}");
    let states = removing.states().await;
    assert!(states.contains_key("deleting") && !states.contains_key("removed"), "{states:?}");
    removing.xero.watch(|_, _| None);
    removing.leases_run_out().await;
    let ran = removing.ran(0);
    assert_eq!(ran["removals_done"], 2, "{ran}");
    assert_eq!(removing.connected(), 0);
}

const PEOPLE: usize = 6;

/// A campaign whose network to the database falls silent when the third message has come in.
async fn silent_at_the_third() -> (Sending, Arc<Network>) {
    let network: Arc<std::sync::OnceLock<Arc<Network>>> = Arc::default();
    let (known, count) = (Arc::clone(&network), AtomicUsize::new(0));
    let react = move |moment: &Moment| {
        if moment.step == Step::Dot && count.fetch_add(1, Ordering::SeqCst) == 2 {
            known.get().expect("a network").falls_silent();
        }
        Mail::Usual
    };
    let sending = Sending::with(Base::Postgres, &lines(0..PEOPLE), react, well).await;
    sending.prepare();
    let pg = sending.pg.as_ref().expect("PostgreSQL");
    let between = Arc::new(Network::before(pg));
    assert!(network.set(Arc::clone(&between)).is_ok());
    let url = (&*format!("{:?}", pg.url()), &*format!("{:?}", between.url));
    let one = ("connections = 4", "connections = 1");
    sending.configure(&[url, one, ("budget_minutes = 50", "budget_minutes = 1")]);
    (sending, between)
}

#[tokio::test]
async fn a_network_that_comes_back_in_time_is_waited_for() {
    let (sending, network) = silent_at_the_third().await;
    let mut run = Replica::start(sending.command(&["run-once"]));
    network.holds_something();
    assert!(sending.recipients().len() < PEOPLE);
    network.speaks_again();
    assert_eq!(run.ends(), Some(0), "{:#?}", run.lines());
    let mut told = sending.recipients();
    assert_eq!(told.len(), PEOPLE);
    told.dedup();
    assert_eq!(told.len(), PEOPLE, "each once");
}

#[tokio::test]
async fn a_network_that_stays_silent_ends_the_run_with_its_time_and_nothing_is_sent_twice() {
    let (sending, network) = silent_at_the_third().await;
    let clock = Arc::new(LeapClock::default());
    let finished = clock.holds_and_runs(&sending.place, &CancellationToken::new()).await;
    assert_eq!(finished.exit, Exit::CouldNotRun, "{finished:?}");
    let so_far = sending.recipients().len();
    assert!(so_far < PEOPLE);
    network.speaks_again();
    // The answer to the last one could not be written down: it is unknown, and never sent again.
    sending.leases_run_out().await;
    sending.execute("UPDATE leases SET until = '2020-01-01T00:00:00.000000+00:00'").await;
    sending.configure(&[]);
    sending.ran(3);
    let mut told = sending.recipients();
    told.dedup();
    assert_eq!(told.len(), sending.recipients().len(), "nobody got two");
    assert_eq!(told.len(), PEOPLE);
}
