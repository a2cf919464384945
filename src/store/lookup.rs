//! Finding connections by whatever a person has at hand, and their stories.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::scopes::ScopeSet;

use super::connections::{COLUMNS, ConnectionRow};
use super::dialect::{Ids, Words, with_ids, with_words};
use super::{Error, ScopeSets, Store, with_db};

/// Something that happened to a connection.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ChangeRecord {
    pub connection_key: Uuid,
    pub changed_at: DateTime<Utc>,
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A grant as the last complete scan left it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct GrantRow {
    pub grant_id: Uuid,
    pub class: String,
    pub unsettled: Option<String>,
    pub scope_set: Option<i64>,
    pub evidence_at: Option<DateTime<Utc>>,
    pub ready_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Connections with this id, of this tenant or of this person.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn find_by_uuid(&self, id: Uuid, sets: &ScopeSets) -> Result<Vec<Connection>, Error> {
        let rows: Vec<ConnectionRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM connections \
                 WHERE connection_key = $1 OR tenant_id = $1 OR grant_id = $1 OR auth_event_id = $1 \
                 ORDER BY grant_id, connection_key"
            )))
            .bind(id)
            .fetch_all(db)
            .await
        })?;
        self.with_people(rows, sets).await
    }

    /// Connections of an account, in the host's own words.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn find_by_account(
        &self,
        account: &str,
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let rows: Vec<ConnectionRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM connections WHERE account_id = $1 ORDER BY grant_id, connection_key"
            )))
            .bind(account)
            .fetch_all(db)
            .await
        })?;
        self.with_people(rows, sets).await
    }

    /// Connections for which somebody with this normalised address is responsible.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn find_by_address(
        &self,
        recipient: &str,
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let rows: Vec<ConnectionRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM connections WHERE connection_key IN \
                 (SELECT connection_key FROM people WHERE recipient = $1) \
                 ORDER BY grant_id, connection_key"
            )))
            .bind(recipient)
            .fetch_all(db)
            .await
        })?;
        self.with_people(rows, sets).await
    }

    /// Those of these recipients who stand in a row that the host lists. Reads all people once.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn listed_recipients(&self, recipients: Vec<String>) -> Result<Vec<String>, Error> {
        if recipients.is_empty() {
            return Ok(Vec::new());
        }
        let statement = with_words(
            self,
            "SELECT DISTINCT people.recipient FROM people \
             JOIN connections ON connections.connection_key = people.connection_key \
             WHERE people.recipient {words} AND (connections.presence IN ('present', 'row_bad') \
                OR connections.presence = 'removed' AND people.fingerprint IS NOT NULL)",
        );
        Ok(with_db!(self, db => {
            sqlx::query_scalar(AssertSqlSafe(statement)).bind(Words(recipients)).fetch_all(db).await
        })?)
    }

    /// What changed about these connections, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn changes(&self, keys: &[ConnectionKey]) -> Result<Vec<ChangeRecord>, Error> {
        let statement = with_ids(
            self,
            "SELECT connection_key, changed_at, what, before, after FROM changes \
             WHERE connection_key {ids} ORDER BY changed_at, connection_key",
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(ids).fetch_all(db).await
        })?)
    }

    /// The scopes that each grant settled on; grants of class `unknown` have none.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn settled_scopes(
        &self,
        grants: &[GrantId],
        sets: &ScopeSets,
    ) -> Result<HashMap<GrantId, ScopeSet>, Error> {
        let rows = self.grant_rows(grants).await?;
        let read = |sets: &ScopeSets| {
            rows.iter()
                .filter_map(|row| Some((GrantId(row.grant_id), row.scope_set?)))
                .map(|(grant, number)| Ok((grant, sets.set(number)?)))
                .collect::<Result<HashMap<GrantId, ScopeSet>, Error>>()
        };
        match read(sets) {
            Err(error) if error.is_missing_set() => read(&self.scope_sets().await?),
            read => read,
        }
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn grant_rows(&self, grants: &[GrantId]) -> Result<Vec<GrantRow>, Error> {
        let statement = with_ids(
            self,
            "SELECT grant_id, class, unsettled, scope_set, evidence_at, ready_at FROM grants \
             WHERE grant_id {ids} ORDER BY grant_id",
        );
        let ids = Ids(grants.iter().map(|grant| grant.0).collect());
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(ids).fetch_all(db).await
        })?)
    }
}
