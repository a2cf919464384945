//! Removing where calls are few and time is short: what is looked at again is removed within
//! the minute after, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use worker::clock::Clock;
use worker::jobs::exit::Exit;

use crate::support::leap::LeapClock;
use crate::support::removing::{Removing, each};
use crate::support::sending::Base;

fn is_list(request: &worker::simulation::xero::http::Request) -> bool {
    request.method == "GET" && request.path == "/connections"
}

/// A campaign whose plan is signed, in a world that goes by this clock.
async fn signed(clock: &Arc<LeapClock>, people: u32, edits: &[(&str, &str)]) -> Removing {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let removing = Removing::by(clock, Base::Sqlite, &each(0..people), edits).await;
    removing.prepare().await;
    removing.approve();
    removing
}

#[tokio::test]
async fn two_calls_a_minute_make_removing_slow_and_nothing_else() {
    let clock = Arc::new(LeapClock::default());
    let removing = signed(&clock, 3, &[]).await;
    removing.configure(&[("calls_per_minute = 60000", "calls_per_minute = 2")]);
    removing.xero.model().limiter.per_minute = Some(2);
    // What the other runs asked of Xero was in another minute.
    clock.leap(TimeDelta::minutes(2));
    let looked: Arc<std::sync::Mutex<Option<DateTime<Utc>>>> = Arc::default();
    let (seen, time) = (Arc::clone(&looked), Arc::clone(&clock));
    let late = Arc::new(AtomicUsize::new(0));
    let too_late = Arc::clone(&late);
    removing.xero.watch(move |request, comes| {
        let mut seen = seen.lock().expect("nobody panics here");
        if comes && is_list(request) {
            *seen = Some(time.now());
        } else if comes && request.method == "DELETE" {
            let in_time = seen.is_some_and(|at| time.now() - at < TimeDelta::minutes(1));
            too_late.fetch_add(usize::from(!in_time), Ordering::SeqCst);
        }
        None
    });
    let finished = removing.runs_by(&clock).await;
    assert_eq!(finished.progress.removals_done, Some(3), "{finished:?}");
    assert_eq!((finished.exit, removing.deletes()), (Exit::Done, 3));
    assert_eq!(late.load(Ordering::SeqCst), 0, "each was looked at within the minute before");
    assert_eq!(removing.xero.model().limiter.refused(), 0);
}

#[tokio::test]
async fn what_was_looked_at_twice_in_vain_is_held_back_and_goes_later() {
    let clock = Arc::new(LeapClock::default());
    let removing = signed(&clock, 2, &[]).await;
    let (lists, time) = (AtomicUsize::new(0), Arc::clone(&clock));
    removing.xero.watch(move |request, comes| {
        // After the scan's own list, each look takes so long that it does not hold any more.
        let is_look = !comes && is_list(request) && lists.fetch_add(1, Ordering::SeqCst) > 0;
        if is_look {
            time.leap(TimeDelta::seconds(41));
        }
        None
    });
    let finished = removing.runs_by(&clock).await;
    let progress = &finished.progress;
    assert_eq!((progress.removals_done, progress.held_back), (Some(0), Some(2)), "{finished:?}");
    assert_eq!((finished.exit, removing.deletes()), (Exit::Done, 0));
    let why = removing.sending.texts("SELECT outcome FROM removals").await;
    assert_eq!(why, ["not_looked_at", "not_looked_at"]);
    removing.xero.watch(|_, _| None);
    assert_eq!(removing.runs_by(&clock).await.progress.removals_done, Some(2));
}

#[tokio::test]
async fn nothing_is_begun_right_before_the_deadline_even_if_all_else_was_ready() {
    let clock = Arc::new(LeapClock::default());
    let one = [("max_per_run = 50\nmax_per_day = 200", "max_per_run = 1\nmax_per_day = 200")];
    let removing = signed(&clock, 2, &one).await;
    let far = "UPDATE plans SET valid_until = '2099-01-01T00:00:00.000000+00:00'";
    removing.sending.execute(far).await;
    let deadline = removing.sending.place.config().campaign.deadline;
    clock.leap(deadline - TimeDelta::minutes(4) - clock.now());
    assert_eq!(removing.runs_by(&clock).await.progress.removals_done, Some(1));
    clock.leap(deadline - TimeDelta::minutes(3) - clock.now());
    let (lists, time) = (AtomicUsize::new(0), Arc::clone(&clock));
    removing.xero.watch(move |request, comes| {
        if !comes && is_list(request) && lists.fetch_add(1, Ordering::SeqCst) == 1 {
            time.leap(TimeDelta::seconds(61));
        }
        None
    });
    let finished = removing.runs_by(&clock).await;
    assert_eq!(finished.progress.removals_done, Some(0), "{finished:?}");
    assert_eq!((finished.exit, removing.deletes()), (Exit::Done, 1));
}
