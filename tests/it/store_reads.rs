//! The store's contract, part four: walking over what awaits, and private copies.

use uuid::Uuid;
use worker::domain::class::Class;
use worker::domain::connection::Standing;
use worker::domain::grant::Readiness;
use worker::store::PrivateCopy;
use worker::store::awaiting::Walk;

use crate::support::stored::{at, bare, full, put, uuid};
use crate::support::world::{World, both};

#[tokio::test]
async fn a_walk_over_what_awaits_meets_every_grant_once_and_whole() {
    const GRANTS: u128 = 1_234;
    both(async |world: World| {
        let mut connections = Vec::new();
        for grant in 1..=GRANTS {
            for part in 0..2 {
                let mut connection = bare(grant << 8 | part);
                connection.facts.grant = full().facts.grant;
                connection.facts.grant.0 = uuid(grant << 8);
                // Only one of the two awaits; every tenth grant has none that does.
                let awaits = part == 1 && grant % 10 != 0;
                connection.standing = Standing {
                    class: Class::Mixed,
                    readiness: if awaits { Readiness::Awaiting } else { Readiness::Ready },
                    ..connection.standing
                };
                connections.push(connection);
            }
        }
        put(&world, 1, connections).await;
        let sets = world.store.scope_sets().await.unwrap();
        let (mut walk, mut met) = (Walk::default(), Vec::new());
        loop {
            let page = world.store.next_awaiting(&mut walk, &sets).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.iter().all(|grant| grant.len() == 2));
            met.extend(page.iter().map(|grant| grant[0].facts.grant.0));
        }
        let expected: Vec<Uuid> =
            (1..=GRANTS).filter(|grant| grant % 10 != 0).map(|grant| uuid(grant << 8)).collect();
        assert_eq!(met, expected);
        assert!(world.store.next_awaiting(&mut walk, &sets).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_private_copy_holds_what_the_original_holds_and_leaves_it_alone() {
    both(async |world: World| {
        let missing = world.find(full().key).await;
        assert_eq!(missing, None);
        put(&world, 1, vec![full(), bare(3)]).await;
        world.store.start_run(uuid(1), "campaign", at(3)).await.unwrap();
        world.store.accept_scan("d1", "Zoë", "planned – „so“", at(4)).await.unwrap();
        let before = world.dump(&[]).await;
        let copy = PrivateCopy::of(&world.database()).await.unwrap();
        assert!(!copy.fresh);
        let sets = copy.store.scope_sets().await.unwrap();
        let keys = [bare(3).key, full().key];
        let mut found = copy.store.connections_by_key(&keys, &sets).await.unwrap();
        found.sort_by_key(|connection| connection.key);
        assert_eq!(found, [bare(3), full()]);
        assert_eq!(copy.store.tally().await.unwrap(), world.store.tally().await.unwrap());
        assert_eq!(
            copy.store.last_complete_scan().await.unwrap(),
            world.store.last_complete_scan().await.unwrap()
        );
        assert_eq!(copy.store.latest_runs(9).await.unwrap()[0].started_at, at(3));
        copy.store.start_run(uuid(2), "campaign", at(5)).await.unwrap();
        assert_eq!(world.dump(&[]).await, before);
    })
    .await;
}
