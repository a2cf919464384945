//! Xero's own list held against the inventory: what it changes, and what it must not.

use std::sync::Mutex;

use chrono::TimeDelta;
use uuid::Uuid;
use worker::clock::FixedClock;
use worker::domain::connection::Presence;
use worker::domain::grant::ConnectionKey;
use worker::domain::ids::{ConnectionId, TenantId};
use worker::domain::reason::Code;
use worker::inventory::Column;
use worker::jobs::reconciling::Reconcile;
use worker::xero::connections::{Answer, Connections, Deleted, Listed, Listing};
use worker::xero::error::Error;

use crate::support::inventory::id;
use crate::support::line::{Line, line, lines};
use crate::support::removed::removed_in;
use crate::support::world::{Conditions, World, both, key, start};

/// Xero, as it is told to answer.
struct Says(Mutex<Result<Listing, Error>>);

impl Connections for Says {
    fn list(&self) -> Answer<'_, Listing> {
        let said = self.0.lock().expect("an answer").clone();
        Box::pin(async move { said })
    }

    fn delete(&self, _: ConnectionId) -> Answer<'_, Deleted> {
        panic!("reconciling removes nothing");
    }
}

fn listed(connection: usize, tenant: usize) -> Listed {
    Listed {
        id: ConnectionId(uuid("c", connection)),
        tenant: TenantId(uuid("a", tenant)),
        tenant_type: Some("ORGANISATION".to_owned()),
        tenant_name: None,
        auth_event: None,
        created_at: Some("2025-01-01T00:00:00.123456Z".parse().expect("a time")),
        updated_at: None,
    }
}

fn uuid(kind: &str, number: usize) -> Uuid {
    id(kind, number).parse().expect("a UUID")
}

fn whole(connections: Vec<Listed>) -> Result<Listing, Error> {
    Ok(Listing { connections, ..Listing::default() })
}

/// Reads the list some days after the first scan.
async fn reads(world: &World, days: i64, says: Result<Listing, Error>) -> Option<Code> {
    let reconcile = Reconcile {
        store: &world.store,
        xero: &Says(Mutex::new(says)),
        clock: &FixedClock(start() + TimeDelta::days(days)),
        max_change_percent: 20.0,
        run: Uuid::from_u128(7),
    };
    reconcile.run().await.expect("the test's own database").map(|reason| reason.code)
}

const STATE: [&str; 4] = ["connections", "xero_connections", "changes", "grants"];

#[tokio::test]
async fn a_list_says_what_is_there_what_is_gone_and_what_the_inventory_lacks() {
    both(async |world: World| {
        world.scan(&lines(1..=4)).await;
        let list = vec![listed(1, 1), listed(2, 2), listed(3, 99), listed(50, 50), listed(51, 50)];
        assert_eq!(reads(&world, 1, whole(list)).await, None);
        let last = world.store.last_good_list().await.unwrap().unwrap();
        assert_eq!((last.connections, last.tenants), (5, 4));
        // 3 stands for another tenant there, 4 is not there at all.
        assert_eq!((last.gone, last.not_in_inventory, last.unresolved), (2, 3, 0));
        let keys: Vec<ConnectionKey> = (1..=4).map(key).collect();
        let known = world.store.known_of(&keys).await.unwrap();
        assert_eq!(known[&key(1)].at_xero.created_at, listed(1, 1).created_at);
        assert!(known[&key(1)].missing_since.is_none());
        assert!(!known.contains_key(&key(3)));
        assert_eq!(known[&key(4)].missing_since, Some(start() + TimeDelta::days(1)));
        assert_eq!(known[&key(4)].first_seen_at, None);
        // Nobody's class or presence has changed.
        assert_eq!(world.store.tally().await.unwrap().broad_only, 4);
    })
    .await;
}

#[tokio::test]
async fn an_empty_short_incomplete_or_failing_list_changes_nothing_e50() {
    both(async |world: World| {
        world.scan(&lines(1..=10)).await;
        let all: Vec<Listed> = (1..=10).map(|number| listed(number, number)).collect();
        assert_eq!(reads(&world, 1, whole(all.clone())).await, None);
        let before = world.dump(&STATE).await;
        let incomplete = Listing {
            connections: all[..9].to_vec(),
            incomplete: Some("a Link header names another page".to_owned()),
            ..Listing::default()
        };
        for (says, code) in [
            (whole(Vec::new()), Code::ListEmpty),
            (whole(all[..7].to_vec()), Code::ListShort),
            (Ok(incomplete), Code::ListIncomplete),
            (Err(Error::Unavailable("503".to_owned())), Code::ListUnread),
            (Err(Error::Credentials("invalid_client".to_owned())), Code::ListUnread),
            (Err(Error::Lost("half a body".to_owned())), Code::ListUnread),
        ] {
            assert_eq!(reads(&world, 2, says).await, Some(code));
            assert_eq!(world.dump(&STATE).await, before, "{code:?}");
            let latest = world.store.latest_list().await.unwrap().unwrap();
            assert_eq!(latest.outcome, code.as_str());
        }
        let good = world.store.last_good_list().await.unwrap().unwrap();
        assert_eq!(good.read_at, start() + TimeDelta::days(1));
        assert_eq!(reads(&world, 3, whole(all[..8].to_vec())).await, None, "as much as may go");
        assert_eq!(world.store.last_good_list().await.unwrap().unwrap().gone, 2);
    })
    .await;
}

#[tokio::test]
async fn the_same_list_again_writes_nothing_but_that_it_was_read() {
    both(async |world: World| {
        world.scan(&lines(1..=5)).await;
        let list: Vec<Listed> = (2..=6).map(|number| listed(number, number)).collect();
        assert_eq!(reads(&world, 1, whole(list.clone())).await, None);
        let before = world.dump(&STATE).await;
        let turned = list.iter().rev().cloned().collect();
        assert_eq!(reads(&world, 2, whole(turned)).await, None);
        assert_eq!(world.dump(&STATE).await, before);
        // What was missing is there again.
        assert_eq!(reads(&world, 3, whole((1..=6).map(|n| listed(n, n)).collect())).await, None);
        let known = world.store.known_of(&[key(1)]).await.unwrap();
        assert_eq!(known[&key(1)].missing_since, None);
        assert_eq!(known[&key(1)].first_seen_at, Some(start() + TimeDelta::days(3)));
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_older_than_the_last_one_is_not_put_to_use() {
    both(async |world: World| {
        world.scan(&lines(1..=2)).await;
        assert_eq!(reads(&world, 5, whole(vec![listed(1, 1), listed(2, 2)])).await, None);
        let before = world.dump(&["connections", "xero_connections", "xero_lists"]).await;
        // Another replica asked earlier, and got its answer later.
        assert_eq!(reads(&world, 4, whole(vec![listed(1, 1), listed(3, 3)])).await, None);
        let after = world.dump(&["connections", "xero_connections", "xero_lists"]).await;
        assert_eq!(after, before);
    })
    .await;
}

fn without_id(number: usize) -> Line {
    line(number).without(Column::ConnectionId)
}

#[tokio::test]
async fn rows_without_an_id_are_resolved_when_exactly_one_connection_fits_e51() {
    both(async |world: World| {
        let colleague = without_id(2).with(Column::XeroUserId, id("d", 9));
        world.scan(&[without_id(1), without_id(2), colleague, without_id(3)]).await;
        let list = vec![listed(11, 1), listed(12, 2), listed(13, 2), listed(14, 7)];
        assert_eq!(reads(&world, 1, whole(list)).await, None);
        let last = world.store.last_good_list().await.unwrap().unwrap();
        assert_eq!((last.unresolved, last.not_in_inventory), (3, 3), "two at 2, none at 3");
        let owner = |number: usize, user: usize| {
            ConnectionKey::of(
                None,
                TenantId(uuid("a", number)),
                Some(worker::domain::ids::UserId(uuid("d", user))),
            )
        };
        let keys = [owner(1, 1), owner(2, 2), owner(2, 9), owner(3, 3)];
        let known = world.store.known_of(&keys).await.unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[&owner(1, 1)].at_xero.id, ConnectionId(uuid("c", 11)));
        // A second person connects there: which is whose is not known any more.
        let list = vec![listed(11, 1), listed(15, 1), listed(12, 2), listed(13, 2)];
        assert_eq!(reads(&world, 2, whole(list)).await, None);
        assert!(world.store.known_of(&keys).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn where_there_is_a_list_it_says_what_has_come_back_and_a_refreshed_row_does_not() {
    both(async |world: World| {
        let listing = || Conditions { has_list: true, ..Conditions::default() };
        let scan = async |rows: &[Line]| {
            let summary = world.scan_under(rows, listing()).await.expect("a scan");
            assert!(summary.is_in_force());
        };
        scan(&lines(1..=3)).await;
        let at = start() + TimeDelta::hours(1);
        removed_in(&world, key(2), at).await;
        // The host refreshed the person's token, which is dated by that.
        let mut rows = lines(1..=3);
        rows[1] = line(2).with(Column::EvidenceAt, "2026-11-24T00:00:00Z");
        scan(&rows).await;
        let others = vec![listed(1, 1), listed(3, 3)];
        assert_eq!(reads(&world, 2, whole(others)).await, None);
        assert_eq!(world.get(2).await.presence, Presence::Removed);
        assert_eq!(world.store.last_good_list().await.unwrap().unwrap().gone, 0);
        let all = (1..=3).map(|number| listed(number, number)).collect();
        assert_eq!(reads(&world, 3, whole(all)).await, None);
        let back = world.get(2).await;
        assert_eq!((back.presence, back.absent_since), (Presence::Present, None));
        let tally = world.store.tally().await.unwrap();
        assert_eq!((tally.connections, tally.broad_only, tally.removed), (3, 3, 1));
        // Its row is still known, so that the next scan has nothing to do.
        let dump = world.dump(&STATE).await;
        scan(&rows).await;
        assert_eq!(world.dump(&STATE).await, dump);
    })
    .await;
}

#[tokio::test]
async fn the_cap_counts_tenants_and_keeps_a_place_for_whoever_was_removed_e55() {
    both(async |world: World| {
        world.scan(&lines(1..=4)).await;
        assert_eq!(world.store.room(Some(5)).await.unwrap(), None, "nobody has looked");
        let all: Vec<Listed> =
            (1..=4).map(|number| listed(number, number)).chain([listed(9, 4)]).collect();
        assert_eq!(reads(&world, 1, whole(all.clone())).await, None);
        let left = async || {
            let room = world.store.room(Some(5)).await.unwrap().unwrap();
            (room.tenants, room.away, room.left(), room.bar().map(|reason| reason.code))
        };
        assert_eq!(left().await, (4, 0, Some(1), None));
        removed_in(&world, key(1), start() + TimeDelta::days(2)).await;
        assert_eq!(left().await, (4, 0, Some(1), None), "it still has its place in that list");
        assert_eq!(reads(&world, 3, whole(all[1..].to_vec())).await, None);
        assert_eq!(left().await, (3, 1, Some(1), None));
        // Somebody new takes the last place.
        let mut list = all[1..].to_vec();
        list.push(listed(60, 60));
        assert_eq!(reads(&world, 4, whole(list)).await, None);
        assert_eq!(left().await, (4, 1, Some(0), Some(Code::NoRoom)));
        let room = world.store.room(None).await.unwrap().unwrap();
        assert_eq!((room.left(), room.bar()), (None, None));
    })
    .await;
}
