//! Databases that go away for a while and come back: restarts, crashes, standbys, and clocks
//! that are wrong. Work goes on where it was, or the run ends with 1 and nothing half done.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};

use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use worker::clock::ShiftedClock;
use worker::config::{Config, Origin};
use worker::jobs::exit::Exit;
use worker::jobs::progress::Unwatched;
use worker::jobs::run::Setting;
use worker::jobs::workplace::Workplace;
use worker::store::settings::Keys;

use crate::support::cluster::Cluster;
use crate::support::line::lines;
use crate::support::replica::Replica;
use crate::support::sending::{Base, HOOK_SECRET, LINK_SECRET, Sending, well};
use crate::support::smtp::{Moment, Reaction, Step};

const PEOPLE: usize = 6;

/// A campaign on a cluster of its own, whose mail server tells when the third message has come
/// in, and then waits.
async fn in_the_middle(cluster: &Cluster) -> (Sending, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (reached, is_reached) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let count = AtomicU32::new(0);
    let react = move |moment: &Moment| {
        if moment.step == Step::Dot && count.fetch_add(1, Ordering::SeqCst) == 2 {
            let _ = reached.send(());
            let _ = may_go_on.lock().expect("no panic").recv();
        }
        Reaction::Usual
    };
    let mut sending = Sending::with(Base::Postgres, &lines(0..PEOPLE), react, well).await;
    sending.move_to(cluster.database().await);
    sending.configure(&[("connections = 4", "connections = 1")]);
    sending.prepare();
    (sending, is_reached, go_on)
}

fn assert_once(sending: &Sending) {
    let all: BTreeSet<String> = sending.recipients().into_iter().collect();
    assert_eq!((sending.recipients().len(), all.len()), (PEOPLE, PEOPLE), "each once");
}

#[tokio::test]
async fn a_run_outlasts_a_restart_and_a_crash_of_the_server() {
    for crash in [false, true] {
        let cluster = Cluster::start();
        let (sending, reached, go_on) = in_the_middle(&cluster).await;
        let mut run = Replica::start(sending.command(&["run-once"]));
        reached.recv().expect("it came to its third message");
        match crash {
            true => cluster.crash(),
            false => cluster.restart(),
        }
        go_on.send(()).expect("the server waits");
        assert_eq!(run.ends(), Some(0), "crash {crash}: {:#?}", run.lines());
        assert_once(&sending);
        assert_eq!(sending.states().await.get("sent"), Some(&PEOPLE), "crash {crash}");
    }
}

#[tokio::test]
async fn a_server_that_stays_away_ends_the_run_and_nothing_is_half_done() {
    let cluster = Cluster::start();
    let (sending, reached, go_on) = in_the_middle(&cluster).await;
    sending.configure(&[
        ("connections = 4", "connections = 1"),
        ("wait_seconds = 60", "wait_seconds = 2"),
    ]);
    let mut run = Replica::start(sending.command(&["run-once"]));
    reached.recv().expect("it came to its third message");
    cluster.stop();
    go_on.send(()).expect("the server waits");
    assert_eq!(run.ends(), Some(1), "{:#?}", run.lines());
    assert_eq!(run.lines().pop().expect("a last line")["message"], "progress report");
    cluster.go_on();
    cluster.is_back(sending.pg.as_ref().expect("one")).await;
    // The answer to the third could not be written down: when its lease has run out it is
    // called unknown, and never sent again.
    sending.leases_run_out().await;
    let next = sending.run();
    assert_eq!(next.code, Some(3), "{next}");
    assert_once(&sending);
    let states = sending.states().await;
    assert_eq!(states.get("unknown").copied().unwrap_or_default(), 1, "{states:?}");
}

#[tokio::test]
async fn a_run_waits_for_a_server_that_comes_up_after_it_and_for_a_standby_to_take_over() {
    let cluster = Cluster::start();
    let mut sending = Sending::new(Base::Postgres, &lines(0..PEOPLE)).await;
    sending.move_to(cluster.database().await);
    sending.prepare();
    cluster.stop();
    let mut run = Replica::start(sending.command(&["run-once"]));
    run.tells("waiting for the database");
    cluster.go_on();
    assert_eq!(run.ends(), Some(0), "{:#?}", run.lines());
    assert_once(&sending);

    // What a standby says until it has taken over.
    sending.execute("ALTER DATABASE state SET default_transaction_read_only = on").await;
    let mut run = Replica::start(sending.command(&["run-once"]));
    run.tells("waiting for the database");
    // Whoever connects meanwhile may only read, the test too.
    let writable = "BEGIN READ WRITE; \
                    ALTER DATABASE state SET default_transaction_read_only = off; COMMIT";
    sending.execute(writable).await;
    sending.pg.as_ref().expect("one").kill_others().await;
    assert_eq!(run.ends(), Some(0), "{:#?}", run.lines());
}

#[tokio::test]
async fn a_clock_that_differs_from_the_databases_has_no_effects() {
    let sending = Sending::new(Base::Postgres, &lines(0..PEOPLE)).await;
    sending.prepare();
    let text = std::fs::read_to_string(sending.place.path("jobs.toml")).expect("the test's own");
    let config = Config::parse(&text, &Origin::file(&sending.place.path("jobs.toml")));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let keys = Keys { fingerprint: [0; 16], pseudonym: [0; 32] };
    let workplace = Workplace::real(&config, &keys).await.expect("the test's own database");
    let env = |name: &str| match name {
        "LINK_SECRET" => Some(OsString::from(LINK_SECRET)),
        "HOOK_SECRET" => Some(OsString::from(HOOK_SECRET)),
        _ => None,
    };
    for (minutes, exit, sent) in [(3, Exit::Stopped, 0), (-3, Exit::Stopped, 0), (1, Exit::Done, 6)]
    {
        let clock = ShiftedClock { by: TimeDelta::minutes(minutes) };
        let setting = Setting {
            config: &config,
            is_builtin: false,
            dry_run: false,
            clock: &clock,
            env: &env,
            watcher: &Unwatched,
            cancel: &CancellationToken::new(),
            show_addresses: false,
            looks_ahead: true,
            until: None,
        };
        let mut random = StdRng::seed_from_u64(1);
        let finished = setting.run(&config.jobs[0], &workplace, &mut random).await;
        assert_eq!(
            (finished.exit, finished.progress.prompts_sent),
            (exit, Some(sent)),
            "{minutes}"
        );
        let codes: Vec<&str> =
            finished.plan.blocked_by.iter().map(|gate| gate.code.as_str()).collect();
        assert_eq!(codes.contains(&"clock_differs"), sent == 0, "{minutes}: {codes:?}");
    }
}

/// From now on this database has no room for another record of what is done.
const FULL: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
    $$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' \
    USING ERRCODE = 'disk_full'; END$$; \
    CREATE TRIGGER full_disk BEFORE INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION full_disk()";
const ROOM: &str = "DROP TRIGGER full_disk ON audit; DROP FUNCTION full_disk";

#[tokio::test]
async fn a_full_disk_is_waited_for_and_the_run_goes_on_when_there_is_room() {
    let sending = Sending::new(Base::Postgres, &lines(0..PEOPLE)).await;
    sending.prepare();
    sending.execute(FULL).await;
    let mut run = Replica::start(sending.command(&["run-once"]));
    run.tells("waiting for the database");
    assert!(sending.recipients().is_empty(), "nothing is sent that cannot be written down");
    sending.execute(ROOM).await;
    assert_eq!(run.ends(), Some(0), "{:#?}", run.lines());
    assert_once(&sending);
}

#[tokio::test]
async fn a_disk_that_stays_full_ends_the_run_and_nothing_is_half_done() {
    let sending = Sending::new(Base::Postgres, &lines(0..PEOPLE)).await;
    sending.prepare();
    sending.execute(FULL).await;
    sending.configure(&[("wait_seconds = 60", "wait_seconds = 1")]);
    let said = sending.run();
    said.complains(1, "No space left on device", "make room and run again");
    assert!(sending.recipients().is_empty(), "{said}");
    sending.execute(ROOM).await;
    assert_eq!(sending.ran(0)["prompts_sent"], PEOPLE);
    assert_once(&sending);
}

#[tokio::test]
async fn a_full_disk_is_waited_for_on_sqlite_too() {
    use sqlx::Connection;
    let mut base = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let limit = "CREATE TABLE t (b blob); PRAGMA max_page_count = 8";
    sqlx::raw_sql(limit).execute(&mut base).await.unwrap();
    let full = sqlx::raw_sql("INSERT INTO t VALUES (zeroblob(1000000))").execute(&mut base).await;
    let error = worker::store::Error::from(full.unwrap_err());
    assert!(error.may_pass(), "{error}");
    assert!(error.remedy().to_string().contains("make room"), "{error}");
}
