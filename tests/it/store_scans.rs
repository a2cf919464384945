//! The store's contract, part three: counts, volume, and that a scan is in force as a whole
//! or not at all.

use chrono::TimeDelta;
use uuid::Uuid;
use worker::domain::class::Class;
use worker::domain::connection::{Connection, Presence, Standing};
use worker::domain::grant::{ConnectionKey, Readiness};
use worker::domain::ids::TenantId;
use worker::domain::tally::Tally;
use worker::store::Error;
use worker::store::scans::{BadRowRecord, Outcome, ScanRecord};
use worker::store::writer::{Batch, Change, ScanWriter};

use crate::support::stored::{at, bare, full, put, record, uuid, writer};
use crate::support::world::{World, both, start};

#[tokio::test]
async fn a_tally_is_what_counting_by_hand_gives() {
    both(async |world: World| {
        let mut connections = Vec::new();
        let classes =
            [Class::BroadOnly, Class::Mixed, Class::Granular, Class::Unaffected, Class::Unknown];
        let mut number = 0;
        for presence in [Presence::Present, Presence::RowBad, Presence::Gone, Presence::Removed] {
            for class in classes {
                for flags in 0..16u8 {
                    number += 1;
                    let bit = |place: u8| flags >> place & 1 == 1;
                    let readiness = match class {
                        Class::Unaffected => Readiness::Unaffected,
                        Class::Unknown => Readiness::Unknown,
                        _ if number % 3 == 0 => Readiness::Ready,
                        _ => Readiness::Awaiting,
                    };
                    let standing = Standing {
                        class,
                        readiness,
                        some_evidence_ready: false,
                        token_behind: bit(0),
                        manual: bit(1),
                        reachable: bit(2),
                    };
                    connections.push(Connection {
                        presence,
                        standing,
                        covered: bit(3),
                        ..bare(number)
                    });
                }
            }
        }
        put(&world, 1, connections.clone()).await;
        let there = |of: &dyn Fn(&Connection) -> bool| {
            let count = connections.iter().filter(|one| one.presence.counts() && of(one)).count();
            u64::try_from(count).unwrap()
        };
        let class = |class| there(&|one| one.standing.class == class);
        let readiness = |readiness| there(&|one| one.standing.readiness == readiness);
        let awaiting = |of: &dyn Fn(&Connection) -> bool| {
            there(&|one| one.standing.readiness == Readiness::Awaiting && of(one))
        };
        let expected = Tally {
            removed_listed: 0,
            connections: there(&|_| true),
            broad_only: class(Class::BroadOnly),
            mixed: class(Class::Mixed),
            granular: class(Class::Granular),
            unaffected: class(Class::Unaffected),
            unknown: class(Class::Unknown),
            ready: readiness(Readiness::Ready),
            awaiting: readiness(Readiness::Awaiting),
            covered: awaiting(&|one| one.covered),
            manual: awaiting(&|one| one.standing.manual),
            unreachable: awaiting(&|one| !one.standing.reachable),
            token_behind: there(&|one| {
                one.standing.readiness == Readiness::Ready && one.standing.token_behind
            }),
            gone: 80,
            row_bad: 80,
            removed: 0,
            returned: 0,
        };
        assert_eq!(expected.connections, 160);
        assert!(expected.covered > 0 && expected.token_behind > 0);
        assert_eq!(world.store.tally().await.unwrap(), expected);
        let of_classes: u64 = classes.into_iter().map(|class| expected.of_class(class)).sum();
        assert_eq!(of_classes, expected.connections);
    })
    .await;
}

/// Enough for a first load to build its indexes at its end.
const MANY_ROWS: u64 = 1_000_000;

/// INCIDENTS E33: limits on packets, placeholders and variables.
#[tokio::test]
async fn a_hundred_thousand_connections_are_written_in_one_batch_e33() {
    const MANY: u128 = 100_000;
    both(async |world: World| {
        let connections: Vec<Connection> =
            (0..MANY).map(|number| Connection { people: full().people, ..bare(number) }).collect();
        let keys: Vec<ConnectionKey> = connections.iter().map(|one| one.key).collect();
        let mut writer = writer(&world, 1).await;
        let batch = Batch { connections, known: keys.clone(), ..Batch::default() };
        writer.write(batch.clone()).await.unwrap();
        writer.write(batch).await.unwrap();
        let tenants: Vec<TenantId> = (0..MANY).map(|number| bare(number).facts.tenant).collect();
        writer.settle_covered(&tenants).await.unwrap();
        let tally = writer.tally().await.unwrap();
        writer.complete(&record(1), &[]).await.unwrap();
        assert_eq!(u128::from(tally.connections), MANY);
        let people = world.texts("SELECT CAST(count(*) AS text) FROM people").await;
        assert_eq!(people, [(2 * MANY).to_string()]);
        let sets = world.store.scope_sets().await.unwrap();
        let found = world.store.connections_by_key(&keys, &sets).await.unwrap();
        assert_eq!(u128::try_from(found.len()), Ok(MANY));
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_scan_is_seen_before_it_is_complete() {
    both(async |world: World| {
        put(&world, 1, vec![bare(1)]).await;
        let dump = world.dump(&[]).await;
        let changed = Connection { first_seen_at: at(5), ..full() };
        let gone = Connection { presence: Presence::Gone, ..bare(1) };
        let change = Change { key: gone.key, what: "presence", before: None, after: None };
        let batch = Batch {
            connections: vec![gone.clone(), changed],
            known: vec![gone.key],
            changes: vec![change],
            ..Batch::default()
        };
        let mut abandoned = writer(&world, 2).await;
        abandoned.write(batch.clone()).await.unwrap();
        abandoned.settle_covered(&[gone.facts.tenant]).await.unwrap();
        assert_eq!(world.dump(&[]).await, dump, "while it is written");
        abandoned.abandon().await.unwrap();
        assert_eq!(world.dump(&[]).await, dump, "after it was abandoned");

        let mut dropped = writer(&world, 2).await;
        dropped.expect_first(MANY_ROWS).await.unwrap();
        dropped.write(Batch { connections: vec![full()], ..Batch::default() }).await.unwrap();
        drop(dropped);
        assert_eq!(world.dump(&[]).await, dump, "after its task died");

        let mut complete = writer(&world, 2).await;
        complete.write(batch).await.unwrap();
        complete.complete(&record(2), &[]).await.unwrap();
        assert_eq!(world.find(gone.key).await, Some(gone.clone()));
        let changes = world.store.changes(&[gone.key]).await.unwrap();
        assert_eq!((changes.len(), changes[0].what.as_str()), (1, "presence"));
    })
    .await;
}

#[tokio::test]
async fn a_first_load_in_bulk_leaves_the_same_indexes() {
    both(async |world: World| {
        let indexes = |world: &World| match world.is_postgres() {
            true => "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            false => "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        };
        let before = world.texts(indexes(&world)).await;
        let mut bulk = writer(&world, 1).await;
        bulk.expect_first(MANY_ROWS).await.unwrap();
        bulk.write(Batch { connections: vec![full()], ..Batch::default() }).await.unwrap();
        bulk.complete(&record(1), &[]).await.unwrap();
        assert_eq!(world.texts(indexes(&world)).await, before);
        assert_eq!(world.find(full().key).await, Some(full()));
    })
    .await;
}

#[tokio::test]
async fn a_scan_that_was_overtaken_does_not_begin() {
    both(async |world: World| {
        put(&world, 1, vec![bare(1)]).await;
        for stale in [None, Some(Uuid::from_u128(9))] {
            let sets = world.store.scope_sets().await.unwrap();
            let begun = ScanWriter::begin(&world.store, stale, sets, at(0), uuid(2)).await;
            let error = begun.err().expect("another scan was complete");
            assert!(matches!(error, Error::Overtaken), "{error}");
            assert!(error.may_pass());
        }
        put(&world, 2, vec![bare(2)]).await;
    })
    .await;
}

#[tokio::test]
async fn the_scan_in_force_is_the_one_completed_last_even_if_the_clock_went_back() {
    both(async |world: World| {
        put(&world, 5, vec![bare(1)]).await;
        let last = world.store.last_complete_scan().await.unwrap().unwrap();
        let earlier = ScanRecord {
            finished_at: start() - TimeDelta::hours(1),
            scan_id: Uuid::from_u128(1),
            ..record(1)
        };
        writer(&world, 1).await.complete(&earlier, &[]).await.unwrap();
        let found = world.store.last_complete_scan().await.unwrap().unwrap();
        assert_eq!(found.scan_id, earlier.scan_id);
        let sets = world.store.scope_sets().await.unwrap();
        let stale = ScanWriter::begin(&world.store, Some(last.scan_id), sets, at(9), uuid(3)).await;
        assert!(matches!(stale.err(), Some(Error::Overtaken)));
    })
    .await;
}

#[tokio::test]
async fn a_stopped_scan_is_remembered_and_is_not_the_one_in_force() {
    both(async |world: World| {
        put(&world, 1, vec![bare(1)]).await;
        let stopped = ScanRecord {
            outcome: Outcome::Stopped,
            digest: Some("d1".to_owned()),
            reasons: Some("too much – viel zu viel".to_owned()),
            ..record(2)
        };
        world.store.record_stopped_scan(&stopped).await.unwrap();
        assert_eq!(world.store.stopped_scan("d1").await.unwrap(), Some(stopped.finished_at));
        assert_eq!(world.store.stopped_scan("d2").await.unwrap(), None);
        let last = world.store.last_complete_scan().await.unwrap().unwrap();
        assert_eq!(last.scan_id, record(1).scan_id);
        assert_eq!((last.connections, last.bad_rows), (3, 2));
        assert_eq!(last.required_scopes, record(1).required_scopes);
        assert_eq!(world.store.founded_at().await.unwrap(), Some(at(1)));
    })
    .await;
}

#[tokio::test]
async fn an_acceptance_is_used_once_and_only_by_a_scan_that_completes() {
    both(async |world: World| {
        world.store.accept_scan("d1", "Zoë", "planned", at(0)).await.unwrap();
        let mut abandoned = writer(&world, 1).await;
        assert!(!abandoned.use_acceptance("d2").await.unwrap());
        assert!(abandoned.use_acceptance("d1").await.unwrap());
        abandoned.abandon().await.unwrap();
        let mut complete = writer(&world, 2).await;
        assert!(complete.use_acceptance("d1").await.unwrap());
        complete.complete(&record(2), &[]).await.unwrap();
        let mut later = writer(&world, 3).await;
        assert!(!later.use_acceptance("d1").await.unwrap());
        later.abandon().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn bad_rows_are_those_of_the_last_complete_scan() {
    both(async |world: World| {
        let bad = |fingerprint| BadRowRecord {
            fingerprint,
            place: "line 7".to_owned(),
            field: None,
            code: "missing_id".to_owned(),
            reason: "is not given – fehlt".to_owned(),
            key: Some(full().key),
        };
        writer(&world, 1).await.complete(&record(1), &[bad(1), bad(u64::MAX)]).await.unwrap();
        let mut known = world.store.known_bad_rows().await.unwrap();
        known.sort_unstable();
        assert_eq!(known, [1, u64::MAX]);
        writer(&world, 2).await.complete(&record(2), &[bad(3)]).await.unwrap();
        assert_eq!(world.store.known_bad_rows().await.unwrap(), [3]);
    })
    .await;
}
