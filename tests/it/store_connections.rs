//! The store's contract, part two: what a scan writes is read back as it was.

use uuid::Uuid;
use worker::domain::class::Class;
use worker::domain::connection::Connection;
use worker::domain::evidence::{Evidence, Source};
use worker::domain::grant::{GrantId, Unsettled};
use worker::store::writer::{Batch, GrantRecord, ScanWriter};
use worker::store::{Error, ScopeSets};

use crate::support::line::{BROAD, GRANULAR, MIXED, READY};
use crate::support::stored::{at, bare, full, put, record, uuid};
use crate::support::world::{World, both, scopes};

#[tokio::test]
async fn every_column_of_a_connection_is_read_back_as_it_was_written() {
    both(async |world: World| {
        let expected = [bare(3), full()];
        put(&world, 1, expected.to_vec()).await;
        for connection in &expected {
            assert_eq!(world.find(connection.key).await.as_ref(), Some(connection));
        }
        let sets = world.store.scope_sets().await.unwrap();
        let full = &expected[1];
        let address = full.people[1].person.email.as_ref().unwrap();
        for found in [
            world.store.find_by_uuid(uuid(7), &sets).await.unwrap(),
            world.store.find_by_uuid(uuid(70), &sets).await.unwrap(),
            world.store.find_by_uuid(uuid(700), &sets).await.unwrap(),
            world.store.find_by_uuid(uuid(7_000), &sets).await.unwrap(),
            world.store.find_by_account("AC-1/ß", &sets).await.unwrap(),
            world.store.find_by_address(address.key(), &sets).await.unwrap(),
            world.store.connections_of_tenants(&[full.facts.tenant], &sets).await.unwrap(),
            world.store.connections_of_grants(&[full.facts.grant], &sets).await.unwrap(),
        ] {
            assert_eq!(found, std::slice::from_ref(full));
        }
        let given = world.find(full.key).await.unwrap().people[1].person.email.clone().unwrap();
        assert_eq!(given.given(), "Zoë.Ω@bücher.example", "as the host wrote it");
    })
    .await;
}

#[tokio::test]
async fn a_connection_written_again_is_replaced_with_its_people_and_keeps_when_it_was_first_seen() {
    both(async |world: World| {
        put(&world, 1, vec![full(), bare(3)]).await;
        let mut later = Connection { first_seen_at: at(99), absent_since: None, ..full() };
        later.people.remove(0);
        later.facts.evidence = vec![Evidence {
            source: Source::Scopes,
            scopes: scopes("accounting.settings"),
            at: None,
        }];
        later.facts.tenant_name = None;
        put(&world, 2, vec![later.clone()]).await;
        later.first_seen_at = at(10);
        assert_eq!(world.find(later.key).await, Some(later));
        assert_eq!(world.find(bare(3).key).await, Some(bare(3)));
    })
    .await;
}

#[tokio::test]
async fn grants_keep_when_they_were_first_seen_and_first_ready() {
    both(async |world: World| {
        let evidence =
            Evidence { source: Source::TokenResponse, scopes: scopes(READY), at: Some(at(3)) };
        let ready = GrantRecord {
            id: GrantId(uuid(1)),
            class: Class::Granular,
            unsettled: None,
            evidence: Some(evidence),
            ready: true,
        };
        let unknown = GrantRecord {
            class: Class::Unknown,
            unsettled: Some(Unsettled::EvidenceDiffers),
            evidence: None,
            ready: false,
            ..ready.clone()
        };
        for (scan, grant) in [(1, &unknown), (2, &ready), (3, &unknown)] {
            let last = world.store.last_complete_scan().await.unwrap().map(|last| last.scan_id);
            let sets = world.store.scope_sets().await.unwrap();
            let now = at(i64::try_from(scan).unwrap());
            let id = Uuid::from_u128(scan);
            let mut writer = ScanWriter::begin(&world.store, last, sets, now, id).await.unwrap();
            writer.write(Batch { grants: vec![grant.clone()], ..Batch::default() }).await.unwrap();
            writer.complete(&record(scan), &[]).await.unwrap();
            if scan == 2 {
                let sets = world.store.scope_sets().await.unwrap();
                let settled = world.store.settled_scopes(&[grant.id], &sets).await.unwrap();
                assert_eq!(settled[&grant.id], evidence.scopes);
                let none = ScopeSets::default();
                assert_eq!(settled, world.store.settled_scopes(&[grant.id], &none).await.unwrap());
            }
        }
        let rows = world.store.grant_rows(&[ready.id]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].class.as_str(), rows[0].scope_set), ("unknown", None));
        assert_eq!(rows[0].unsettled.as_deref(), Some("evidence_differs"));
        assert_eq!(rows[0].ready_at, Some(at(2)));
    })
    .await;
}

#[tokio::test]
async fn sets_of_scopes_that_a_scan_added_meanwhile_are_read_anew() {
    both(async |world: World| {
        let before = world.store.scope_sets().await.unwrap();
        put(&world, 1, vec![full()]).await;
        let found = world.store.connections_by_key(&[full().key], &before).await.unwrap();
        assert_eq!(found, Vec::from_iter(world.find(full().key).await));
        assert!(!found[0].facts.evidence.is_empty());
    })
    .await;
}

#[tokio::test]
async fn each_distinct_set_of_scopes_is_stored_once() {
    both(async |world: World| {
        let with = |number, texts: &[&str]| {
            let evidence = texts.iter().map(|text| Evidence {
                source: Source::Scopes,
                scopes: scopes(text),
                at: None,
            });
            let mut connection = bare(number);
            connection.facts.evidence = evidence.collect();
            connection
        };
        let first = [with(1, &[BROAD, READY]), with(2, &[READY])];
        put(&world, 1, first.to_vec()).await;
        let second = [with(3, &[READY, MIXED, GRANULAR])];
        put(&world, 2, second.to_vec()).await;
        assert_eq!(world.texts("SELECT scopes FROM scope_sets").await.len(), 4);
        for connection in first.iter().chain(&second) {
            assert_eq!(world.find(connection.key).await.as_ref(), Some(connection));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stored_value_that_makes_no_sense_is_named_by_table_and_column() {
    both(async |world: World| {
        for (table, column, value) in [
            ("connections", "presence", "'here'"),
            ("connections", "class", "'narrow'"),
            ("connections", "readiness", "'perhaps'"),
            ("connections", "flow", "'device'"),
            ("connections", "doubt", "'hm'"),
            ("connections", "evidence", "'[[\"scopes\",1'"),
            ("connections", "evidence", "'[[\"hearsay\",1,null]]'"),
            ("connections", "evidence", "'[[\"scopes\",1,9223372036854775807]]'"),
            ("people", "email", "'nobody'"),
            ("people", "time_zone", "'Mars/Olympus'"),
            ("scope_sets", "scopes", "'accounting.nonsense ' || id"),
        ] {
            world.execute("DELETE FROM people").await;
            world.execute("DELETE FROM connections").await;
            world.execute("DELETE FROM scope_sets").await;
            world.execute("DELETE FROM scans").await;
            put(&world, 1, vec![full()]).await;
            world.execute(&format!("UPDATE {table} SET {column} = {value}")).await;
            let error = async {
                let sets = world.store.scope_sets().await?;
                world.store.connections_by_key(&[full().key], &sets).await
            }
            .await
            .expect_err(value);
            match error {
                Error::Inconsistent { table: found, column: at, value } => {
                    assert_eq!((found, at), (table, column));
                    assert!(!value.contains("nobody"), "an address is not shown");
                }
                other => panic!("{table}.{column} = {value}: {other}"),
            }
        }
    })
    .await;
}

/// The number of a set that is not there is named too.
#[tokio::test]
async fn a_missing_set_of_scopes_is_found_out() {
    both(async |world: World| {
        put(&world, 1, vec![full()]).await;
        world.execute("DELETE FROM scope_sets").await;
        let sets = world.store.scope_sets().await.unwrap();
        let error = world.store.find_by_uuid(uuid(7), &sets).await.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { table: "scope_sets", column: "id", .. }));
    })
    .await;
}
