//! Connections that come and go without the host's list saying so: a removal takes one out,
//! Xero's own list brings it back. What other connections owe to it is settled along with it,
//! as a scan would.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::connection::Presence;
use crate::domain::grant::ConnectionKey;

use super::dialect::Dialect;
use super::settings::lock_for_scan;
use super::writer::covering;
use super::{Error, Tx, with_tx};

/// Takes a connection out that was removed at `at`, in the transaction that settles the
/// removal. Waits for a scan that is being put in force, which would know nothing of it.
///
/// # Errors
/// The database cannot be used.
pub async fn remove(
    tx: &mut Tx,
    key: ConnectionKey,
    at: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    const TAKE: &str = "UPDATE connections SET presence = 'removed', absent_since = $2 \
         WHERE connection_key = $1 AND presence <> 'removed'";
    lock_for_scan(tx).await?;
    let before = presence(tx, key).await?;
    if before.is_none() || before.as_deref() == Some(Presence::Removed.as_str()) {
        return Ok(());
    }
    with_tx!(&mut *tx, db => {
        sqlx::query(TAKE).bind(key.0).bind(at).execute(db).await.map(|_| ())
    })?;
    note(tx, key, (before, Presence::Removed), at, run).await?;
    settle(tx, key, at).await
}

/// Brings one back that was removed, as the host lists it.
///
/// # Errors
/// The database cannot be used.
pub(super) async fn bring_back(
    tx: &mut Tx,
    key: ConnectionKey,
    now: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE connections SET presence = 'present', absent_since = NULL \
         WHERE connection_key = $1 AND presence = 'removed'";
    let before = presence(tx, key).await?;
    if before.as_deref() != Some(Presence::Removed.as_str()) {
        return Ok(());
    }
    with_tx!(&mut *tx, db => sqlx::query(SQL).bind(key.0).execute(db).await.map(|_| ()))?;
    note(tx, key, (before, Presence::Present), now, run).await?;
    settle(tx, key, now).await
}

async fn presence(tx: &mut Tx, key: ConnectionKey) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT presence FROM connections WHERE connection_key = $1";
    Ok(with_tx!(tx, db => sqlx::query_scalar(SQL).bind(key.0).fetch_optional(db).await)?)
}

/// Adds it to the connection's story.
async fn note(
    tx: &mut Tx,
    key: ConnectionKey,
    (before, after): (Option<String>, Presence),
    at: DateTime<Utc>,
    run: Uuid,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO changes \
            (connection_key, changed_at, run_id, what, before, after) \
         VALUES ($1, $2, $3, 'presence', $4, $5)";
    with_tx!(tx, db => {
        sqlx::query(SQL)
            .bind(key.0)
            .bind(at)
            .bind(run)
            .bind(before)
            .bind(after.as_str())
            .execute(db)
            .await
            .map(|_| ())
    })?;
    Ok(())
}

/// A grant is ready when all its connections that count are; and a ready one covers others.
async fn settle(tx: &mut Tx, key: ConnectionKey, now: DateTime<Utc>) -> Result<(), Error> {
    const READY: &str = "EXISTS (SELECT 1 FROM connections c WHERE c.grant_id = grants.grant_id \
            AND c.presence IN ('present', 'row_bad')) \
         AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.grant_id = grants.grant_id \
            AND c.presence IN ('present', 'row_bad') AND c.readiness <> 'ready')";
    let ready = format!(
        "UPDATE grants SET ready = ({READY}), \
            ready_at = COALESCE(ready_at, CASE WHEN {READY} THEN $2 END) \
         WHERE grant_id = (SELECT grant_id FROM connections WHERE connection_key = $1)"
    );
    with_tx!(&mut *tx, db => {
        sqlx::query(sqlx::AssertSqlSafe(ready)).bind(key.0).bind(now).execute(db).await.map(|_| ())
    })?;
    const TENANTS: &str = "SELECT DISTINCT tenant_id FROM connections WHERE grant_id = \
         (SELECT grant_id FROM connections WHERE connection_key = $1)";
    let tenants: Vec<Uuid> =
        with_tx!(&mut *tx, db => sqlx::query_scalar(TENANTS).bind(key.0).fetch_all(db).await)?;
    covering(Dialect::of_tx(tx), tenants)?.run(tx).await
}
