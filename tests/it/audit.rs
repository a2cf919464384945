//! The record: it stands and falls with what it records, and whatever is done to it shows.

use chrono::TimeDelta;
use sqlx::AssertSqlSafe;
use worker::domain::audit::{Fault, Found, Hash, Head};
use worker::store::exemptions::Exemption;
use worker::store::pauses::Pause;
use worker::store::suppressions::Suppression;
use worker::store::{Error, Store};

use crate::support::world::{World, both, start};

fn pause(minutes: i64, by: &str) -> Pause {
    let paused_at = start() + TimeDelta::minutes(minutes);
    Pause { paused_at, reason: "ask jo@books.example".to_owned(), by: by.to_owned() }
}

fn suppression(address: &str) -> Suppression {
    Suppression {
        recipient: address.to_owned(),
        reason: "asked".to_owned(),
        by: "Ann".to_owned(),
        added_at: start(),
    }
}

/// Three pauses and their ends: with what begins every record, seven entries.
async fn record(world: &World) -> Head {
    for minutes in [1, 3, 5] {
        world.store.pause(&pause(minutes, "Ann")).await.unwrap();
        let end = start() + TimeDelta::minutes(minutes + 1);
        world.store.resume("Bo", end).await.unwrap();
    }
    world.store.audit_head().await.unwrap().expect("a head")
}

async fn verify(world: &World, logged: Option<Hash>) -> Result<Head, Fault> {
    world.store.verify_audit(logged).await.unwrap()
}

/// Whether the database itself refuses a statement.
async fn is_refused(world: &World, sql: &str) -> bool {
    let sql = AssertSqlSafe(sql.to_owned());
    let error = match &world.store {
        Store::Sqlite(pool) => sqlx::query(sql).execute(pool).await.err(),
        Store::Postgres(pool) => sqlx::query(sql).execute(pool).await.err(),
    };
    error.is_some_and(|error| error.to_string().contains("only added to"))
}

/// What it takes to change it all the same.
async fn unlock(world: &World) {
    world
        .execute(match world.is_postgres() {
            true => "ALTER TABLE audit DISABLE TRIGGER ALL",
            false => "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted",
        })
        .await;
}

#[tokio::test]
async fn what_people_decide_is_recorded_by_kind_name_and_pseudonym() {
    both(async |world: World| {
        let store = &world.store;
        assert_eq!(verify(&world, None).await, Ok(Head::NONE));
        store.pause(&pause(1, "Ann")).await.unwrap();
        store.pause(&pause(2, "Bo")).await.unwrap();
        store.resume("Bo", start()).await.unwrap();
        store.resume("Bo", start()).await.unwrap();
        let exemption = |id: &str| Exemption {
            id: id.to_owned(),
            until: start() + TimeDelta::days(9),
            reason: "a friend".to_owned(),
            by: "Ann".to_owned(),
            added_at: start(),
        };
        store.add_exemption(&exemption("AC-7")).await.unwrap();
        store.add_exemption(&exemption("jo@books.example")).await.unwrap();
        store.remove_exemption("AC-7", "Bo", start()).await.unwrap();
        store.suppress(&[suppression("jo@books.example")]).await.unwrap();
        store.suppress(&[suppression("jo@books.example")]).await.unwrap();
        store.unsuppress("jo@books.example", "Bo", start()).await.unwrap();
        store.accept_scan("00ff", "Ann", "it is right", start()).await.unwrap();
        let mut entries = Vec::new();
        let each = |entry| {
            entries.push(entry);
            Ok::<(), Error>(())
        };
        store.audit_entries(each).await.unwrap();
        let told: Vec<String> = entries
            .iter()
            .map(|entry| {
                let by = entry.by.as_deref().unwrap_or("-");
                let subject = entry.subject.as_deref().unwrap_or("-");
                let person = if entry.person.is_some() { "somebody" } else { "-" };
                format!("{} {by} {subject} {person}", entry.kind)
            })
            .collect();
        let expected = [
            "database_bound - - -",
            "paused Ann - -",
            "resumed Bo - -",
            "exemption_added Ann AC-7 -",
            "exemption_added Ann - somebody",
            "exemption_removed Bo AC-7 -",
            "suppressed Ann - somebody",
            "unsuppressed Bo - somebody",
            "scan_accepted Ann 00ff -",
        ];
        assert_eq!(told, expected, "what changes nothing is no act");
        assert!(!format!("{entries:?}").contains('@'));
        assert_eq!(verify(&world, None).await.map(|head| head.number), Ok(9));
    })
    .await;
}

#[tokio::test]
async fn what_was_done_to_it_by_hand_is_found_where_it_begins() {
    let altered = |number| Fault { number, found: Found::Altered };
    let cases: [(&str, Fault); 9] = [
        ("UPDATE audit SET by_name = 'Cy' WHERE number = 4", altered(4)),
        ("UPDATE audit SET detail = detail || ' ' WHERE number = 1", altered(1)),
        ("UPDATE audit SET kind = 'paused' WHERE number = 7", altered(7)),
        (
            "UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 2) WHERE number = 5",
            altered(5),
        ),
        ("DELETE FROM audit WHERE number = 3", Fault { number: 3, found: Found::Missing }),
        ("DELETE FROM audit WHERE number > 5", Fault { number: 6, found: Found::CutOff }),
        (
            "UPDATE audit SET number = -3 WHERE number = 3; \
             UPDATE audit SET number = 3 WHERE number = 5; \
             UPDATE audit SET number = 5 WHERE number = -3",
            altered(3),
        ),
        (
            "INSERT INTO audit SELECT 8, at, run_id, kind, subject, person, by_name, detail, hash \
             FROM audit WHERE number = 7",
            Fault { number: 8, found: Found::Appended },
        ),
        ("UPDATE audit_head SET hash = (SELECT hash FROM audit WHERE number = 2)", altered(7)),
    ];
    for (change, expected) in cases {
        both(async |world: World| {
            record(&world).await;
            unlock(&world).await;
            world.execute(change).await;
            assert_eq!(verify(&world, None).await, Err(expected), "{change}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_record_that_was_cut_off_with_its_end_is_found_by_a_logged_head() {
    both(async |world: World| {
        let logged = record(&world).await;
        world.store.pause(&pause(9, "Ann")).await.unwrap();
        assert!(verify(&world, Some(logged.hash)).await.is_ok(), "it has grown since");
        unlock(&world).await;
        world
            .execute(
                "DELETE FROM audit WHERE number > 5; UPDATE audit_head SET number = 5, \
                 hash = (SELECT hash FROM audit WHERE number = 5)",
            )
            .await;
        assert_eq!(verify(&world, None).await.map(|head| head.number), Ok(5), "nothing to see");
        let expected = Fault { number: 5, found: Found::NotInIt };
        assert_eq!(verify(&world, Some(logged.hash)).await, Err(expected));
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_an_entry() {
    both(async |world: World| {
        let head = record(&world).await;
        assert!(is_refused(&world, "UPDATE audit SET by_name = 'Cy' WHERE number = 2").await);
        assert!(is_refused(&world, "DELETE FROM audit WHERE number = 7").await);
        if world.is_postgres() {
            assert!(is_refused(&world, "TRUNCATE audit").await);
        }
        assert_eq!(verify(&world, None).await, Ok(head));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    both(async |world: World| {
        record(&world).await;
        // The next entry's place is taken.
        world
            .execute(
                "INSERT INTO audit (number, at, kind, detail, hash) \
                 VALUES (8, '2026-12-01T00:00:00.000000+00:00', 'paused', '{}', '')",
            )
            .await;
        let store = &world.store;
        let tables = ["suppressions", "pauses", "accepted_scans", "exemptions", "audit_head"];
        let before = world.dump(&tables).await;
        assert!(store.pause(&pause(9, "Ann")).await.is_err());
        assert!(store.suppress(&[suppression("jo@books.example")]).await.is_err());
        assert!(store.accept_scan("00ff", "Ann", "it is right", start()).await.is_err());
        assert_eq!(world.dump(&tables).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_keep_one_record() {
    const WRITERS: usize = 4;
    const ACTS: usize = 25;
    both(async |world: World| {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let database = world.database();
            writers.spawn(async move {
                let store = database.open().await.unwrap();
                for number in 0..ACTS {
                    let address = format!("p{writer}-{number}@books.example");
                    store.suppress(&[suppression(&address)]).await.unwrap();
                }
                store.close().await;
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended.unwrap();
        }
        let head = verify(&world, None).await.map(|head| head.number);
        assert_eq!(head, Ok(i64::try_from(1 + WRITERS * ACTS).unwrap()));
    })
    .await;
}
