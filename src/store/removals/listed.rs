//! What the last good list of Xero's says of connections.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::ConnectionId;
use crate::domain::removal::Listed;
use crate::store::dialect::{Ids, with_ids};
use crate::store::{Error, Store, with_db};

#[derive(sqlx::FromRow)]
struct Row {
    connection_key: Uuid,
    connection_id: Uuid,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Those of these grants' connections that Xero lists; `None` when no good list was read
    /// yet.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn listed(
        &self,
        grants: &[Vec<Connection>],
    ) -> Result<Option<BTreeMap<ConnectionKey, Listed>>, Error> {
        if self.last_good_list().await?.is_none() {
            return Ok(None);
        }
        let sql = with_ids(
            self,
            "SELECT connection_key, connection_id, created_at, updated_at FROM xero_connections \
             WHERE connection_key {ids} AND first_seen_at IS NOT NULL AND missing_since IS NULL",
        );
        let ids = grants.iter().flatten().map(|connection| connection.key.0).collect();
        let rows: Vec<Row> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(ids)).fetch_all(db).await
        })?;
        let listed = rows.into_iter().map(|row| {
            let Row { connection_key, connection_id, created_at, updated_at } = row;
            let id = ConnectionId(connection_id);
            (ConnectionKey(connection_key), Listed { id, created_at, updated_at })
        });
        Ok(Some(listed.collect()))
    }
}
