//! What hosts have seen of grants: calls that Xero refused for want of a scope.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::grant::GrantId;

use super::dialect::{Ids, with_ids};
use super::{Error, Store, with_db, with_tx};

/// The last time that a grant was seen to lack a scope.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Signal {
    #[serde(skip)]
    pub grant_id: Uuid,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    /// Of which the call needed one, with spaces between them; empty where it is not known.
    pub needs: String,
}

impl Store {
    /// Remembers one; tells whether it is news. What was seen before the last one is none, so
    /// that a log can be read twice.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_signal(
        &self,
        grant: GrantId,
        seen_at: DateTime<Utc>,
        needs: &str,
    ) -> Result<bool, Error> {
        const SQL: &str = "INSERT INTO signals (grant_id, first_seen_at, last_seen_at, needs) \
            VALUES ($1, $2, $2, $3) ON CONFLICT (grant_id) DO UPDATE SET \
            last_seen_at = excluded.last_seen_at, needs = excluded.needs \
            WHERE excluded.last_seen_at > signals.last_seen_at";
        let mut tx = self.begin().await?;
        let written = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(grant.0)
                .bind(seen_at)
                .bind(needs)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(written > 0)
    }

    /// Those of these grants.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn signals(&self, grants: &[GrantId]) -> Result<HashMap<GrantId, Signal>, Error> {
        let statement = with_ids(
            self,
            "SELECT grant_id, first_seen_at, last_seen_at, needs FROM signals \
             WHERE grant_id {ids}",
        );
        let ids = Ids(grants.iter().map(|grant| grant.0).collect());
        let rows: Vec<Signal> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(ids).fetch_all(db).await
        })?;
        Ok(rows.into_iter().map(|signal| (GrantId(signal.grant_id), signal)).collect())
    }
}
