//! The ledger of removals. A removal goes from `queued` to `leased` to `deleting`, each by an
//! update that only one worker can make, and from there to what became of it. `deleting` is
//! committed before Xero is asked; a row whose lease ran out in it is settled by reading
//! Xero's list, and by nothing else.

mod advance;
mod lease;
mod listed;
mod usage;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::removal::{PastRemoval, Planned, RemovalState};

use super::dialect::{Ids, with_ids};
use super::{Error, Store, with_db, with_tx};

pub use advance::{Advanced, Ended, Hands, Start};
pub use lease::{Lease, Leased, Leasing, Wanted};
pub use usage::Usage;

/// A removal with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalRecord {
    pub removal: Uuid,
    pub connection: ConnectionKey,
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub grant: GrantId,
    pub plan: String,
    pub planned: Planned,
    pub state: RemovalState,
    pub due_at: DateTime<Utc>,
    pub attempts: i64,
    /// Calls that got no answer.
    pub lost: i64,
    pub lease_until: Option<DateTime<Utc>>,
    pub fence: i64,
    /// When it was last seen as planned.
    pub looked_at: Option<DateTime<Utc>>,
    /// When Xero was about to be asked last.
    pub intended_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
    /// What the other side said, or why it was dropped.
    pub outcome: Option<String>,
    /// Xero's name for the exchange.
    pub correlation: Option<String>,
    /// When a ready grant for its tenant was seen again.
    pub returned_at: Option<DateTime<Utc>>,
    pub made_at: DateTime<Utc>,
}

const COLUMNS: &str = "removal_id, connection_key, connection_id, tenant_id, grant_id, plan_id, \
    planned, people, state, due_at, attempts, lost, lease_until, fence, looked_at, intended_at, \
    settled_at, outcome, correlation, crossed_at, back_at, returned_at, made_at";

#[derive(Clone, sqlx::FromRow)]
struct Row {
    removal_id: Uuid,
    connection_key: Uuid,
    connection_id: Uuid,
    tenant_id: Uuid,
    grant_id: Uuid,
    plan_id: String,
    planned: String,
    people: String,
    state: String,
    due_at: DateTime<Utc>,
    attempts: i64,
    lost: i64,
    lease_until: Option<DateTime<Utc>>,
    fence: i64,
    looked_at: Option<DateTime<Utc>>,
    intended_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
    correlation: Option<String>,
    crossed_at: Option<DateTime<Utc>>,
    back_at: Option<DateTime<Utc>>,
    returned_at: Option<DateTime<Utc>>,
    made_at: DateTime<Utc>,
}

fn state(word: &str) -> Result<RemovalState, Error> {
    RemovalState::parse(word).ok_or_else(|| Error::inconsistent("removals", "state", word))
}

pub(super) fn planned(text: &str) -> Result<Planned, Error> {
    serde_json::from_str(text).map_err(|_| Error::inconsistent("removals", "planned", text))
}

impl Row {
    fn into_record(self) -> Result<RemovalRecord, Error> {
        Ok(RemovalRecord {
            removal: self.removal_id,
            connection: ConnectionKey(self.connection_key),
            id: ConnectionId(self.connection_id),
            tenant: TenantId(self.tenant_id),
            grant: GrantId(self.grant_id),
            plan: self.plan_id,
            planned: planned(&self.planned)?,
            state: state(&self.state)?,
            due_at: self.due_at,
            attempts: self.attempts,
            lost: self.lost,
            lease_until: self.lease_until,
            fence: self.fence,
            looked_at: self.looked_at,
            intended_at: self.intended_at,
            settled_at: self.settled_at,
            outcome: self.outcome,
            correlation: self.correlation,
            returned_at: self.returned_at,
            made_at: self.made_at,
        })
    }

    fn into_past(self) -> Result<PastRemoval, Error> {
        let state = state(&self.state)?;
        let until = match state {
            RemovalState::Leased | RemovalState::Deleting => self.lease_until,
            _ => None,
        };
        Ok(PastRemoval {
            connection: ConnectionKey(self.connection_key),
            tenant: TenantId(self.tenant_id),
            grant: GrantId(self.grant_id),
            people: serde_json::from_str(&self.people)
                .map_err(|_| Error::inconsistent("removals", "people", self.people))?,
            state,
            until: until.unwrap_or(self.due_at),
            settled_at: self.settled_at,
            crossed_at: self.crossed_at,
            back_at: self.back_at,
            returned_at: self.returned_at,
        })
    }
}

impl Store {
    /// The removals of these connections, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn removals_of(&self, keys: &[ConnectionKey]) -> Result<Vec<RemovalRecord>, Error> {
        let ids = keys.iter().map(|key| key.0).collect();
        self.removals_where("connection_key {ids}", ids).await
    }

    /// Every removal that took effect, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn removed(&self) -> Result<Vec<RemovalRecord>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM removals WHERE state = 'removed' ORDER BY settled_at, removal_id"
        );
        let rows: Vec<Row> =
            with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await)?;
        rows.into_iter().map(Row::into_record).collect()
    }

    /// The removals of which only Xero's list can tell what became of them: those without an
    /// answer, and those of workers that are gone.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open_removals(&self, now: DateTime<Utc>) -> Result<Vec<RemovalRecord>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM removals WHERE state = 'unknown' \
                OR (state = 'deleting' AND lease_until <= $1) ORDER BY intended_at, removal_id"
        );
        let rows: Vec<Row> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(now).fetch_all(db).await
        })?;
        rows.into_iter().map(Row::into_record).collect()
    }

    /// What was removed, or is being, of the tenants and the people of these grants; but for
    /// what `owner` has in hand.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn past_removals(
        &self,
        grants: &[Vec<Connection>],
        owner: Option<Uuid>,
    ) -> Result<Vec<PastRemoval>, Error> {
        const ANY: &str = "SELECT count(*) FROM (SELECT 1 FROM removals LIMIT 1) AS found";
        let any: i64 = with_db!(self, db => sqlx::query_scalar(ANY).fetch_one(db).await)?;
        if any == 0 {
            return Ok(Vec::new());
        }
        let connections = || grants.iter().flatten();
        let tenants = connections().map(|connection| connection.facts.tenant.0).collect();
        let people = connections().map(|connection| connection.facts.grant.0).collect();
        let mut rows: Vec<Row> = Vec::new();
        for (column, ids) in [("tenant_id", tenants), ("grant_id", people)] {
            let sql = with_ids(
                self,
                &format!(
                    "SELECT {COLUMNS} FROM removals WHERE {column} {{ids}} \
                        AND state NOT IN ('gone', 'dropped') \
                        AND ($2 IS NULL OR lease_owner IS NULL OR lease_owner <> $2 \
                            OR state <> 'leased')"
                ),
            );
            let found: Vec<Row> = with_db!(self, db => {
                sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(ids)).bind(owner).fetch_all(db).await
            })?;
            rows.extend(found);
        }
        rows.sort_by_key(|row| row.removal_id);
        rows.dedup_by_key(|row| row.removal_id);
        rows.into_iter().map(Row::into_past).collect()
    }

    async fn removals_where(
        &self,
        condition: &str,
        ids: Vec<Uuid>,
    ) -> Result<Vec<RemovalRecord>, Error> {
        let sql = with_ids(
            self,
            &format!(
                "SELECT {COLUMNS} FROM removals WHERE {condition} ORDER BY made_at, removal_id"
            ),
        );
        let rows: Vec<Row> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(ids)).fetch_all(db).await
        })?;
        rows.into_iter().map(Row::into_record).collect()
    }

    /// What is in the hands of workers that are gone goes back, as nothing was asked of Xero.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn sweep_removals(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        const SQL: &str = "UPDATE removals SET state = 'queued', day = NULL, due_at = $1, \
                outcome = 'the worker was gone before anything was asked of Xero' \
             WHERE state = 'leased' AND lease_until <= $1";
        let mut tx = self.begin().await?;
        let swept = with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(now).execute(db).await.map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(swept)
    }

    /// A worker is still alive that has these in its hands.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn extend_removals(
        &self,
        ids: &[Uuid],
        owner: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let sql = with_ids(
            self,
            "UPDATE removals SET lease_until = $4 WHERE removal_id {ids} AND lease_owner = $2 \
                AND lease_until > $3 AND state IN ('leased', 'deleting')",
        );
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(Ids(ids.to_vec()))
                .bind(owner)
                .bind(now)
                .bind(until)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }
}
