//! What follows a removal: the tenant is connected again, a ready grant for it is seen, or it
//! is found that its person had consented before, too late to be seen.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind as Acted};
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::ids::TenantId;

use super::dialect::{Ids, with_ids};
use super::settings::lock_for_scan;
use super::{Error, Store, Tx, audit, with_db, with_tx};

/// A removal of which it is not known yet how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    pub connection: ConnectionKey,
    pub tenant: TenantId,
    pub grant: GrantId,
    pub removed_at: DateTime<Utc>,
    pub crossed_at: Option<DateTime<Utc>>,
    /// The tenant is connected again, and not with what is required.
    pub back_at: Option<DateTime<Utc>>,
}

/// What followed the removal of one connection, and when it was found.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Aftermath {
    pub connection_key: Uuid,
    pub crossed_at: Option<DateTime<Utc>>,
    pub back_at: Option<DateTime<Utc>>,
    pub lost_at: Option<DateTime<Utc>>,
    pub returned_at: Option<DateTime<Utc>>,
}

impl Aftermath {
    /// Each with its word.
    #[must_use]
    pub fn events(&self) -> Vec<(&'static str, DateTime<Utc>)> {
        // Who returned is back, and need not be told twice.
        let back = self.back_at.filter(|_| self.returned_at.is_none());
        [
            ("crossed", self.crossed_at),
            ("back_broad", back),
            ("lost", self.lost_at),
            ("returned", self.returned_at),
        ]
        .into_iter()
        .filter_map(|(what, at)| Some((what, at?)))
        .collect()
    }
}

/// How many removals came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Funnel {
    pub removed: u64,
    /// A ready grant was seen again.
    pub returned: u64,
    /// Connected again, and still not with what is required.
    pub back_broad: u64,
    /// Their last message was due and they have not come back.
    pub lost: u64,
    /// Neither yet.
    pub awaited: u64,
    /// Of all of them: consented too late to be seen before the removal.
    pub crossed: u64,
}

/// What was found now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub back: u64,
    pub returned: u64,
}

#[derive(sqlx::FromRow)]
struct AwayRow {
    connection_key: Uuid,
    tenant_id: Uuid,
    grant_id: Uuid,
    settled_at: DateTime<Utc>,
    crossed_at: Option<DateTime<Utc>>,
    back_at: Option<DateTime<Utc>>,
}

/// A removal that has come to an end, or seems to.
#[derive(sqlx::FromRow)]
struct EndedRow {
    connection_key: Uuid,
    tenant_id: Uuid,
    settled_at: DateTime<Utc>,
}

/// Of the connection's grant as it is now: the host may have found out since whose it is.
const AWAY: &str = "SELECT r.connection_key, r.tenant_id, c.grant_id, r.settled_at, \
        r.crossed_at, r.back_at \
     FROM removals r JOIN connections c ON c.connection_key = r.connection_key \
     WHERE r.state = 'removed' AND r.returned_at IS NULL";

impl Store {
    /// Removals whose tenants have no ready grant again.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn away(&self) -> Result<Vec<Away>, Error> {
        let sql = format!("{AWAY} ORDER BY c.grant_id, r.connection_key");
        let rows: Vec<AwayRow> =
            with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await)?;
        Ok(rows.into_iter().map(AwayRow::into_away).collect())
    }

    /// What followed the removals of these connections.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn aftermaths(&self, keys: &[ConnectionKey]) -> Result<Vec<Aftermath>, Error> {
        let sql = with_ids(
            self,
            "SELECT connection_key, crossed_at, back_at, lost_at, returned_at FROM removals \
             WHERE connection_key {ids} AND state = 'removed'",
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(db).await
        })?)
    }

    /// Notes which tenants are connected again, and of which a ready grant is present: once
    /// for each.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_returns(&self, now: DateTime<Utc>, run: Uuid) -> Result<Found, Error> {
        const ANY: &str = "SELECT count(*) FROM removals \
             WHERE state = 'removed' AND (returned_at IS NULL OR back_at IS NULL)";
        const BACK: &str = "UPDATE removals SET back_at = $1 \
             WHERE state = 'removed' AND back_at IS NULL AND EXISTS (\
                SELECT 1 FROM connections c WHERE c.tenant_id = removals.tenant_id \
                    AND c.presence IN ('present', 'row_bad') \
                    AND (c.connection_key = removals.connection_key \
                        OR c.first_seen_at > removals.settled_at))";
        const RETURNED: &str = "UPDATE removals SET returned_at = $1 \
             WHERE state = 'removed' AND returned_at IS NULL AND EXISTS (\
                SELECT 1 FROM connections c WHERE c.tenant_id = removals.tenant_id \
                    AND c.presence = 'present' AND c.readiness = 'ready') \
             RETURNING connection_key, tenant_id, settled_at";
        let any: i64 = with_db!(self, db => sqlx::query_scalar(ANY).fetch_one(db).await)?;
        if any == 0 {
            return Ok(Found::default());
        }
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        let back = with_tx!(&mut tx, db => {
            sqlx::query(BACK).bind(now).execute(db).await.map(|done| done.rows_affected())
        })?;
        let returned: Vec<EndedRow> =
            with_tx!(&mut tx, db => sqlx::query_as(RETURNED).bind(now).fetch_all(db).await)?;
        let acts: Vec<Act> =
            returned.iter().map(|row| row.act(Acted::Returned, now, run)).collect();
        audit::append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(Found { back, returned: returned.len() as u64 })
    }

    /// Notes who was removed before `lost_before` and is not back: once for each, whatever
    /// follows. Gives how many were found.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_lost(
        &self,
        lost_before: DateTime<Utc>,
        now: DateTime<Utc>,
        run: Uuid,
    ) -> Result<u64, Error> {
        const WHICH: &str = "state = 'removed' AND returned_at IS NULL AND back_at IS NULL \
            AND lost_at IS NULL AND settled_at < $1";
        let any = format!("SELECT count(*) FROM removals WHERE {WHICH}");
        let any: i64 = with_db!(self, db => {
            sqlx::query_scalar(AssertSqlSafe(any)).bind(lost_before).fetch_one(db).await
        })?;
        if any == 0 {
            return Ok(0);
        }
        let lost = format!(
            "UPDATE removals SET lost_at = $2 WHERE {WHICH} \
             RETURNING connection_key, tenant_id, settled_at"
        );
        let mut tx = self.begin().await?;
        let lost: Vec<EndedRow> = with_tx!(&mut tx, db => {
            sqlx::query_as(AssertSqlSafe(lost)).bind(lost_before).bind(now).fetch_all(db).await
        })?;
        let acts: Vec<Act> = lost.iter().map(|row| row.act(Acted::Lost, now, run)).collect();
        audit::append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(lost.len() as u64)
    }

    /// Notes which removals crossed a consent.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_crossed(
        &self,
        crossed: &[Away],
        now: DateTime<Utc>,
        run: Uuid,
    ) -> Result<(), Error> {
        if crossed.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let mut acts = Vec::new();
        for one in crossed {
            if cross(&mut tx, one, now).await? {
                let act = Act::new(Acted::Crossed, now).run(run).about(one.connection);
                acts.push(act.with("tenant", one.tenant.to_string()));
            }
        }
        audit::append(&mut tx, &acts).await?;
        tx.commit().await
    }

    /// What became of removals. Who was removed before `lost_before` and is not back has had
    /// all there is to say.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn funnel(&self, lost_before: DateTime<Utc>) -> Result<Funnel, Error> {
        const SQL: &str = "SELECT count(*), count(returned_at), \
                count(CASE WHEN returned_at IS NULL THEN back_at END), \
                count(CASE WHEN returned_at IS NULL AND back_at IS NULL AND settled_at < $1 \
                    THEN 1 END), \
                count(crossed_at) \
             FROM removals WHERE state = 'removed'";
        let (removed, returned, back_broad, lost, crossed): (i64, i64, i64, i64, i64) =
            with_db!(self, db => sqlx::query_as(SQL).bind(lost_before).fetch_one(db).await)?;
        let [removed, returned, back_broad, lost, crossed] =
            [removed, returned, back_broad, lost, crossed]
                .map(|count| u64::try_from(count).unwrap_or_default());
        let awaited = removed - returned - back_broad - lost;
        Ok(Funnel { removed, returned, back_broad, lost, awaited, crossed })
    }
}

async fn cross(tx: &mut Tx, one: &Away, now: DateTime<Utc>) -> Result<bool, Error> {
    const SQL: &str = "UPDATE removals SET crossed_at = $2 WHERE connection_key = $1 \
        AND state = 'removed' AND crossed_at IS NULL AND returned_at IS NULL";
    let key = one.connection.0;
    let crossed = with_tx!(tx, db => {
        sqlx::query(SQL).bind(key).bind(now).execute(db).await.map(|done| done.rows_affected())
    })?;
    Ok(crossed > 0)
}

impl AwayRow {
    fn into_away(self) -> Away {
        Away {
            connection: ConnectionKey(self.connection_key),
            tenant: TenantId(self.tenant_id),
            grant: GrantId(self.grant_id),
            removed_at: self.settled_at,
            crossed_at: self.crossed_at,
            back_at: self.back_at,
        }
    }
}

impl EndedRow {
    fn act(&self, kind: Acted, now: DateTime<Utc>, run: Uuid) -> Act {
        let took = (now - self.settled_at).num_seconds();
        Act::new(kind, now)
            .run(run)
            .about(ConnectionKey(self.connection_key))
            .with("tenant", self.tenant_id.to_string())
            .with("seconds", took)
    }
}
