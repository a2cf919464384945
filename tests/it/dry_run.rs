//! A dry run does nothing: not to the database, not to its write-ahead log, not beside them.

use std::io::{BufRead, BufReader, Read};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use worker::store::SCHEMA_VERSION;

use crate::support::place::{Place, terminate};
use crate::support::said::Said;

const DRY: [&str; 4] = ["run-once", "--dry-run", "--format", "json"];

/// With a deadline long past, the stage after it is due at any time, so that the plan has
/// hundreds of entries.
const LONG_PAST: (&str, &str) = ("deadline = 2027-09-13 ", "deadline = 2021-09-13 ");

async fn open(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(place.database());
    SqliteConnection::connect_with(&options).await.expect("the worker's own database")
}

/// A dry run, which must leave every file as it was.
fn unchanged(place: &Place, arguments: &[&str]) -> Said {
    let before = place.contents();
    let said = place.worker(arguments);
    assert_eq!(place.contents(), before, "{said}");
    assert_eq!(said.progress()["dry_run"], true);
    said
}

fn planned(place: &Place) -> serde_json::Value {
    let said = unchanged(place, &DRY);
    assert_eq!(said.code, Some(0), "{said}");
    said.json()
}

#[test]
fn without_a_database_a_dry_run_creates_no_file_anywhere() {
    let place = Place::new(&[]);
    let plan = planned(&place);
    assert_eq!(plan["progress"]["connections"], 1171);
    let codes: Vec<_> = plan["blocked_by"].as_array().unwrap().iter().collect();
    assert!(codes.iter().any(|gate| gate["code"] == "first_scan"), "{codes:?}");
    let names: Vec<String> =
        place.contents().into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(names, ["jobs.toml", "tmp"]);
}

#[test]
fn a_dry_run_with_a_folder_that_does_not_exist_yet_does_not_make_it() {
    let place = Place::new(&[("sqlite://worker.db", "sqlite://state/worker.db")]);
    assert_eq!(planned(&place)["progress"]["connections"], 1171);
}

#[test]
fn a_dry_run_leaves_a_closed_database_byte_for_byte() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let plan = planned(&place);
    assert_eq!(plan["progress"]["connections"], 1171);
    let blocked_by = plan["blocked_by"].as_array().unwrap();
    assert!(blocked_by.iter().all(|gate| gate["code"] != "first_scan"), "{blocked_by:?}");
}

#[test]
fn a_dry_run_after_a_crash_reads_the_log_that_it_left_and_leaves_it_alone() {
    let place = Place::new(&[LONG_PAST]);
    // The plan is longer than a pipe: the run has committed, and waits for a reader.
    let mut child = place.start(&["run-once", "--format", "json"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("\"progress report\"")));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was still there to be killed");
    let log = std::fs::metadata(place.path("worker.db-wal")).unwrap();
    assert!(log.len() > 32, "the log is not empty");

    let plan = planned(&place);
    assert_eq!(plan["progress"]["connections"], 1171);
    let blocked_by = plan["blocked_by"].as_array().unwrap();
    assert!(blocked_by.iter().all(|gate| gate["code"] != "first_scan"), "{blocked_by:?}");
}

#[test]
fn a_dry_run_leaves_alone_what_another_process_holds_open() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    // Started, and waiting for a reader of its plan, with the database open.
    place.configure(&[LONG_PAST]);
    let mut child = place.start(&["run-once", "--format", "json"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("\"progress report\"")));
    // It writes its plan last of all.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    planned(&place);
    let said = Said::of(child);
    assert_eq!(said.code, Some(0), "{said}");
}

#[tokio::test]
async fn a_dry_run_reads_what_is_committed_while_somebody_writes() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let mut other = open(&place).await;
    let id = "11111111-1111-4111-8111-111111111111";
    let exemption = format!(
        "insert into exemptions values ('{id}', '2099-01-01T00:00:00.000000+00:00', 'r', 'b', \
         '2026-01-01T00:00:00.000000+00:00')"
    );
    other.execute("begin immediate").await.unwrap();
    other.execute(sqlx::AssertSqlSafe(exemption)).await.unwrap();
    planned(&place);
    other.execute("commit").await.unwrap();
    // The log has it now, and nobody has taken it over into the file.
    planned(&place);
    let kept: i64 =
        sqlx::query_scalar("select count(*) from exemptions").fetch_one(&mut other).await.unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn dry_runs_beside_a_busy_writer_all_see_a_whole_scan() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..4 {
                place.done(&["run-once"]);
            }
        });
        let mut seen = 0;
        while !writer.is_finished() || seen == 0 {
            let said = place.worker(&DRY);
            assert_eq!(said.code, Some(0), "{said}");
            assert_eq!(said.json()["progress"]["connections"], 1171);
            seen += 1;
        }
    });
}

#[tokio::test]
async fn a_dry_run_migrates_nothing_and_says_who_does() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    for (step, message, remedy) in
        [(-SCHEMA_VERSION, "schema 0", "worker migrate"), (99, "schema 99", "newer worker")]
    {
        let mut database = open(&place).await;
        sqlx::query("update _sqlx_migrations set version = version + ?")
            .bind(step)
            .execute(&mut database)
            .await
            .unwrap();
        database.close().await.unwrap();
        unchanged(&place, &DRY).complains(1, message, remedy);
    }
}

#[test]
fn a_dry_run_refuses_the_database_of_another_app() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    place.configure(&[(
        "client_id = \"0123456789ABCDEF0123456789ABCDEF\"",
        "client_id = \"99999999999999999999999999999999\"",
    )]);
    unchanged(&place, &DRY).complains(1, "belongs to the app 0123", "a database of its own");
}

#[test]
fn a_dry_run_that_is_asked_to_stop_leaves_nothing_behind() {
    let place = Place::with_inventory("inventory.fifo", &[]);
    place.make_fifo("inventory.fifo");
    let before = place.contents();
    let child = place.start(&DRY);
    // Opening waits until the program reads.
    let writer = place.open_fifo("inventory.fifo");
    terminate(&child);
    let said = Said::of(child);
    drop(writer);
    assert_eq!(said.code, Some(1), "{said}");
    assert_eq!(said.progress()["connections"], serde_json::Value::Null);
    assert_eq!(place.contents(), before);
}
