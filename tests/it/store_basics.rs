//! The store's contract, part one: schema, owner, and the small tables.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;
use worker::store::exemptions::Exemption;
use worker::store::settings::Keys;
use worker::store::{Error, SCHEMA_VERSION, SchemaState};

use crate::support::inventory::CLIENT;
use crate::support::world::{KEYS, World, both, both_empty, start};

fn micros(number: i64) -> DateTime<Utc> {
    start() + TimeDelta::microseconds(number)
}

#[tokio::test]
async fn migrating_a_second_time_changes_nothing() {
    both_empty(async |world: World| {
        assert_eq!(world.store.schema().await.unwrap(), SchemaState::Empty);
        assert_eq!(world.store.migrate().await.unwrap(), SchemaState::Empty);
        let dump = world.dump(&[]).await;
        assert!(dump.contains_key("connections"));
        let before = world.store.migrate().await.unwrap();
        assert_eq!(before, SchemaState::Version(SCHEMA_VERSION));
        assert_eq!(world.dump(&[]).await, dump);
        world.store.require_schema().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_older_schema_is_refused_until_it_is_migrated() {
    both_empty(async |world: World| {
        let error = world.store.require_schema().await.unwrap_err();
        assert!(
            matches!(error, Error::SchemaOlder { found: 0, needed: SCHEMA_VERSION }),
            "{error}"
        );
        assert!(error.remedy().0.contains("worker migrate"));
        assert!(world.database().open_existing().await.is_err());
        world.store.migrate().await.unwrap();
        world.database().open_existing().await.unwrap().close().await;
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    both_empty(async |world: World| {
        world.store.migrate().await.unwrap();
        world.execute("UPDATE _sqlx_migrations SET version = 999 WHERE version = 1").await;
        let dump = world.dump(&[]).await;
        for error in [
            world.store.require_schema().await.unwrap_err(),
            world.store.migrate().await.unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::SchemaNewer { found: 999, known: SCHEMA_VERSION }),
                "{error}"
            );
        }
        assert_eq!(world.dump(&[]).await, dump);
    })
    .await;
}

#[tokio::test]
async fn a_database_serves_only_the_app_it_was_first_used_with() {
    both(async |world: World| {
        let other = "FEDCBA9876543210FEDCBA9876543210";
        let error = world.store.bind(other, &KEYS).await.unwrap_err();
        let Error::OtherApp { bound, configured } = &error else { panic!("{error}") };
        assert_eq!((bound.as_str(), configured.as_str()), (CLIENT, other));
        assert!(world.store.bound_keys(other).await.is_err());
        let same = world.store.bound_keys(&CLIENT.to_lowercase()).await.unwrap();
        assert_eq!(same, Some(KEYS));
    })
    .await;
}

#[tokio::test]
async fn keys_are_made_once_and_never_change() {
    both_empty(async |world: World| {
        world.store.migrate().await.unwrap();
        assert_eq!(world.store.bound_keys(CLIENT).await.unwrap(), None);
        let (one, two) = (
            Keys { fingerprint: [1; 16], pseudonym: [0x1f; 32] },
            Keys { fingerprint: [2; 16], pseudonym: [0x2f; 32] },
        );
        let (first, second) =
            tokio::join!(world.store.bind(CLIENT, &one), world.store.bind(CLIENT, &two));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first, second, "two workers that start at once agree");
        assert!(first == one || first == two, "and their keys belong together");
        let later = Keys { fingerprint: [3; 16], pseudonym: [0x3f; 32] };
        assert_eq!(world.store.bind(CLIENT, &later).await.unwrap(), first);
    })
    .await;
}

#[tokio::test]
async fn keys_that_were_tampered_with_are_not_replaced() {
    both(async |world: World| {
        world.execute("UPDATE settings SET value = 'xyz' WHERE name = 'fingerprint_key'").await;
        let error = world.store.bind(CLIENT, &KEYS).await.unwrap_err();
        assert!(
            matches!(error, Error::Inconsistent { table: "settings", column: "value", .. }),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn exemptions_are_read_back_as_they_were_written() {
    both(async |world: World| {
        let exemption = |id: &str, until| Exemption {
            id: id.to_owned(),
            until: micros(until),
            reason: "Umzug — 引越し, \"quoted\" \\ 'so'\n".to_owned(),
            by: "Zoë".to_owned(),
            added_at: micros(-1),
        };
        let (late, early) = (exemption("zoë@example.com", 999_999), exemption("AC-1", 1));
        for one in [&late, &early, &exemption("d0", 7)] {
            world.store.add_exemption(one).await.unwrap();
        }
        let replaced = Exemption { reason: "other".to_owned(), ..exemption("d0", 500_000) };
        world.store.add_exemption(&replaced).await.unwrap();
        assert_eq!(world.store.exemptions().await.unwrap(), [early.clone(), replaced, late]);
        assert!(world.store.remove_exemption("d0", "Ann", start()).await.unwrap());
        assert!(!world.store.remove_exemption("d0", "Ann", start()).await.unwrap());
        assert_eq!(world.store.exemptions().await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn runs_are_remembered_with_their_progress() {
    both(async |world: World| {
        for number in 1..=3u8 {
            let at = micros(number.into());
            let id = Uuid::from_u128(number.into());
            world.store.start_run(id, "campaign", at).await.unwrap();
        }
        let progress = "{\"job\":\"campaign – nightly\"}";
        world.store.finish_run(Uuid::from_u128(2), micros(60), 4, progress).await.unwrap();
        let runs = world.store.latest_runs(2).await.unwrap();
        let ids: Vec<u128> = runs.iter().map(|run| run.run_id.as_u128()).collect();
        assert_eq!(ids, [3, 2], "the newest first");
        assert_eq!((runs[0].finished_at, runs[0].exit_code), (None, None));
        assert_eq!(runs[1].started_at, micros(2));
        assert_eq!(runs[1].finished_at, Some(micros(60)));
        assert_eq!((runs[1].exit_code, runs[1].progress.as_deref()), (Some(4), Some(progress)));
    })
    .await;
}

#[tokio::test]
async fn sqlite_is_built_without_a_lock_that_all_connections_share() {
    // .cargo/config.toml
    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let options: Vec<String> =
        sqlx::query_scalar("PRAGMA compile_options").fetch_all(&mut sqlite).await.unwrap();
    assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()), "{options:?}");
    assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT".to_owned()), "{options:?}");
    assert!(options.contains(&"THREADSAFE=1".to_owned()), "{options:?}");
}
