//! A run in which several processes hand prompts over: what the others had of it.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::store::dialect::{Ids, with_ids};
use crate::store::{Error, Store, with_db};

/// What became of the prompts that others took on in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Others {
    pub sent: i64,
    pub unknown: i64,
    /// Refused, for good or for now.
    pub failures: i64,
    /// Still in somebody's hands.
    pub in_hand: i64,
}

impl Store {
    /// What became of a run's prompts that none of these owners took on.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn prompts_of_others(
        &self,
        run: Uuid,
        owners: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<Others, Error> {
        let sql = with_ids(
            self,
            "SELECT \
                coalesce(sum(CASE WHEN state = 'sent' THEN 1 END), 0) AS sent, \
                coalesce(sum(CASE WHEN state = 'unknown' THEN 1 END), 0) AS unknown, \
                coalesce(sum(CASE WHEN state = 'refused' \
                    OR (state = 'queued' AND outcome IS NOT NULL) THEN 1 END), 0) AS failures, \
                coalesce(sum(CASE WHEN state IN ('leased', 'sending') \
                    AND lease_until > $3 THEN 1 END), 0) AS in_hand \
             FROM prompts WHERE run_id = $2 AND NOT lease_owner {ids}",
        );
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(Ids(owners.to_vec()))
                .bind(run)
                .bind(now)
                .fetch_one(db)
                .await
        })?)
    }
}
