//! Xero's own list of connections, as it was last read: every reading, and what it said of each
//! connection.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Presence;
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId};
use crate::domain::reconciling::{AtXero, LastList, Room};

use super::bulk::{Amount, Cell, Kind, Target, fill};
use super::connections::presence as parse_presence;
use super::dialect::{Dialect, Ids, with_ids};
use super::settings::lock_for_scan;
use super::{Error, Store, presence, with_db, with_tx};

/// One reading of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRecord {
    pub run: Uuid,
    /// When it was asked for.
    pub read_at: DateTime<Utc>,
    /// `good`, or the code of what it has against it.
    pub outcome: &'static str,
    pub detail: Option<String>,
    pub connections: u64,
    pub tenants: u64,
    pub not_in_inventory: u64,
    pub gone: u64,
    pub unresolved: u64,
}

/// The outcome of a list that was put to use.
pub const GOOD: &str = "good";

/// A reading as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct LatestList {
    pub read_at: DateTime<Utc>,
    pub outcome: String,
    pub detail: Option<String>,
    pub connections: i64,
    pub tenants: i64,
    pub not_in_inventory: i64,
    pub gone: i64,
    pub unresolved: i64,
}

/// What is known of a connection of Xero's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub at_xero: AtXero,
    /// Which of the inventory's it is.
    pub connection: Option<ConnectionKey>,
    /// Since when good lists have it; `None` where none ever had it.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Since when good lists lack it.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A connection of ours before anything more is looked up about it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub key: ConnectionKey,
    pub id: Option<ConnectionId>,
    pub tenant: TenantId,
    pub auth_event: Option<AuthEventId>,
    pub presence: Presence,
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    connection_key: Uuid,
    connection_id: Option<Uuid>,
    tenant_id: Uuid,
    auth_event_id: Option<Uuid>,
    presence: String,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    connection_id: Uuid,
    tenant_id: Uuid,
    tenant_type: Option<String>,
    auth_event_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    connection_key: Option<Uuid>,
    first_seen_at: Option<DateTime<Utc>>,
    missing_since: Option<DateTime<Utc>>,
}

const KNOWN: &str = "connection_id, tenant_id, tenant_type, auth_event_id, created_at, \
     updated_at, connection_key, first_seen_at, missing_since";

const XERO_CONNECTIONS: Target = Target {
    table: "xero_connections",
    columns: &[
        ("connection_id", Kind::Uuid),
        ("tenant_id", Kind::Uuid),
        ("tenant_type", Kind::Text),
        ("auth_event_id", Kind::Uuid),
        ("created_at", Kind::Time),
        ("updated_at", Kind::Time),
        ("connection_key", Kind::Uuid),
        ("first_seen_at", Kind::Time),
        ("missing_since", Kind::Time),
    ],
    key: Some("connection_id"),
    keep: &[],
};

const LATEST: &str = "SELECT read_at, outcome, detail, connections, tenants, not_in_inventory, \
     gone, unresolved FROM xero_lists";

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Store {
    /// Passes on every connection that counts or was removed.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn each_of_ours(&self, mut each: impl FnMut(Candidate)) -> Result<(), Error> {
        const SQL: &str = "SELECT connection_key, connection_id, tenant_id, auth_event_id, \
            presence FROM connections WHERE presence <> 'gone'";
        with_db!(self, db => {
            let mut rows = sqlx::query_as::<_, CandidateRow>(SQL).fetch(db);
            while let Some(row) = rows.try_next().await? {
                each(row.into_candidate()?);
            }
        });
        Ok(())
    }

    /// All that lists have said so far.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn known_at_xero(&self) -> Result<HashMap<ConnectionId, Known>, Error> {
        let sql = format!("SELECT {KNOWN} FROM xero_connections");
        let rows: Vec<KnownRow> =
            with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await)?;
        Ok(rows.into_iter().map(KnownRow::into_known).map(|one| (one.at_xero.id, one)).collect())
    }

    /// What lists said of these connections of ours.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn known_of(
        &self,
        keys: &[ConnectionKey],
    ) -> Result<HashMap<ConnectionKey, Known>, Error> {
        let sql = with_ids(
            self,
            &format!("SELECT {KNOWN} FROM xero_connections WHERE connection_key {{ids}}"),
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        let rows: Vec<KnownRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(db).await
        })?;
        let mut known: HashMap<ConnectionKey, Known> = HashMap::new();
        for one in rows.into_iter().map(KnownRow::into_known) {
            let Some(key) = one.connection else { continue };
            // Of several ids that it had, the one that is there.
            let better = known.get(&key).is_none_or(|other| other.missing_since.is_some());
            if better {
                known.insert(key, one);
            }
        }
        Ok(known)
    }

    /// Puts a list to use: writes what changed of Xero's connections, and brings back what has
    /// come back. Tells whether it did: a later list may have been first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn take_list(
        &self,
        list: &ListRecord,
        changed: Vec<Known>,
        back: &[ConnectionKey],
    ) -> Result<bool, Error> {
        const LATER: &str =
            "SELECT count(*) FROM xero_lists WHERE outcome = 'good' AND read_at >= $1";
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        let later: i64 = with_tx!(&mut tx, db => {
            sqlx::query_scalar(LATER).bind(list.read_at).fetch_one(db).await
        })?;
        if later > 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        let mut cells: Vec<Cell> = changed.into_iter().flat_map(Known::into_cells).collect();
        let mut statements = Vec::new();
        fill(Dialect::of(self), &XERO_CONNECTIONS, Amount::All, &mut cells, &mut statements)?;
        for statement in statements {
            statement.run(&mut tx).await?;
        }
        presence::bring_back(&mut tx, back, list.read_at, list.run).await?;
        list.insert(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Remembers a reading that came to nothing.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_list(&self, list: &ListRecord) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        list.insert(&mut tx).await?;
        tx.commit().await
    }

    /// The last reading, whatever came of it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn latest_list(&self) -> Result<Option<LatestList>, Error> {
        let sql = format!("{LATEST} ORDER BY number DESC LIMIT 1");
        Ok(with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).fetch_optional(db).await)?)
    }

    /// The last list that was put to use.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_good_list(&self) -> Result<Option<LatestList>, Error> {
        let sql = format!("{LATEST} WHERE outcome = 'good' ORDER BY number DESC LIMIT 1");
        Ok(with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).fetch_optional(db).await)?)
    }

    /// What the next list is held against.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn list_before(&self) -> Result<Option<LastList>, Error> {
        const SINCE: &str =
            "SELECT count(*) FROM removals WHERE state = 'removed' AND settled_at >= $1";
        let Some(last) = self.last_good_list().await? else { return Ok(None) };
        let since: i64 = with_db!(self, db => {
            sqlx::query_scalar(SINCE).bind(last.read_at).fetch_one(db).await
        })?;
        Ok(Some(LastList {
            connections: u64::try_from(last.connections).unwrap_or_default(),
            removed_since: u64::try_from(since).unwrap_or_default(),
        }))
    }

    /// How near the app is to its cap; `None` before the first good list.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn room(&self, cap: Option<u32>) -> Result<Option<Room>, Error> {
        // What was removed after the list was read still has its place in it.
        const AWAY: &str = "SELECT count(*) FROM removals WHERE state = 'removed' \
             AND back_at IS NULL AND settled_at < $1";
        let Some(last) = self.last_good_list().await? else { return Ok(None) };
        let away: i64 = with_db!(self, db => {
            sqlx::query_scalar(AWAY).bind(last.read_at).fetch_one(db).await
        })?;
        Ok(Some(Room {
            cap,
            tenants: u64::try_from(last.tenants).unwrap_or_default(),
            away: u64::try_from(away).unwrap_or_default(),
            read_at: last.read_at,
        }))
    }
}

impl ListRecord {
    async fn insert(&self, tx: &mut super::Tx) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO xero_lists (number, run_id, read_at, outcome, detail, \
                connections, tenants, not_in_inventory, gone, unresolved) \
             VALUES ((SELECT COALESCE(max(number), 0) + 1 FROM xero_lists), \
                $1, $2, $3, $4, $5, $6, $7, $8, $9)";
        with_tx!(tx, db => {
            sqlx::query(SQL)
                .bind(self.run)
                .bind(self.read_at)
                .bind(self.outcome)
                .bind(&self.detail)
                .bind(number(self.connections))
                .bind(number(self.tenants))
                .bind(number(self.not_in_inventory))
                .bind(number(self.gone))
                .bind(number(self.unresolved))
                .execute(db)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }
}

impl CandidateRow {
    fn into_candidate(self) -> Result<Candidate, Error> {
        Ok(Candidate {
            key: ConnectionKey(self.connection_key),
            id: self.connection_id.map(ConnectionId),
            tenant: TenantId(self.tenant_id),
            auth_event: self.auth_event_id.map(AuthEventId),
            presence: parse_presence(&self.presence)?,
        })
    }
}

impl KnownRow {
    fn into_known(self) -> Known {
        Known {
            at_xero: AtXero {
                id: ConnectionId(self.connection_id),
                tenant: TenantId(self.tenant_id),
                tenant_type: self.tenant_type,
                auth_event: self.auth_event_id.map(AuthEventId),
                created_at: self.created_at,
                updated_at: self.updated_at,
            },
            connection: self.connection_key.map(ConnectionKey),
            first_seen_at: self.first_seen_at,
            missing_since: self.missing_since,
        }
    }
}

impl Known {
    fn into_cells(self) -> [Cell; XERO_CONNECTIONS.columns.len()] {
        let at_xero = self.at_xero;
        [
            Cell::Uuid(Some(at_xero.id.0)),
            Cell::Uuid(Some(at_xero.tenant.0)),
            Cell::text(at_xero.tenant_type),
            Cell::Uuid(at_xero.auth_event.map(|id| id.0)),
            Cell::Time(at_xero.created_at),
            Cell::Time(at_xero.updated_at),
            Cell::Uuid(self.connection.map(|key| key.0)),
            Cell::Time(self.first_seen_at),
            Cell::Time(self.missing_since),
        ]
    }
}
