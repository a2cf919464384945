//! A worker that is killed in the middle of sending: whoever it was writing to may get no
//! message, and never two (promise 5).

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::support::line::lines;
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::{Reaction, Step};
use crate::support::victim::Victim;

const RUN: [&str; 1] = ["run-once"];
const ROUNDS: usize = 100;
/// Messages of a round: some more than go over the four connections at a time.
const PEOPLE: usize = 6;

/// A campaign in which the worker is killed when `now` says so, before the server answers.
async fn killing(
    base: Base,
    people: usize,
    now: impl Fn(Step) -> bool + Send + Sync + 'static,
) -> (Sending, Victim) {
    let victim = Victim::default();
    let killer = victim.clone();
    let react = move |moment: &crate::support::smtp::Moment| {
        if now(moment.step) {
            killer.kill();
        }
        Reaction::Usual
    };
    let sending = Sending::with(base, &lines(0..people), react, well).await;
    sending.prepare();
    (sending, victim)
}

/// Kills at `step`, and never after.
async fn killed_at(base: Base, step: Step) -> Sending {
    let armed = AtomicUsize::new(1);
    let is_now = move |at| at == step && armed.swap(0, Ordering::SeqCst) == 1;
    let (sending, victim) = killing(base, 1, is_now).await;
    let (status, said) = victim.run(sending.command(&RUN), |_| {});
    assert_eq!(status.signal(), Some(9), "{base:?} {step:?}: {said}");
    sending
}

#[tokio::test]
async fn whoever_was_written_to_when_the_worker_was_killed_is_never_written_to_again() {
    // E23: the server may have taken it.
    let steps = [
        Step::Banner,
        Step::Ehlo,
        Step::Starttls,
        Step::Tls,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Message,
        Step::Dot,
    ];
    for base in BASES {
        for step in steps {
            let sending = killed_at(base, step).await;
            let may_arrive = match step {
                Step::Dot => 1..=1,
                // All of it may have been on its way.
                Step::Message => 0..=1,
                _ => 0..=0,
            };
            assert_eq!(sending.states().await, BTreeMap::from([("sending".to_owned(), 1)]));
            let meanwhile = sending.ran(0);
            assert_eq!(meanwhile["prompts_unknown"], 0, "its lease still runs: {step:?}");
            sending.leases_run_out().await;
            let found = sending.ran(3);
            assert_eq!((&found["prompts_unknown"], &found["prompts_sent"]), (&1.into(), &0.into()));
            assert_eq!(sending.ran(0)["prompts_unknown"], 0, "said once");
            assert_eq!(sending.states().await, BTreeMap::from([("unknown".to_owned(), 1)]));
            assert!(may_arrive.contains(&sending.recipients().len()), "{base:?} {step:?}");
        }
    }
}

/// Says of the only prompt what became of it.
async fn settle(sending: &Sending, became: &str) {
    let id = match sending.pg {
        Some(_) => "SELECT CAST(prompt_id AS text) FROM prompts",
        None => "SELECT lower(hex(prompt_id)) FROM prompts",
    };
    let id = sending.texts(id).await.pop().expect("a prompt");
    let settled = sending.worker(&["settle", &id, "--as", became, "--by", "ann"]);
    assert_eq!(settled.code, Some(0), "{settled}");
}

/// Something that keeps others from writing to the database until it is dropped.
struct Lock(#[expect(dead_code, reason = "held")] Held);

enum Held {
    Sqlite(#[expect(dead_code, reason = "held")] SqliteConnection),
    Postgres(#[expect(dead_code, reason = "held")] PgConnection),
}

impl Lock {
    async fn on(url: &str) -> Self {
        if url.starts_with("postgres") {
            let mut held = PgConnection::connect(url).await.unwrap();
            held.execute("BEGIN; LOCK TABLE prompts IN EXCLUSIVE MODE").await.unwrap();
            Self(Held::Postgres(held))
        } else {
            let mut held = SqliteConnection::connect(url).await.unwrap();
            held.execute("BEGIN IMMEDIATE").await.unwrap();
            Self(Held::Sqlite(held))
        }
    }
}

/// A campaign whose worker is killed after the server's answer came and before it was
/// written down.
async fn killed_before_its_commit(base: Base) -> Sending {
    type Shared<T> = Arc<Mutex<T>>;
    let (url, locks): (Shared<String>, Shared<Vec<Lock>>) = Default::default();
    let (to, held) = (Arc::clone(&url), Arc::clone(&locks));
    let react = move |moment: &crate::support::smtp::Moment| {
        let url = to.lock().unwrap().clone();
        if moment.step == Step::Dot && !url.is_empty() {
            let lock = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.unwrap();
                let lock = runtime.block_on(Lock::on(&url));
                // The connection lives on in it.
                std::mem::forget(runtime);
                lock
            });
            held.lock().unwrap().push(lock.join().unwrap());
        }
        Reaction::Usual
    };
    let sending = Sending::with(base, &lines(0..1), react, well).await;
    sending.prepare();
    *url.lock().unwrap() = match &sending.pg {
        Some(pg) => pg.url(),
        None => format!("sqlite://{}", sending.place.database().display()),
    };
    let victim = Victim::default();
    let killer = victim.clone();
    let mut command = sending.command(&RUN);
    command.env("WORKER_LOG_LEVEL", "debug");
    let (status, said) = victim.run(command, |said| {
        if said.contains("prompt sent") {
            killer.kill();
        }
    });
    assert_eq!(status.signal(), Some(9), "{said}");
    url.lock().unwrap().clear();
    locks.lock().unwrap().clear();
    sending
}

#[tokio::test]
async fn what_was_answered_but_not_written_down_is_unknown_until_somebody_settles_it() {
    // E23: accepted, and the answer lost.
    for base in BASES {
        let sending = killed_before_its_commit(base).await;
        assert_eq!(sending.recipients().len(), 1);
        assert_eq!(sending.states().await, BTreeMap::from([("sending".to_owned(), 1)]));
        sending.leases_run_out().await;
        assert_eq!(sending.ran(3)["prompts_unknown"], 1);
        settle(&sending, "sent").await;
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(sending.recipients().len(), 1, "{base:?}");
    }
}

#[tokio::test]
async fn what_somebody_says_was_not_sent_is_sent_once_more_and_only_once() {
    for base in BASES {
        let sending = killed_at(base, Step::Data).await;
        sending.leases_run_out().await;
        sending.ran(3);
        settle(&sending, "not-sent").await;
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(sending.recipients().len(), 1, "{base:?}");
    }
}

/// Kills a hundred runs at random: half of them when the mail server has come to a random
/// moment, half after a random time.
async fn a_hundred_kills(base: Base, seed: u64) {
    let countdown = Arc::new(AtomicUsize::new(usize::MAX));
    let left = Arc::clone(&countdown);
    let is_now = move |_| left.fetch_sub(1, Ordering::SeqCst) == 0;
    let (sending, victim) = killing(base, PEOPLE, is_now).await;
    let started = Instant::now();
    assert_eq!(sending.ran(0)["prompts_sent"], PEOPLE);
    let whole = started.elapsed();
    sending.forget_prompts().await;
    let mut random = StdRng::seed_from_u64(seed);
    let (mut kills, mut unknown, mut campaigns) = (0, 0, 0);
    for round in 0..ROUNDS {
        let status = if round % 2 == 0 {
            countdown.store(random.random_range(0..40), Ordering::SeqCst);
            let (status, _) = victim.run(sending.command(&RUN), |_| {});
            countdown.store(usize::MAX, Ordering::SeqCst);
            status
        } else {
            let limit = whole.mul_f64(random.random_range(0.2..0.9));
            victim.run_for(sending.command(&RUN), limit)
        };
        kills += usize::from(status.signal() == Some(9));
        let code = status.code();
        assert!(matches!(code, None | Some(0 | 3)), "round {round} ended with {code:?}");
        // Most of the time another begins while the leases still run.
        if random.random_bool(0.9) {
            sending.leases_run_out().await;
        }
        let arrived = sending.recipients();
        let mut once = arrived.clone();
        once.dedup();
        assert_eq!(arrived, once, "round {round}: somebody got two");
        let states = sending.states().await;
        let of = |state: &str| states.get(state).copied().unwrap_or_default();
        assert!(of("sent") <= arrived.len(), "round {round}: sent is what arrived: {states:?}");
        if of("sent") + of("unknown") == PEOPLE {
            let lost = PEOPLE - arrived.len();
            assert!(lost <= of("unknown"), "round {round}: {states:?}");
            unknown += of("unknown");
            campaigns += 1;
            sending.forget_prompts().await;
        }
    }
    assert!(kills > ROUNDS / 5, "{kills} kills");
    assert!(unknown > 3 && campaigns > 2, "{unknown} unknown in {campaigns} campaigns");
    // Nothing is left behind that no run would take up.
    sending.leases_run_out().await;
    sending.run();
    let states = sending.states().await;
    let settled = ["sent", "unknown"].map(|state| states.get(state).copied().unwrap_or_default());
    assert_eq!(settled.iter().sum::<usize>(), PEOPLE, "{states:?}");
}

#[tokio::test]
async fn a_hundred_kills_write_to_nobody_twice_on_sqlite() {
    a_hundred_kills(Base::Sqlite, 1).await;
}

#[tokio::test]
async fn a_hundred_kills_write_to_nobody_twice_on_postgres() {
    a_hundred_kills(Base::Postgres, 2).await;
}

#[tokio::test]
async fn the_file_beside_is_there_before_the_first_message_is_counted() {
    // A worker that was killed in between would have found its database moved.
    let sending = Sending::new(Base::Sqlite, &lines(0..2)).await;
    sending.prepare();
    let beside = sending.place.path("worker.db-ledger");
    std::os::unix::fs::symlink(sending.place.path("no/such/folder"), &beside).unwrap();
    sending.ran(1);
    assert_eq!(sending.states().await, BTreeMap::new(), "nothing is leased");
    std::fs::remove_file(&beside).unwrap();
    assert_eq!(sending.ran(0)["prompts_sent"], 2);
}
