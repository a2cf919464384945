//! `worker run`: fires run once, runs of a job follow each other, signals end them in order,
//! and what stood still or was killed is taken over (E22, E44).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use crate::support::line::lines;
use crate::support::place::Place;
use crate::support::replica::{Replica, signal};
use crate::support::said::Said;
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::{Moment, Reaction, Step};

/// A schedule that fires every second or two.
pub const EVERY_SECOND: (&str, &str) = ("\"17 * * * *\"", "\"* * * * * *\"");
pub const ANY_PORT: (&str, &str) = ("\"127.0.0.1:9464\"", "\"127.0.0.1:0\"");
/// A schedule that does not fire while a test lasts, and has just missed a fire.
const RARELY: (&str, &str) = ("\"17 * * * *\"", "\"0 * * * *\"");

fn replica(sending: &Sending) -> Replica {
    Replica::start(sending.command(&["run"]))
}

async fn fires(sending: &Sending, column: &str) -> Vec<String> {
    sending.texts(&format!("SELECT {column} FROM fires ORDER BY fire_at")).await
}

/// As if the job had last run long ago, so that a fire is due now.
async fn a_fire_is_due(sending: &Sending) {
    sending
        .execute(
            "INSERT INTO fires (job, fire_at, state, attempts, run_id, taken_at) \
             SELECT 'campaign', '2020-01-01T00:00:00.000000+00:00', 'done', 1, run_id, started_at \
             FROM runs LIMIT 1",
        )
        .await;
}

/// The leases of whoever has the job, and prompts, run out.
async fn leases_run_out(sending: &Sending) {
    sending.leases_run_out().await;
    sending.execute("UPDATE leases SET until = '2020-01-01T00:00:00.000000+00:00'").await;
}

#[tokio::test]
async fn each_fire_of_several_processes_runs_once_and_restarts_make_up_for_the_latest() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..5)).await;
        sending.configure(&[EVERY_SECOND, ANY_PORT]);
        sending.prepare();
        let mut replicas: Vec<Replica> = (0..3).map(|_| replica(&sending)).collect();
        replicas[0].runs(1);
        while fires(&sending, "state").await.len() < 6 {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        for replica in &mut replicas {
            // 1 if it was in the middle of a run, which the next one then goes on with.
            let code = replica.stops();
            assert!(matches!(code, Some(0 | 1)), "{base:?}: {:#?}", replica.lines());
        }
        let attempts = fires(&sending, "CAST(attempts AS text)").await;
        assert!(attempts.iter().all(|attempts| attempts == "1"), "{base:?} {attempts:?}");
        let states = fires(&sending, "state").await;
        let (last, before) = states.split_last().expect("fires");
        assert!(before.iter().all(|state| state == "done"), "{base:?} {states:?}");
        assert!(["done", "interrupted"].contains(&last.as_str()), "{base:?} {last}");
        let told: usize = replicas.iter().map(|replica| replica.runs(0).len()).sum();
        assert_eq!(told, states.len(), "{base:?}: one run for each fire");
        // The runs of a job follow each other.
        let overlaps = "SELECT CAST(count(*) AS text) FROM runs a JOIN runs b \
            ON a.run_id < b.run_id AND a.started_at < b.finished_at AND b.started_at < a.finished_at";
        assert_eq!(sending.texts(overlaps).await, ["0"], "{base:?}");
        assert_eq!(sending.recipients().len(), 5, "{base:?}");

        let mut restarted = replica(&sending);
        restarted.runs(2);
        restarted.stops();
        assert_eq!(sending.recipients().len(), 5, "{base:?}");
        assert!(fires(&sending, "state").await.len() > states.len(), "{base:?}");
    }
}

/// A campaign whose mail server tells when the first message has come in, and then waits to be
/// let go on.
async fn in_the_middle(base: Base) -> (Sending, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (reached, is_reached) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let count = AtomicU32::new(0);
    let react = move |moment: &Moment| {
        if moment.step == Step::Dot && count.fetch_add(1, Ordering::SeqCst) == 0 {
            reached.send(()).expect("the test waits");
            let _ = may_go_on.lock().expect("no panic").recv();
        }
        Reaction::Usual
    };
    let sending = Sending::with(base, &lines(0..6), react, well).await;
    sending.configure(&[RARELY, ANY_PORT, ("connections = 4", "connections = 1")]);
    sending.prepare();
    (sending, is_reached, go_on)
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_finishes_what_is_in_flight_and_the_next_goes_on() {
    for base in BASES {
        for name in ["-TERM", "-INT"] {
            let (sending, reached, go_on) = in_the_middle(base).await;
            a_fire_is_due(&sending).await;
            let mut first = replica(&sending);
            reached.recv().expect("it came to its first message");
            first.signal(name);
            first.tells("asked to stop");
            let (status, body) = first.ask("/readyz");
            assert!(status == 503 && body.contains("stopping"), "{body}");
            go_on.send(()).expect("the server waits");
            assert_eq!(first.ends(), Some(1), "work was left: {:#?}", first.lines());
            let progress = first.lines().pop().expect("a last line");
            assert_eq!(progress["message"], "progress report");
            assert_eq!(progress["prompts_sent"], 1, "{base:?}: {progress}");
            assert_eq!(fires(&sending, "state").await, ["done", "interrupted"]);
            let states = sending.states().await;
            assert_eq!(states.get("sending"), None, "nothing half done: {states:?}");
            let mut second = replica(&sending);
            assert_eq!(second.runs(1)[0]["prompts_sent"], 5, "{base:?}");
            assert_eq!(second.stops(), Some(0));
            assert_eq!(fires(&sending, "state").await, ["done", "done"]);
            assert_eq!(fires(&sending, "CAST(attempts AS text)").await, ["1", "2"]);
            let all: BTreeSet<String> = sending.recipients().into_iter().collect();
            assert_eq!((sending.recipients().len(), all.len()), (6, 6));
        }
    }
}

#[tokio::test]
async fn a_second_signal_leaves_at_once_and_what_was_in_flight_is_settled_as_after_a_crash() {
    for base in BASES {
        for command in ["run", "run-once"] {
            let (sending, reached, go_on) = in_the_middle(base).await;
            a_fire_is_due(&sending).await;
            let mut process = Replica::start(sending.command(&[command]));
            reached.recv().expect("it came to its first message");
            process.signal("-TERM");
            process.tells("asked to stop");
            process.signal("-TERM");
            assert_eq!(process.ends(), Some(1), "{base:?} {command}");
            drop(go_on);
            assert_eq!(sending.states().await.get("sending"), Some(&1), "{base:?} {command}");
            leases_run_out(&sending).await;
            let next = sending.run();
            assert_eq!(next.code, Some(3), "one is unknown: {next}");
            assert_eq!(next.progress()["prompts_sent"], 5, "{base:?} {command}");
            assert_eq!(sending.states().await.get("unknown"), Some(&1));
        }
    }
}

#[tokio::test]
async fn a_killed_process_is_taken_over_by_one_on_the_same_machine_at_once() {
    for base in BASES {
        let (sending, reached, go_on) = in_the_middle(base).await;
        a_fire_is_due(&sending).await;
        let mut first = replica(&sending);
        reached.recv().expect("it came to its first message");
        let mut second = replica(&sending);
        second.tells("answering");
        first.kill();
        drop(go_on);
        // What the dead one was handing over is left alone; the rest goes out.
        assert_eq!(second.runs(1)[0]["prompts_sent"], 5, "{base:?}");
        assert_eq!(second.stops(), Some(0), "{base:?}");
        let gone = sending.texts("SELECT state FROM fires WHERE attempts = 2").await;
        assert_eq!(gone, ["done"], "{base:?}: the same fire, by the other");
        let all: BTreeSet<String> = sending.recipients().into_iter().collect();
        assert_eq!(sending.recipients().len(), all.len(), "nobody twice");
    }
}

#[tokio::test]
async fn a_process_that_stood_still_past_its_lease_can_no_longer_complete() {
    // E44: it believes that the job is still its own.
    for base in BASES {
        let (sending, reached, go_on) = in_the_middle(base).await;
        let mut sleeper = Replica::start(sending.command(&["run-once"]));
        reached.recv().expect("it came to its first message");
        sleeper.signal("-STOP");
        go_on.send(()).expect("the server waits");
        leases_run_out(&sending).await;
        let other = sending.run();
        assert_eq!(other.code, Some(3), "one is unknown: {other}");
        assert_eq!(other.progress()["prompts_sent"], 5, "{base:?}");
        sleeper.signal("-CONT");
        assert_eq!(sleeper.ends(), Some(1), "{:#?}", sleeper.lines());
        sleeper.tells("another process");
        assert_eq!(sending.recipients().len(), 6, "{base:?}");
        let ended = "SELECT CAST(count(*) AS text) FROM runs WHERE exit_code IS NULL";
        assert_eq!(sending.texts(ended).await, ["1"], "its own run has no end of its own");
    }
}

#[tokio::test]
async fn a_second_run_of_a_job_waits_for_the_first() {
    for base in BASES {
        let (sending, reached, go_on) = in_the_middle(base).await;
        let mut first = Replica::start(sending.command(&["run-once"]));
        reached.recv().expect("it came to its first message");
        let mut second = Replica::start(sending.command(&["run-once"]));
        second.tells("waiting for another run of this job");
        go_on.send(()).expect("the server waits");
        assert_eq!((first.ends(), second.ends()), (Some(0), Some(0)));
        assert_eq!(first.runs(1)[0]["prompts_sent"], 6, "{base:?}");
        assert_eq!(second.runs(1)[0]["prompts_sent"], 0, "{base:?}");
    }
}

#[tokio::test]
async fn the_first_process_of_a_container_is_stopped_in_order_too() {
    let (sending, reached, go_on) = in_the_middle(Base::Sqlite).await;
    a_fire_is_due(&sending).await;
    for (name, code) in [("-TERM", Some(1)), ("-INT", Some(0))] {
        let inner = sending.command(&["run"]);
        let mut command = std::process::Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(sending.place.dir()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut process = Replica::start(command);
        if code == Some(1) {
            reached.recv().expect("it came to its first message");
        } else {
            process.runs(1);
        }
        let children = format!("/proc/{0}/task/{0}/children", process.pid());
        let first = std::fs::read_to_string(children).expect("its child").trim().to_owned();
        signal(name, first.parse().expect("one"));
        process.tells("asked to stop");
        let _ = go_on.send(());
        assert_eq!(process.ends(), code, "{:#?}", process.lines());
    }
    assert_eq!(sending.recipients().len(), 6);
}

#[test]
fn what_can_never_work_is_said_at_the_start() {
    let place = Place::new(&[("\"17 * * * *\"", "\"0 9 30 2 *\"")]);
    let said = place.worker(&["run"]);
    assert!(said.code == Some(2) && said.err.contains("never fires"), "{said}");

    // 01:17 in UTC is 13:17 or 14:17 in Auckland; 12:17 is the middle of the night.
    let place = Place::new(&[ANY_PORT, ("\"17 * * * *\"", "\"17 12 * * *\"")]);
    place.worker(&["run"]).complains(2, "Pacific/Auckland", "hourly");
    let place = Place::new(&[ANY_PORT, ("\"17 * * * *\"", "\"17 1 * * *\"")]);
    let mut fine = Replica::start(place.command(&["run"]));
    fine.tells("ready again");
    assert_eq!(fine.stops(), Some(0));
    // The inventory has people elsewhere, once it has been read.
    place.done(&["run-once"]);
    place.worker(&["run"]).complains(2, "Europe/London", "hourly");

    let place = Place::new(&[("schedule = \"17 * * * *\"", "# ")]);
    place.worker(&["run"]).complains(2, "no job has a schedule", "run-once");
}

#[test]
fn a_port_that_is_taken_is_said_to_be_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("\"{}\"", taken.local_addr().unwrap());
    let place = Place::new(&[("\"127.0.0.1:9464\"", &listen)]);
    place.worker(&["run"]).complains(1, "cannot be listened on", "[http] listen");
    place.worker(&["healthcheck"]);
}

#[test]
fn it_answers_for_its_health_and_in_metrics() {
    let place = Place::new(&[ANY_PORT, EVERY_SECOND]);
    let mut replica = Replica::start(place.command(&["run"]));
    replica.runs(2);
    assert_eq!(replica.ask("/healthz"), (200, "ok\n".to_owned()));
    let (status, body) = replica.ask("/readyz");
    assert_eq!((status, body.trim()), (200, "{\"ready\":true,\"reasons\":[]}"));
    let (status, body) = replica.ask("/metrics");
    assert_eq!(status, 200);
    for line in ["worker_connections{class=\"mixed\"} 187.0", "worker_database_up 1.0", "# EOF"] {
        assert!(body.lines().any(|there| there == line), "{line}\n{body}");
    }
    assert!(body.contains("worker_next_fire_timestamp_seconds{job=\"campaign\"}"), "{body}");
    replica.stops();
}

#[test]
fn a_process_that_waits_for_its_database_is_alive_but_not_ready() {
    let place = Place::new(&[
        ANY_PORT,
        ("\"sqlite://worker.db\"", "\"postgres://worker@127.0.0.1:1/state\""),
    ]);
    let mut replica = Replica::start(place.command(&["run"]));
    replica.tells("waiting for the database");
    assert_eq!(replica.ask("/healthz").0, 200);
    let (status, body) = replica.ask("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("database_away") && body.contains("starting"), "{body}");
    assert!(replica.ask("/metrics").1.contains("worker_database_up 0.0"));
    assert_eq!(replica.stops(), Some(0), "nothing was begun");
}

#[test]
fn a_worker_that_starts_at_any_time_asks_the_one_that_runs() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new(&[("\"127.0.0.1:9464\"", &format!("\"{port}\""))]);
    place.worker(&["healthcheck"]).complains(1, "/healthz", "is `worker run` running");
    let mut replica = Replica::start(place.command(&["run"]));
    replica.tells("ready again");
    place.done(&["healthcheck"]);
    place.done(&["healthcheck", "--ready"]);
    assert_eq!(replica.stops(), Some(0));
}

#[test]
fn a_run_once_of_cron_leaves_its_metrics_in_a_file() {
    let place = Place::new(&[("# textfile = \"/var/lib/node_exporter", "textfile = \".")]);
    place.done(&["run-once", "--dry-run"]);
    assert!(!place.path("worker.prom").exists(), "a dry run leaves nothing");
    place.done(&["run-once"]);
    let text = std::fs::read_to_string(place.path("worker.prom")).unwrap();
    assert!(text.contains("worker_last_run_exit_code{job=\"campaign\"} 0.0"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mode = std::fs::metadata(place.path("worker.prom")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o644);
    let said: Said = place.done(&["run-once"]);
    assert!(!said.err.contains("cannot be written"), "{said}");
}

#[tokio::test]
async fn eight_that_start_together_migrate_once() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        let started: Vec<_> =
            (0..8).map(|_| sending.command(&["migrate"]).spawn().expect("the program")).collect();
        for said in started.into_iter().map(Said::of) {
            assert_eq!(said.code, Some(0), "{base:?}: {said}");
        }
        let twice = "SELECT CAST(count(*) - count(DISTINCT version) AS text) FROM _sqlx_migrations";
        assert_eq!(sending.texts(twice).await, ["0"], "{base:?}");
        assert_eq!(sending.run().code, Some(0));
    }
}

#[tokio::test]
async fn a_process_whose_schema_was_migrated_by_a_newer_one_does_no_more_work() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        sending.configure(&[EVERY_SECOND, ANY_PORT]);
        sending.prepare();
        let mut old = replica(&sending);
        old.runs(1);
        sending
            .execute(
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
            )
            .await;
        old.says(1, |line| line["code"] == "schema_differs");
        let before = fires(&sending, "state").await.len();
        std::thread::sleep(std::time::Duration::from_secs(3));
        assert!(fires(&sending, "state").await.len() <= before + 1, "{base:?}");
        assert_eq!(old.ask("/readyz").0, 503);
        assert_eq!(old.stops(), Some(0), "it was at rest");
        sending.worker(&["run-once"]).complains(1, "knows only", "newer worker");
    }
}

#[tokio::test]
async fn no_session_with_the_mail_server_is_kept_from_one_run_to_the_next() {
    // E45: one that was opened early stood idle until the server hung up on the first message.
    let sending = Sending::new(Base::Sqlite, &lines(0..3)).await;
    sending.configure(&[EVERY_SECOND, ANY_PORT, ("max_per_run = 5000", "max_per_run = 1")]);
    sending.prepare();
    let mut replica = replica(&sending);
    replica.says(3, |line| line["message"] == "progress report" && line["prompts_sent"] == 1);
    replica.says(1, |line| line["message"] == "progress report" && line["prompts_sent"] == 0);
    replica.stops();
    let received = sending.smtp.received.all();
    let sessions: Vec<usize> = received.iter().map(|mail| mail.connection).collect();
    assert_eq!(sessions, [0, 1, 2]);
    assert_eq!(sending.smtp.connections(), 3, "a run with nothing to send opens none");
    let commands = sending.smtp.commands.all();
    let ends = commands.iter().filter(|(_, line)| line == "QUIT").map(|(session, _)| *session);
    assert_eq!(ends.collect::<Vec<usize>>(), sessions, "each before the next run");
}
