//! Several workers at the same time on one PostgreSQL: each prompt goes out at most once, and
//! the caps hold for all of them together (E22, E44).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::line::lines;
use crate::support::said::Said;
use crate::support::sending::{BASES, BY_BOTH, Base, Sending, well};
use crate::support::smtp::{Moment, Reaction, Step};
use crate::support::victim::Victim;

const RUN: [&str; 1] = ["run-once"];

/// So many at the same time; all end.
fn together(sending: &Sending, count: usize) -> Vec<Said> {
    let children: Vec<_> =
        (0..count).map(|_| sending.command(&RUN).spawn().expect("the program")).collect();
    children.into_iter().map(Said::of).collect()
}

fn sum(ended: &[Said], field: &str) -> u64 {
    ended.iter().map(|said| said.progress()[field].as_u64().expect("a number")).sum()
}

fn assert_done(ended: &[Said]) {
    for said in ended {
        assert_eq!(said.code, Some(0), "{said}");
    }
}

fn assert_once(sending: &Sending) {
    let all = sending.recipients();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(all.len(), distinct.len(), "somebody got two");
}

#[tokio::test]
async fn two_and_eight_workers_at_the_same_time_send_each_prompt_once() {
    // E22
    for base in BASES {
        for count in [2, 8] {
            let sending = Sending::new(base, &lines(0..150)).await;
            sending.configure(&[BY_BOTH]);
            sending.prepare();
            let ended = together(&sending, count);
            assert_done(&ended);
            assert_eq!(sum(&ended, "prompts_sent"), 300, "{base:?} {count}");
            assert_eq!((sending.recipients().len(), sending.hooks().len()), (150, 150));
            assert_once(&sending);
        }
    }
}

#[tokio::test]
async fn the_caps_of_a_day_hold_for_all_workers_together() {
    for base in BASES {
        for (from, to) in
            [("max_per_day = 10000", "max_per_day = 70"), ("ramp = []", "ramp = [70]")]
        {
            let sending = Sending::new(base, &lines(0..150)).await;
            sending.configure(&[(from, to)]);
            sending.prepare();
            let ended = together(&sending, 6);
            assert_done(&ended);
            assert_eq!(sum(&ended, "prompts_sent"), 70, "{base:?} {to}");
            assert_eq!(sending.recipients().len(), 70);
            assert_once(&sending);
        }
    }
}

#[tokio::test]
async fn the_mail_rate_holds_for_all_workers_together() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&times);
    let react = move |moment: &Moment| {
        if moment.step == Step::Mail {
            noted.lock().unwrap().push(Instant::now());
        }
        Reaction::Usual
    };
    let sending = Sending::with(Base::Postgres, &lines(0..60), react, well).await;
    // Twenty in a second.
    sending.configure(&[("max_per_minute = 60000", "max_per_minute = 1200")]);
    sending.prepare();
    assert_done(&together(&sending, 4));
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 60);
    let took = *times.last().unwrap() - times[0];
    // A second's worth may be made up for at the beginning.
    assert!(took >= Duration::from_millis(1800), "60 mails took {took:?}");
}

/// The stages that are not due: trying their templates would be most of what a worker does
/// that has two dozen mails to send.
fn other_stages() -> [&'static str; 2] {
    const SHIPPED: &str = include_str!("../../jobs.toml");
    let stage = |name: &str| {
        SHIPPED.find(&format!("[[campaign.stages]]\nname = \"{name}\"")).expect("a stage")
    };
    let end = SHIPPED.find("# Messages:").expect("what follows the stages");
    [&SHIPPED[stage("invitation")..stage("reminder")], &SHIPPED[stage("second-reminder")..end]]
}

/// Rounds for each number of workers, a hundred together; `ROUNDS=100 cargo test …` runs more.
fn rounds() -> usize {
    std::env::var_os("ROUNDS").and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(50)
}

const PEOPLE: usize = 24;

/// Rounds in which so many workers run and are killed: in every second round all of
/// them, when the mail server has a random message whole and has not answered; in the others
/// each after a random time.
async fn killed_at_random(count: usize, seed: u64) {
    let victims: Vec<Victim> = (0..count).map(|_| Victim::default()).collect();
    let countdown = Arc::new(AtomicUsize::new(usize::MAX));
    let (killers, left) = (victims.clone(), Arc::clone(&countdown));
    let react = move |moment: &Moment| {
        if moment.step == Step::Dot && left.fetch_sub(1, Ordering::SeqCst) == 0 {
            killers.iter().for_each(Victim::kill);
        }
        Reaction::Usual
    };
    let sending = Sending::with(Base::Postgres, &lines(0..PEOPLE), react, well).await;
    let [first, others] = other_stages();
    sending.configure(&[(first, ""), (others, ""), ("min_prompts = 3", "min_prompts = 1")]);
    sending.prepare();
    let started = Instant::now();
    assert_done(&together(&sending, count));
    let whole = started.elapsed();
    sending.forget_prompts().await;
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..rounds() {
        let at_a_message = round % 2 == 0;
        if at_a_message {
            countdown.store(random.random_range(0..PEOPLE), Ordering::SeqCst);
        }
        let threads: Vec<_> = victims
            .iter()
            .cloned()
            .map(|victim| {
                let command = sending.command(&RUN);
                let limit = whole.mul_f64(random.random_range(0.3..1.5));
                std::thread::spawn(move || match at_a_message {
                    true => victim.run(command, |_| {}).0,
                    false => victim.run_for(command, limit),
                })
            })
            .collect();
        for thread in threads {
            let code = thread.join().unwrap().code();
            assert!(matches!(code, None | Some(0 | 3)), "round {round}: {code:?}");
        }
        countdown.store(usize::MAX, Ordering::SeqCst);
        sending.leases_run_out().await;
        assert_once(&sending);
        let last = sending.run();
        assert!(matches!(last.code, Some(0 | 3)), "round {round}: {last}");
        assert_once(&sending);
        let states = sending.states().await;
        let of = |state: &str| states.get(state).copied().unwrap_or_default();
        assert_eq!(of("sent") + of("unknown"), PEOPLE, "round {round}: {states:?} {last}");
        let arrived = sending.recipients().len();
        assert!((of("sent")..=PEOPLE).contains(&arrived), "round {round}: {states:?}");
        assert!(!at_a_message || of("unknown") > 0, "round {round}: one was left unanswered");
        sending.forget_prompts().await;
    }
}

#[tokio::test]
async fn two_workers_that_are_killed_at_random_write_to_nobody_twice() {
    killed_at_random(2, 3).await;
}

#[tokio::test]
async fn eight_workers_that_are_killed_at_random_write_to_nobody_twice() {
    killed_at_random(8, 4).await;
}

fn signal(name: &str, pid: u32) {
    let pid = pid.to_string();
    assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
}

#[tokio::test]
async fn a_worker_that_stood_still_while_another_took_over_sends_nothing_when_it_wakes() {
    // E44: it believes that it still holds what it leased.
    for base in BASES {
        let sleeper: Arc<Mutex<Option<u32>>> = Arc::default();
        let (pid, (stopped, is_stopped)) = (Arc::clone(&sleeper), mpsc::channel());
        let react = move |moment: &Moment| {
            if moment.step == Step::Dot
                && let Some(pid) = pid.lock().unwrap().take()
            {
                signal("-STOP", pid);
                stopped.send(()).expect("the test waits");
            }
            Reaction::Usual
        };
        let sending = Sending::with(base, &lines(0..5), react, well).await;
        sending.configure(&[("connections = 4", "connections = 1")]);
        sending.prepare();
        let child = {
            let mut sleeper = sleeper.lock().unwrap();
            let child = sending.command(&RUN).spawn().expect("the program");
            *sleeper = Some(child.id());
            child
        };
        is_stopped.recv().expect("it came to its first message");
        sending.leases_run_out().await;
        let other = sending.run();
        assert_eq!(other.code, Some(3), "one is unknown: {other}");
        assert_eq!(other.progress()["prompts_sent"], 4, "{base:?}");
        signal("-CONT", child.id());
        let woken = Said::of(child);
        assert_eq!(woken.progress()["prompts_sent"], 1, "{woken}");
        // Whichever it comes to first: the prompt's lease, or the job's.
        let is_told = woken.err.contains("another worker has taken it over")
            || woken.err.contains("another process has taken this job over");
        assert!(is_told, "{woken}");
        assert_eq!(sending.recipients().len(), 5);
        assert_once(&sending);
        let sent = BTreeMap::from([("sent".to_owned(), 5)]);
        assert_eq!(sending.states().await, sent, "its late answer settles what was unknown");
    }
}
