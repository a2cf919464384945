//! Where the connections stand, counted for a report: by cohort, by tenant, and what people
//! were promised. Few queries, each over everything once, so that memory does not grow.

use chrono::{DateTime, Utc};

use super::{Error, Store, with_db};

/// Present connections that are alike.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CohortRow {
    /// The year of Xero's created date, where the host has it.
    pub connected_year: Option<i64>,
    pub tenant_type: Option<String>,
    /// Of the people responsible, the first in order, where one is known.
    pub locale: Option<String>,
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
        // First in the order of the index that the tally reads too, so that nothing is sorted
        // but the few kinds that there are.
        const SQL: &str = "SELECT connected_year, tenant_type, locale, readiness, \
                CAST(sum(connections) AS bigint) AS connections FROM \
                (SELECT connected_year, tenant_type, locale, readiness, count(*) AS connections \
                 FROM connections \
                 WHERE presence IN ('present', 'row_bad') AND readiness IN ('ready', 'awaiting') \
                 GROUP BY presence, class, readiness, manual, reachable, covered, token_behind, \
                    connected_year, tenant_type, locale) t \
             GROUP BY connected_year, tenant_type, locale, readiness";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn tenants(&self) -> Result<TenantCounts, Error> {
        // Reads an index only, in its order. With a condition on presence and readiness SQLite
        // would rather look all connections up.
        const SQL: &str = "SELECT count(is_ready) AS tenants, \
                CAST(COALESCE(sum(is_ready), 0) AS bigint) AS ready FROM \
                (SELECT max(CASE WHEN presence NOT IN ('present', 'row_bad') THEN NULL \
                    WHEN readiness = 'ready' THEN 1 WHEN readiness = 'awaiting' THEN 0 END) \
                    AS is_ready \
                 FROM connections GROUP BY tenant_id) t";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_one(db).await)?)
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn promises(&self, now: DateTime<Utc>) -> Result<PromiseCounts, Error> {
        // Begins with the lines that name a date, which SQLite would otherwise find last: a
        // CROSS JOIN stays in its order there.
        const SQL: &str = "WITH dated AS MATERIALIZED (\
                SELECT prompt_id, connection_key, removal_from FROM prompt_connections \
                WHERE removal_from IS NOT NULL) \
             SELECT count(*) AS connections, \
                CAST(COALESCE(sum(CASE WHEN removal_from <= $1 THEN 1 ELSE 0 END), 0) AS bigint) AS come, \
                min(removal_from) AS earliest, max(removal_from) AS latest FROM \
                (SELECT d.connection_key, max(d.removal_from) AS removal_from \
                 FROM dated d CROSS JOIN prompts p CROSS JOIN connections c \
                 WHERE p.prompt_id = d.prompt_id AND c.connection_key = d.connection_key \
                    AND p.state = 'sent' AND p.bounced_at IS NULL AND p.is_notice \
                    AND c.presence IN ('present', 'row_bad') AND c.readiness = 'awaiting' \
                 GROUP BY d.connection_key) t";
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
