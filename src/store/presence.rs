//! Connections that come and go without the host's list saying so: a removal takes one out,
//! Xero's own list brings it back. What other connections owe to it is settled along with it,
//! as a scan would.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Presence;
use crate::domain::grant::ConnectionKey;

use super::dialect::{Dialect, Ids};
use super::restless::{Restless, stir};
use super::settings::lock_for_scan;
use super::writer::covering;
use super::{Error, Tx, with_tx};

/// Takes connections out that were removed at `at`, in the transaction that settles the
/// removals. Waits for a scan that is being put in force, which would know nothing of them.
///
/// # Errors
/// The database cannot be used.
pub async fn remove(
    tx: &mut Tx,
    keys: &[ConnectionKey],
    at: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    lock_for_scan(tx).await?;
    turn(tx, keys, ("presence <> 'removed'", Presence::Removed, Some(at)), at, run).await
}

/// Brings those back that were removed, as the host lists them.
///
/// # Errors
/// The database cannot be used.
pub(super) async fn bring_back(
    tx: &mut Tx,
    keys: &[ConnectionKey],
    now: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    stir(tx, &Restless::ANY).await?;
    turn(tx, keys, ("presence = 'removed'", Presence::Present, None), now, run).await
}

/// Changes the presence of those of which the condition holds, and adds it to their stories.
async fn turn(
    tx: &mut Tx,
    keys: &[ConnectionKey],
    (condition, presence, absent_since): (&str, Presence, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    let dialect = Dialect::of_tx(tx);
    let ids = || Ids(keys.iter().map(|key| key.0).collect());
    let note = dialect.with_ids(&format!(
        "INSERT INTO changes (connection_key, changed_at, run_id, what, before, after) \
         SELECT connection_key, $2, $3, 'presence', presence, $4 FROM connections \
         WHERE connection_key {{ids}} AND {condition}"
    ));
    let noted = with_tx!(&mut *tx, db => {
        sqlx::query(AssertSqlSafe(note))
            .bind(ids())
            .bind(now)
            .bind(run)
            .bind(presence.as_str())
            .execute(db)
            .await
            .map(|done| done.rows_affected())
    })?;
    if noted == 0 {
        return Ok(());
    }
    let change = dialect.with_ids(&format!(
        "UPDATE connections SET presence = $2, absent_since = $3 \
         WHERE connection_key {{ids}} AND {condition}"
    ));
    with_tx!(&mut *tx, db => {
        sqlx::query(AssertSqlSafe(change))
            .bind(ids())
            .bind(presence.as_str())
            .bind(absent_since)
            .execute(db)
            .await
            .map(|_| ())
    })?;
    settle(tx, ids, now).await
}

/// A grant is ready when all its connections that count are; and a ready one covers others.
async fn settle(tx: &mut Tx, ids: impl Fn() -> Ids, now: DateTime<Utc>) -> Result<(), Error> {
    const OWN: &str = "grant_id IN (SELECT grant_id FROM connections WHERE connection_key {ids})";
    const READY: &str = "EXISTS (SELECT 1 FROM connections c WHERE c.grant_id = grants.grant_id \
            AND c.presence IN ('present', 'row_bad')) \
         AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.grant_id = grants.grant_id \
            AND c.presence IN ('present', 'row_bad') AND c.readiness <> 'ready')";
    let dialect = Dialect::of_tx(tx);
    let ready = dialect.with_ids(&format!(
        "UPDATE grants SET ready = ({READY}), \
            ready_at = COALESCE(ready_at, CASE WHEN {READY} THEN $2 END) WHERE {OWN}"
    ));
    with_tx!(&mut *tx, db => {
        sqlx::query(AssertSqlSafe(ready)).bind(ids()).bind(now).execute(db).await.map(|_| ())
    })?;
    let tenants =
        dialect.with_ids(&format!("SELECT DISTINCT tenant_id FROM connections WHERE {OWN}"));
    let tenants: Vec<Uuid> = with_tx!(&mut *tx, db => {
        sqlx::query_scalar(AssertSqlSafe(tenants)).bind(ids()).fetch_all(db).await
    })?;
    covering(dialect, tenants)?.run(tx).await
}
