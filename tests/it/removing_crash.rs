//! Workers that are killed, paused, stopped or doubled in the middle of removing.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use worker::clock::{Clock, SystemClock};
use worker::simulation::xero::http::Reaction;

use crate::support::place::terminate;
use crate::support::removing::{Removing, each};
use crate::support::said::Said;
use crate::support::sending::{BASES, Base};
use crate::support::victim::Victim;

const PER_RUN: &str = "max_per_run = 50\nmax_per_day = 200";
const RUN: [&str; 3] = ["run-once", "--format", "json"];

async fn signed(base: Base, people: u32, edits: &[(&str, &str)]) -> Removing {
    let removing = Removing::with(base, &each(0..people), edits).await;
    removing.prepare().await;
    removing.approve();
    removing
}

/// Kills the worker when a DELETE comes (`before` it takes effect, which it then does not) or
/// has taken effect.
fn kill_at_delete(removing: &Removing, victim: &Victim, before: bool) {
    let victim = victim.clone();
    removing.xero.watch(move |request, comes| {
        if request.method != "DELETE" || comes != before {
            return None;
        }
        victim.kill();
        Some(Reaction::Reset)
    });
}

#[tokio::test]
async fn a_worker_killed_around_a_delete_loses_repeats_and_miscounts_nothing() {
    for base in BASES {
        for before in [true, false] {
            let removing =
                signed(base, 3, &[(PER_RUN, "max_per_run = 1\nmax_per_day = 200")]).await;
            let victim = Victim::default();
            kill_at_delete(&removing, &victim, before);
            let (status, said) = victim.run(removing.command(&RUN), |_| {});
            assert_eq!(status.signal(), Some(9), "{said}");
            assert_eq!(removing.deletes(), 1);
            assert_eq!(removing.states().await["deleting"], 1, "{base:?}");
            removing.xero.watch(|_, _| None);
            // As long as its lease runs, it is in its hands.
            removing.ran(0);
            assert_eq!(removing.deletes(), 2, "the other two are nobody's yet");
            removing.leases_run_out().await;
            // The list tells whether it took effect; if not, it is tried again.
            let ran = removing.ran(0);
            let done = removing.states().await["removed"];
            assert_eq!(3 - removing.connected(), done, "{base:?} {before}: {ran}");
            assert_eq!(removing.deletes(), 3, "{base:?} {before}");
            removing.ran(0);
            assert_eq!(removing.connected(), 0, "{base:?} {before}");
            assert_eq!(removing.deletes(), if before { 4 } else { 3 }, "{base:?} {before}");
        }
    }
}

#[tokio::test]
async fn what_was_only_leased_by_a_killed_worker_goes_back() {
    // Killed at its second list: what it leased was about to be looked at.
    for base in BASES {
        let removing = signed(base, 3, &[]).await;
        let victim = Victim::default();
        let (killer, lists) = (victim.clone(), AtomicUsize::new(0));
        removing.xero.watch(move |request, comes| {
            let is_list = comes && request.path == "/connections";
            if is_list && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                killer.kill();
            }
            None
        });
        victim.run(removing.command(&RUN), |_| {});
        assert_eq!(removing.states().await["leased"], 3, "{base:?}");
        removing.xero.watch(|_, _| None);
        removing.leases_run_out().await;
        assert_eq!(removing.ran(0)["removals_done"], 3, "{base:?}");
        assert_eq!(removing.deletes(), 3);
    }
}

/// Kills runs at random calls until everybody is removed; each is removed exactly once.
async fn many_kills(base: Base, seed: u64) {
    const PEOPLE: u32 = 12;
    let removing =
        signed(base, PEOPLE, &[("max_drift_percent = 10", "max_drift_percent = 100")]).await;
    let victim = Victim::default();
    let countdown = Arc::new(AtomicUsize::new(usize::MAX));
    let (killer, left) = (victim.clone(), Arc::clone(&countdown));
    let effects = Arc::new(AtomicUsize::new(0));
    removing.xero.watch(move |_, _| {
        if left.fetch_sub(1, Ordering::SeqCst) == 0 {
            killer.kill();
        }
        None
    });
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    for round in 0..60 {
        countdown.store(random.random_range(2..14), Ordering::SeqCst);
        let (status, said) = victim.run(removing.command(&RUN), |_| {});
        countdown.store(usize::MAX, Ordering::SeqCst);
        kills += usize::from(status.signal() == Some(9));
        assert!(matches!(status.code(), None | Some(0 | 3)), "round {round}: {status} {said}");
        if random.random_bool(0.8) {
            removing.leases_run_out().await;
        }
        let removed = removing.xero.model().removed().to_vec();
        let mut once: Vec<_> = removed.iter().map(|one| one.tenant).collect();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), removed.len(), "round {round}: a tenant was removed twice");
        let states = removing.states().await;
        let known = states.get("removed").copied().unwrap_or_default();
        assert!(known <= removed.len(), "round {round}: removed is what took effect: {states:?}");
        effects.store(removed.len(), Ordering::SeqCst);
        if removing.connected() == 0 && known == PEOPLE as usize {
            break;
        }
    }
    removing.leases_run_out().await;
    removing.worker(&RUN);
    let states = removing.states().await;
    let of = |state: &str| states.get(state).copied().unwrap_or_default();
    assert!(kills > 3, "{kills} kills");
    assert_eq!(removing.connected(), 0, "{states:?}");
    assert_eq!(of("removed"), PEOPLE as usize, "{states:?}");
}

#[tokio::test]
async fn many_kills_remove_everybody_exactly_once_on_sqlite() {
    many_kills(Base::Sqlite, 3).await;
}

#[tokio::test]
async fn many_kills_remove_everybody_exactly_once_on_postgres() {
    many_kills(Base::Postgres, 4).await;
}

#[tokio::test]
async fn two_replicas_remove_each_once_and_share_one_cap() {
    // E8, E22
    for cap in [5, 50] {
        let most = format!("max_per_day = {cap}");
        let removing = signed(Base::Postgres, 12, &[("max_per_day = 200", &most)]).await;
        let started: Vec<std::process::Child> =
            (0..2).map(|_| removing.command(&RUN).spawn().expect("the program")).collect();
        let said: Vec<Said> = started.into_iter().map(Said::of).collect();
        for said in &said {
            assert_eq!(said.code, Some(0), "{said}");
        }
        let done: u64 =
            said.iter().map(|said| said.progress()["removals_done"].as_u64().unwrap()).sum();
        assert_eq!(done, cap.min(12), "{} {}", said[0], said[1]);
        assert_eq!(removing.deletes() as u64, cap.min(12));
    }
}

#[tokio::test]
async fn a_pause_stops_all_but_what_is_on_its_way() {
    for base in BASES {
        let removing = Arc::new(signed(base, 12, &[]).await);
        let (shared, seen) = (Arc::downgrade(&removing), AtomicUsize::new(0));
        removing.xero.watch(move |request, comes| {
            if comes && request.method == "DELETE" && seen.fetch_add(1, Ordering::SeqCst) == 0 {
                let removing = shared.upgrade()?;
                removing.done(&["pause", "--reason", "wait", "--by", "ann"], 0);
            }
            None
        });
        let ran = removing.ran(0);
        let done = removing.deletes();
        assert!(done <= 6, "{base:?}: {done} went on");
        assert_eq!(ran["removals_done"], done);
        removing.done(&["resume", "--by", "ann"], 0);
        assert_eq!(removing.ran(0)["removals_done"], 12 - done);
    }
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_settles_what_is_on_its_way() {
    for base in BASES {
        let removing = Arc::new(signed(base, 12, &[]).await);
        let child = Arc::new(std::sync::Mutex::new(None::<std::process::Child>));
        let (shared, seen) = (Arc::clone(&child), AtomicUsize::new(0));
        removing.xero.watch(move |request, comes| {
            if comes && request.method == "DELETE" && seen.fetch_add(1, Ordering::SeqCst) == 0 {
                let child = shared.lock().unwrap();
                terminate(child.as_ref().unwrap());
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            None
        });
        *child.lock().unwrap() = Some(removing.command(&RUN).spawn().expect("the program"));
        let ended = async {
            loop {
                SystemClock.sleep(TimeDelta::milliseconds(20)).await;
                if child.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_some() {
                    return;
                }
            }
        };
        ended.await;
        let said = Said::of(child.lock().unwrap().take().unwrap());
        assert_eq!(said.code, Some(1), "{said}");
        let states = removing.states().await;
        assert!(!states.contains_key("deleting") && !states.contains_key("leased"), "{states:?}");
        assert_eq!(states["removed"], removing.deletes(), "{base:?}: {states:?}");
        assert!(removing.deletes() < 12, "{base:?}");
        assert_eq!(removing.ran(0)["removals_done"], 12 - states["removed"]);
    }
}
