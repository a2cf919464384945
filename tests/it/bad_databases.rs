//! Databases that cannot be used: each with a clear complaint, the right exit code, and
//! nothing half-written.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr};
use worker::store::SCHEMA_VERSION;

use crate::support::generated::{HEADER, State, csv, row};
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::said::Said;

const RUN: [&str; 1] = ["run-once"];
/// A database that is away is not waited for.
const AT_ONCE: (&str, &str) = ("wait_seconds = 60", "wait_seconds = 0");
const DATABASE: &str = "\"sqlite://worker.db\"";

fn place_on(url: &str) -> Place {
    Place::new(&[(DATABASE, &format!("{url:?}")), AT_ONCE])
}

async fn in_sqlite(place: &Place, statement: &str) {
    let options = SqliteConnectOptions::new().filename(place.database());
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    database.execute(AssertSqlSafe(statement).into_sql_str()).await.unwrap();
    database.close().await.unwrap();
}

/// Runs a command that a shell makes ready, as a user without root's powers over files.
fn as_nobody(place: &Place, script: &str) -> Said {
    let worker = env!("CARGO_BIN_EXE_worker");
    let is_root = std::fs::metadata("/proc/self").map(|me| owner(&me)).unwrap_or_default() == 0;
    let mut command = Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    // The program may lie where only its builder can look.
    let copy = place.path("worker");
    std::fs::copy(worker, &copy).unwrap();
    command.args(["sh", "-c", script]);
    command.current_dir(place.dir()).env("TMPDIR", place.temporary());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Said::by(command)
}

fn owner(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

fn mode(path: &Path, mode: u32) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, permissions).unwrap();
}

#[test]
fn a_server_that_is_down_is_said_to_be_so() {
    let place = place_on("postgres://worker:hush-hush@127.0.0.1:1/state");
    for arguments in [&RUN[..], &["run-once", "--dry-run"], &["status"], &["migrate"]] {
        let said = place.worker(arguments);
        said.complains(1, "refused", "is the database running");
        assert!(!said.err.contains("hush"), "{said}");
    }
    assert!(place.worker(&RUN).progress()["connections"].is_null());
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let place = place_on("sqlite://nowhere/worker.db");
    place.worker(&RUN).complains(1, "unable to open", "folder");
    assert!(!place.path("nowhere").exists());
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let place = Place::new(&[]);
    place.write("worker.db", "my poems, not yours\n".repeat(500));
    let before = place.contents();
    for arguments in [&RUN[..], &["run-once", "--dry-run"], &["status"]] {
        place.worker(arguments).complains(1, "not a database", "no intact SQLite database");
        assert_eq!(place.contents(), before);
    }
}

#[test]
fn a_file_that_may_only_be_read_is_not_written() {
    let place = Place::new(&[]);
    place.done(&RUN);
    for (file, mode_of_it) in [("tmp", 0o777), ("worker.db", 0o444), (".", 0o755)] {
        mode(&place.path(file), mode_of_it);
    }
    let before = place.contents();
    let said = as_nobody(&place, "exec ./worker run-once");
    assert_eq!(said.code, Some(1), "{said}");
    let (_, remedy) = said.complaint();
    assert!(remedy.contains("may write") || remedy.contains("writable"), "{said}");
    said.progress();
    // What may not be written can be looked at: a dry run reads plain files.
    let dry = as_nobody(&place, "exec ./worker run-once --dry-run");
    assert_eq!(dry.code, Some(0), "{dry}");
    assert_eq!(dry.progress()["connections"], 1171);
    let mut after = place.contents();
    after.remove(Path::new("worker"));
    assert_eq!(after, before);
}

#[test]
fn a_full_disk_stops_the_scan_and_loses_nothing() {
    let place = Place::with_inventory("inventory.csv", &[]);
    place.write("inventory.csv", csv(30, State::Before));
    place.done(&RUN);
    let before = place.standing();
    place.write("inventory.csv", csv(6000, State::After));
    // Files may not grow beyond this: to SQLite, as if there were no room.
    let said = limited(&place, 400);
    assert_eq!(said.code, Some(1), "{said}");
    let (_, remedy) = said.complaint();
    assert!(remedy.contains("room") && remedy.contains("nothing was lost"), "{said}");
    assert!(!said.err.contains("transaction depth"), "{said}");
    assert_eq!(said.progress()["connections"], 30);
    assert_eq!(place.standing(), before);
    assert_eq!(place.done(&RUN).progress()["connections"], 6000);
}

/// A run whose files may have so many KiB; its temporary ones are smaller.
fn limited(place: &Place, kib: u64) -> Said {
    let mut command = Command::new("bash");
    let script =
        format!("trap '' XFSZ; ulimit -f {kib}; exec {} run-once", env!("CARGO_BIN_EXE_worker"));
    command.args(["-c", &script]).current_dir(place.dir()).env("TMPDIR", place.temporary());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Said::by(command)
}

#[tokio::test]
async fn another_apps_database_is_not_touched() {
    let pg = Pg::new().await;
    for url in ["sqlite://worker.db", &pg.url()] {
        let place = place_on(url);
        place.done(&RUN);
        place.configure(&[
            (DATABASE, &format!("{url:?}")),
            ("\"0123456789ABCDEF0123456789ABCDEF\"", "\"99999999999999999999999999999999\""),
        ]);
        for arguments in [&RUN[..], &["status"], &["run-once", "--dry-run"]] {
            place.worker(arguments).complains(1, "belongs to the app 0123", "each app");
        }
        place.configure(&[(DATABASE, &format!("{url:?}"))]);
        let runs = place.done(&["status", "--format", "json"]).json()["runs"].clone();
        assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    }
}

#[tokio::test]
async fn an_older_schema_waits_for_migrate_where_migrating_is_manual() {
    let pg = Pg::new().await;
    for url in ["sqlite://worker.db", &pg.url()] {
        let edits =
            [(DATABASE, &*format!("{url:?}")), ("migrate = \"auto\" ", "migrate = \"manual\" ")];
        let place = Place::new(&edits);
        place.worker(&RUN).complains(1, "schema 0", "worker migrate");
        assert!(!place.database().exists());
        let said = place.done(&["migrate", "--format", "json"]);
        assert_eq!(said.json(), serde_json::json!({"before": 0, "after": SCHEMA_VERSION}));
        place.done(&RUN);
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_to_the_newer_worker() {
    let newer = "update _sqlx_migrations set version = 99 where version = 1";
    let (on_file, pg) = (Place::new(&[]), Pg::new().await);
    on_file.done(&RUN);
    in_sqlite(&on_file, newer).await;
    let on_server = place_on(&pg.url());
    on_server.done(&RUN);
    pg.execute(newer).await;
    for place in [on_file, on_server] {
        for arguments in [&RUN[..], &["status"], &["migrate"], &["exempt", "list"]] {
            place.worker(arguments).complains(
                1,
                &format!("knows only {SCHEMA_VERSION}"),
                "newer worker",
            );
        }
    }
}

#[tokio::test]
async fn a_postgres_user_without_the_right_to_write_gets_no_half_of_a_scan() {
    let pg = Pg::new().await;
    place_on(&pg.url()).done(&RUN);
    let role = format!("looker_{}", pg.name());
    pg.execute(&format!(
        "create role {role} login; grant select on all tables in schema public to {role}"
    ))
    .await;
    let place = place_on(&pg.url_as(&role));
    let said = place.worker(&RUN);
    said.complains(1, "permission denied", "lacks a right");
    assert_eq!(said.progress()["connections"], 1171);
    assert_eq!(place.done(&["status", "--format", "json"]).json()["standing"]["connections"], 1171);
}

#[tokio::test]
async fn a_database_that_dies_mid_scan_keeps_the_last_complete_one() {
    let pg = Pg::new().await;
    let url = format!("{:?}", pg.url());
    let place = Place::with_inventory("inventory.csv", &[(DATABASE, &url)]);
    place.write("inventory.csv", csv(50, State::Before));
    place.done(&RUN);
    let before = place.standing();

    std::fs::remove_file(place.path("inventory.csv")).unwrap();
    place.make_fifo("inventory.csv");
    let child = place.start(&RUN);
    let mut inventory = place.open_fifo("inventory.csv");
    inventory.write_all(HEADER.as_bytes()).unwrap();
    for number in 1..=50 {
        inventory.write_all(row(number, State::After).as_bytes()).unwrap();
    }
    assert!(pg.kill_others().await > 0);
    let closed = format!("alter database {} allow_connections false", pg.name());
    let elsewhere = Pg::new().await;
    elsewhere.execute(&closed).await;
    drop(inventory);
    let said = Said::of(child);
    elsewhere.execute(&closed.replace("false", "true")).await;

    assert_eq!(said.code, Some(1), "{said}");
    assert!(!said.complaint().1.is_empty(), "{said}");
    said.progress();
    assert_eq!(place.standing(), before);
}

#[tokio::test]
async fn an_inventory_that_dies_mid_scan_is_no_inventory() {
    let pg = Pg::new().await;
    pg.execute("create table inventory (tenant_id text, connection_id text, scopes text)").await;
    pg.execute(
        "insert into inventory select gen_random_uuid()::text, gen_random_uuid()::text, 'files' \
         from generate_series(1, 20)",
    )
    .await;
    let source = "kind = \"sql\"\nurl = { file = \"url\" }\nquery = \"select * from inventory\"";
    let edits =
        [("kind = \"csv\" ", source), ("path = ", "# path = "), ("floor = 500", "floor = 1")];
    let place = Place::new(&edits);
    place.write("url", pg.url());
    place.done(&RUN);
    let before = place.standing();
    // The last row takes the connection with it.
    let dying = "select t.*, case when row_number() over () = 20 \
                 then pg_terminate_backend(pg_backend_pid()) end from inventory t";
    let dying_source = source.replace("select * from inventory", dying);
    place.configure(&[("kind = \"csv\" ", &dying_source), edits[1], edits[2]]);
    let said = place.worker(&RUN);
    said.complains(1, "cannot be read", "");
    assert_eq!(place.standing(), before);
}
