//! A database that is copied, restored or lost does not send by itself. The incidents: a lost
//! volume, a backup put back, a second checkout, a job without a volume.

use std::fs;
use std::path::Path;

use worker::config::{Config, DatabaseUrl, Origin};
use worker::domain::confirmation::{Confirmation, Subject};
use worker::jobs::workplace::Workplace;
use worker::store::home::Moved;
use worker::store::{Database, Store};

use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::world::{KEYS, World, both, start};

const RUN: [&str; 1] = ["run-once"];

fn word() -> Confirmation {
    Confirmation {
        by: "Ann".to_owned(),
        note: "it is the right one".to_owned(),
        confirmed_at: start(),
    }
}

async fn moved(database: &Database, store: &Store) -> Option<Moved> {
    let home = database.home().await.unwrap().expect("there is one");
    store.home_moved(&home).await.unwrap()
}

async fn bound(database: &Database) -> Store {
    let store = database.open().await.unwrap();
    store.migrate().await.unwrap();
    store.bind_home(&database.home().await.unwrap().unwrap()).await.unwrap();
    store
}

/// What is odd about the file at this place, looked at as the next run would.
async fn oddity(path: &Path) -> String {
    let database = Database::Sqlite(path.to_owned());
    let store = bound(&database).await;
    let moved = moved(&database, &store).await;
    store.close().await;
    moved.map(|moved| moved.text).unwrap_or_default()
}

#[tokio::test]
async fn a_database_that_stays_where_it_is_is_at_home() {
    both(async |world: World| {
        let database = world.database();
        let store = bound(&database).await;
        assert_eq!(moved(&database, &store).await, None);
        for _ in 0..3 {
            store.note_effects().await.unwrap();
        }
        store.close().await;
        let again = bound(&database).await;
        assert_eq!(moved(&database, &again).await, None);
        assert_eq!(world.texts("SELECT value FROM settings WHERE name = 'ledger'").await, ["3"]);
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_copied_file_is_not_at_home_until_a_named_person_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("worker.db"), dir.path().join("second-checkout.db"));
    bound(&Database::Sqlite(here.clone())).await.close().await;
    assert_eq!(oddity(&here).await, "");
    fs::copy(&here, &there).unwrap();
    assert!(oddity(&there).await.contains("another one than it was"));
    assert_eq!(oddity(&here).await, "", "the original is still the original");

    let database = Database::Sqlite(there.clone());
    let store = database.open().await.unwrap();
    let home = database.home().await.unwrap().unwrap();
    store.settle_home(&home, &word()).await.unwrap();
    let given = store.confirmation(Subject::Database, &home.facts).await.unwrap();
    assert!(given.is_given());
    store.close().await;
    assert_eq!(oddity(&there).await, "");
}

#[tokio::test]
async fn an_older_file_put_in_the_place_of_a_newer_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (here, backup) = (dir.path().join("worker.db"), dir.path().join("backup"));
    let store = bound(&Database::Sqlite(here.clone())).await;
    store.note_effects().await.unwrap();
    store.close().await;
    fs::copy(&here, &backup).unwrap();
    let store = Database::Sqlite(here.clone()).open().await.unwrap();
    store.note_effects().await.unwrap();
    store.close().await;
    assert_eq!(oddity(&here).await, "");
    // Over the same file, which keeps its number and its age.
    fs::write(&here, fs::read(&backup).unwrap()).unwrap();
    let text = oddity(&here).await;
    assert!(text.contains("in 2 batches, and this database knows of 1"), "{text}");

    let database = Database::Sqlite(here.clone());
    let store = database.open().await.unwrap();
    store.settle_home(&database.home().await.unwrap().unwrap(), &word()).await.unwrap();
    store.note_effects().await.unwrap();
    store.close().await;
    assert_eq!(oddity(&here).await, "");
    let beside = fs::read_to_string(dir.path().join("worker.db-ledger")).unwrap();
    assert_eq!(beside.trim().parse(), Ok(3), "it goes on from the higher number");
}

#[tokio::test]
async fn a_new_database_in_the_place_of_a_lost_one_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("worker.db");
    let store = bound(&Database::Sqlite(here.clone())).await;
    store.note_effects().await.unwrap();
    store.close().await;
    fs::remove_file(&here).unwrap();
    for _ in 0..2 {
        let text = oddity(&here).await;
        assert!(text.contains("or a new one"), "not only the first time: {text}");
    }
}

#[tokio::test]
async fn a_file_beside_that_is_lost_or_broken_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (here, beside) = (dir.path().join("worker.db"), dir.path().join("worker.db-ledger"));
    let store = bound(&Database::Sqlite(here.clone())).await;
    assert!(!beside.exists(), "it comes with the first effect");
    store.note_effects().await.unwrap();
    store.close().await;
    fs::write(&beside, "?").unwrap();
    assert!(oddity(&here).await.contains("holds no number"));
    fs::remove_file(&beside).unwrap();
    assert!(oddity(&here).await.contains("is not there"));
}

#[tokio::test]
async fn two_workers_leave_the_highest_number_beside_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("worker.db");
    let (one, two) = (
        bound(&Database::Sqlite(here.clone())).await,
        Database::Sqlite(here.clone()).open().await.unwrap(),
    );
    let many = async |store: &Store| {
        for _ in 0..20 {
            store.note_effects().await.unwrap();
        }
    };
    tokio::join!(many(&one), many(&two));
    one.close().await;
    two.close().await;
    let beside = fs::read_to_string(dir.path().join("worker.db-ledger")).unwrap();
    assert_eq!(beside.trim().parse(), Ok(40));
    assert_eq!(oddity(&here).await, "");
}

#[tokio::test]
async fn a_dry_run_judges_the_original_and_not_its_private_copy() {
    both(async |world: World| {
        bound(&world.database()).await.close().await;
        let shipped = include_str!("../../jobs.toml");
        let origin = Origin::file(Path::new("jobs.toml"));
        let mut config = Config::parse(shipped, &origin).unwrap();
        let url = match world.database() {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(_, url) => url,
        };
        config.database.url = DatabaseUrl::parse_state(&url, None).unwrap();
        let dry = async || {
            let workplace = Workplace::copy(&config, &KEYS).await.unwrap();
            let moved = workplace.home_moved().await.unwrap();
            workplace.close().await;
            moved
        };
        assert_eq!(dry().await, None);
        world
            .execute("UPDATE settings SET value = replace(value, '\"kind\":\"', '\"kind\":\"x')")
            .await;
        assert!(dry().await.is_some());
    })
    .await;
}

#[tokio::test]
async fn nothing_may_leave_when_the_file_beside_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("worker.db");
    fs::create_dir(dir.path().join("worker.db-ledger")).unwrap();
    let store = Database::Sqlite(here).open().await.unwrap();
    store.migrate().await.unwrap();
    let error = store.note_effects().await.unwrap_err();
    assert!(error.to_string().contains("worker.db-ledger"), "{error}");
}

#[tokio::test]
async fn a_database_made_as_a_copy_in_the_same_cluster_is_not_at_home() {
    let world = World::postgres().await;
    world.prepare().await;
    bound(&world.database()).await.close().await;
    world.store.close().await;
    let Database::Postgres(_, url) = world.database() else { panic!("PostgreSQL") };
    let elsewhere = Pg::new().await;
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let copy = format!("{name}_restored");
    elsewhere.execute(&format!("create database {copy} template {name}")).await;
    let database =
        Database::parse(&url.replace(&format!("/{name}?"), &format!("/{copy}?"))).unwrap();
    let store = bound(&database).await;
    let text = moved(&database, &store).await.expect("a copy").text;
    assert!(text.contains("another database of the cluster"), "{text}");
    store.settle_home(&database.home().await.unwrap().unwrap(), &word()).await.unwrap();
    assert_eq!(moved(&database, &store).await, None);
    store.close().await;
}

#[tokio::test]
async fn tables_that_were_restored_in_place_are_noticed() {
    let world = World::postgres().await;
    world.prepare().await;
    let store = bound(&world.database()).await;
    world
        .execute(
            "CREATE TABLE settings_dump AS SELECT * FROM settings; DROP TABLE settings; \
             ALTER TABLE settings_dump RENAME TO settings; ALTER TABLE settings ADD PRIMARY KEY (name)",
        )
        .await;
    let text = moved(&world.database(), &store).await.expect("restored").text;
    assert!(text.contains("made anew"), "{text}");
    store.close().await;
}

#[tokio::test]
async fn a_server_that_may_not_be_asked_is_compared_by_the_rest() {
    let pg = Pg::new().await;
    let owner = Database::parse(&pg.url()).unwrap();
    bound(&owner).await.close().await;
    let role = format!("plain_{}", pg.name());
    pg.execute(&format!(
        "create role {role} login; grant select, insert, update on all tables in schema public to {role}; \
         revoke execute on function pg_control_system(), pg_walfile_name(pg_lsn) from public"
    ))
    .await;
    let database = Database::parse(&pg.url_as(&role)).unwrap();
    let home = database.home().await.unwrap().unwrap();
    assert_eq!(home.unknown().len(), 2, "{home:?}");
    assert_eq!(owner.home().await.unwrap().unwrap().unknown(), Vec::<&str>::new());
    let store = database.open().await.unwrap();
    assert_eq!(store.home_moved(&home).await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn a_backup_taken_with_vacuum_is_not_at_home_and_confirm_settles_it() {
    let place = Place::new(&[]);
    place.done(&RUN);
    let store = Database::Sqlite(place.database()).open().await.unwrap();
    store.note_effects().await.unwrap();
    let Store::Sqlite(pool) = &store else { panic!("SQLite") };
    let into = format!("VACUUM INTO '{}'", place.path("backup.db").display());
    sqlx::raw_sql(sqlx::AssertSqlSafe(into)).execute(pool).await.unwrap();
    store.close().await;
    fs::rename(place.path("backup.db"), place.database()).unwrap();
    assert!(oddity(&place.database()).await.contains("restored"));
    // A dry run looks at the original, not at its own copy.
    let before = place.contents();
    place.done(&["run-once", "--dry-run"]);
    assert_eq!(place.contents(), before);
    let confirm = ["confirm", "database", "--by", "Ann", "--note", "restored last night's backup"];
    let said = place.done(&[&confirm[..], &["--format", "json"]].concat()).json();
    assert_eq!(said["confirmed"], "database");
    assert_eq!(oddity(&place.database()).await, "");
}
