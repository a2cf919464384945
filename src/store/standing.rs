//! Where the connections stand, counted for a report: by cohort, by tenant, and what people
//! were promised. Few queries, each over everything once, so that memory does not grow.

use chrono::{DateTime, Utc};

use super::{Error, Store, with_db};

/// Present connections that are alike.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CohortRow {
    /// The year of Xero's created date; empty where the host does not have it.
    pub year: String,
    pub tenant_type: String,
    /// Of the people responsible, the first in order; empty where none is known.
    pub locale: String,
    pub readiness: String,
    pub connections: i64,
}

/// Tenants with a connection that is ready or awaiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct TenantCounts {
    pub tenants: i64,
    /// With a ready connection.
    pub ready: i64,
}

/// Removal dates that people were told and that are still ahead of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct PromiseCounts {
    /// Awaiting connections that a date was named for.
    pub connections: i64,
    /// Of them, those whose latest date has come.
    pub come: i64,
    pub earliest: Option<DateTime<Utc>>,
    pub latest: Option<DateTime<Utc>>,
}

/// An awaiting connection that nobody can be told of.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UnreachableRow {
    pub connection: String,
    pub tenant_name: Option<String>,
    pub account_id: Option<String>,
}

/// A recipient whose mail came back, or who is on the list of those never written to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SilencedRow {
    pub recipient: String,
    pub reason: String,
    pub since: DateTime<Utc>,
}

impl Store {
    /// Every kind of present connection that there is.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn cohorts(&self) -> Result<Vec<CohortRow>, Error> {
        // SQLite holds times as text. Few connections have more than one person.
        const SQLITE: &str = "SELECT COALESCE(substr(c.connected_at, 1, 4), '') AS year, \
                COALESCE(c.tenant_type, '') AS tenant_type, \
                COALESCE((SELECT min(p.locale) FROM people p \
                    WHERE p.connection_key = c.connection_key), '') AS locale, \
                c.readiness, count(*) AS connections \
             FROM connections c \
             WHERE c.presence IN ('present', 'row_bad') AND c.readiness IN ('ready', 'awaiting') \
             GROUP BY 1, 2, 3, 4";
        const POSTGRES: &str = "SELECT COALESCE(to_char(c.connected_at AT TIME ZONE 'UTC', 'YYYY'), '') AS year, \
                COALESCE(c.tenant_type, '') AS tenant_type, COALESCE(l.locale, '') AS locale, \
                c.readiness, count(*) AS connections \
             FROM connections c LEFT JOIN \
                (SELECT connection_key, min(locale) AS locale FROM people GROUP BY connection_key) l \
                ON l.connection_key = c.connection_key \
             WHERE c.presence IN ('present', 'row_bad') AND c.readiness IN ('ready', 'awaiting') \
             GROUP BY 1, 2, 3, 4";
        Ok(match self {
            Self::Sqlite(db) => sqlx::query_as(SQLITE).fetch_all(db).await?,
            Self::Postgres(db) => sqlx::query_as(POSTGRES).fetch_all(db).await?,
        })
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn tenants(&self) -> Result<TenantCounts, Error> {
        // Reads an index only.
        const SQL: &str = "SELECT count(*) AS tenants, \
                CAST(COALESCE(sum(is_ready), 0) AS bigint) AS ready FROM \
                (SELECT max(CASE WHEN readiness = 'ready' THEN 1 ELSE 0 END) AS is_ready \
                 FROM connections WHERE presence IN ('present', 'row_bad') AND readiness IN ('ready', 'awaiting') \
                 GROUP BY tenant_id) t";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_one(db).await)?)
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn promises(&self, now: DateTime<Utc>) -> Result<PromiseCounts, Error> {
        const SQL: &str = "SELECT count(*) AS connections, \
                CAST(COALESCE(sum(CASE WHEN removal_from <= $1 THEN 1 ELSE 0 END), 0) AS bigint) AS come, \
                min(removal_from) AS earliest, max(removal_from) AS latest FROM \
                (SELECT s.connection_key, max(s.removal_from) AS removal_from \
                 FROM prompt_connections s JOIN prompts p ON p.prompt_id = s.prompt_id \
                 JOIN connections c ON c.connection_key = s.connection_key \
                 WHERE s.removal_from IS NOT NULL AND p.state = 'sent' AND p.bounced_at IS NULL \
                    AND p.is_notice AND c.presence IN ('present', 'row_bad') AND c.readiness = 'awaiting' \
                 GROUP BY s.connection_key) t";
        Ok(with_db!(self, db => sqlx::query_as(SQL).bind(now).fetch_one(db).await)?)
    }

    /// Awaiting connections that nobody responsible has an address for, a few at most.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn unreachable(&self, most: u32) -> Result<Vec<UnreachableRow>, Error> {
        let key = match self {
            Self::Sqlite(_) => "lower(hex(connection_key))",
            Self::Postgres(_) => "replace(connection_key::text, '-', '')",
        };
        let sql = format!(
            "SELECT {key} AS connection, tenant_name, account_id FROM connections \
             WHERE presence IN ('present', 'row_bad') AND class IN ('broad_only', 'mixed', 'granular') \
                AND readiness = 'awaiting' AND NOT reachable ORDER BY connection_key LIMIT $1"
        );
        Ok(with_db!(self, db => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(i64::from(most)).fetch_all(db).await
        })?)
    }

    /// The newest entries of the list of addresses that are never written to.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn silenced(&self, most: u32) -> Result<Vec<SilencedRow>, Error> {
        const SQL: &str = "SELECT recipient, reason, added_at AS since FROM suppressions \
                           ORDER BY added_at DESC, recipient LIMIT $1";
        Ok(with_db!(self, db => sqlx::query_as(SQL).bind(i64::from(most)).fetch_all(db).await)?)
    }

    /// How many addresses are never written to.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn silenced_count(&self) -> Result<i64, Error> {
        const SQL: &str = "SELECT count(*) FROM suppressions";
        Ok(with_db!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await)?)
    }
}
