//! Connections that were removed, without the step that removes: as it leaves them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use worker::clock::{Clock, SystemClock};
use worker::domain::grant::ConnectionKey;
use worker::store::presence;

use super::sending::Sending;
use super::world::{World, key};

/// What the ledger of removals says of one that took effect.
const LEDGER: &str = "INSERT INTO removals (removal_id, connection_key, connection_id, tenant_id, \
        grant_id, plan_id, planned, people, state, due_at, attempts, lost, fence, settled_at, \
        run_id, made_at) \
     SELECT connection_key, connection_key, connection_key, tenant_id, grant_id, 'plan', '{}', \
        '[]', 'removed', absent_since, 1, 0, 1, absent_since, connection_key, absent_since \
     FROM connections WHERE presence = 'removed' AND connection_key NOT IN \
        (SELECT connection_key FROM removals)";

/// A connection of this world is removed at a time.
pub async fn removed_in(world: &World, key: ConnectionKey, at: DateTime<Utc>) {
    let mut tx = world.store.begin().await.expect("the test's own database");
    presence::remove(&mut tx, &[key], at, Uuid::nil()).await.expect("a connection");
    tx.commit().await.expect("the test's own database");
    world.execute(LEDGER).await;
}

impl Sending {
    pub async fn world(&self) -> World {
        match &self.pg {
            Some(pg) => World::at(&pg.url()).await,
            None => World::of(&self.place).await,
        }
    }

    /// A connection is removed, by the number that its id was made of.
    pub async fn removed(&self, connection: usize) {
        let world = self.world().await;
        removed_in(&world, key(connection), SystemClock.now()).await;
        world.store.close().await;
    }

    /// All removals were so many days ago.
    pub async fn removals_were(&self, days: i64) {
        let at = SystemClock.now() - TimeDelta::days(days);
        let at = at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        self.execute(&format!(
            "UPDATE removals SET settled_at = '{at}'; \
             UPDATE connections SET absent_since = '{at}' WHERE presence = 'removed'"
        ))
        .await;
    }
}
