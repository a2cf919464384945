//! Stored connections with the people responsible, read back into the domain's types.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::address::Address;
use crate::domain::class::Class;
use crate::domain::connection::{Connection, Facts, Presence, Responsible, Standing};
use crate::domain::evidence::{Evidence, Source};
use crate::domain::grant::{ConnectionKey, GrantId, Readiness};
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId};
use crate::domain::row::{Doubt, Flow, Person};

use super::dialect::{Ids, with_ids};
use super::{Error, ScopeSets, Store, with_db};

/// Every column of `connections`, in the order of [`ConnectionRow`].
pub(super) const COLUMNS: &str = "connection_key, connection_id, grant_id, tenant_id, tenant_name, \
     tenant_type, account_id, auth_event_id, flow, connected_at, updated_at, last_used_at, \
     required_set, evidence, doubt, presence, class, readiness, some_evidence_ready, \
     token_behind, manual, reachable, covered, first_seen_at, absent_since";

#[derive(Debug, sqlx::FromRow)]
pub(super) struct ConnectionRow {
    connection_key: Uuid,
    connection_id: Option<Uuid>,
    grant_id: Uuid,
    tenant_id: Uuid,
    tenant_name: Option<String>,
    tenant_type: Option<String>,
    account_id: Option<String>,
    auth_event_id: Option<Uuid>,
    flow: Option<String>,
    connected_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    required_set: Option<i64>,
    evidence: String,
    doubt: Option<String>,
    presence: String,
    class: String,
    readiness: String,
    some_evidence_ready: bool,
    token_behind: bool,
    manual: bool,
    reachable: bool,
    covered: bool,
    first_seen_at: DateTime<Utc>,
    absent_since: Option<DateTime<Utc>>,
}

#[derive(Debug, sqlx::FromRow)]
struct PersonRow {
    connection_key: Uuid,
    fingerprint: Option<i64>,
    recipient: Option<String>,
    email: Option<String>,
    name: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    country: Option<String>,
}

/// Parses a stored word by the names that serde gives the variants.
pub(super) fn word<T: serde::de::DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<T, Error> {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error as ValueError;
    T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(text))
        .map_err(|_| Error::inconsistent(table, column, text))
}

pub(super) fn presence(text: &str) -> Result<Presence, Error> {
    Presence::parse(text).ok_or_else(|| Error::inconsistent("connections", "presence", text))
}

/// Evidence as it is stored: source, number of the scope set, microseconds since 1970.
type StoredEvidence = (Source, i64, Option<i64>);

pub(super) fn evidence_text(evidence: &[Evidence], sets: &mut ScopeSets) -> String {
    let stored: Vec<StoredEvidence> = evidence
        .iter()
        .map(|reading| {
            let at = reading.at.map(|at| at.timestamp_micros());
            (reading.source, sets.number(reading.scopes), at)
        })
        .collect();
    serde_json::to_string(&stored).unwrap_or_default()
}

fn evidence(text: &str, sets: &ScopeSets) -> Result<Vec<Evidence>, Error> {
    let bad = || Error::inconsistent("connections", "evidence", text);
    let stored: Vec<StoredEvidence> = serde_json::from_str(text).map_err(|_| bad())?;
    stored
        .into_iter()
        .map(|(source, number, at)| {
            let at = at
                .map(|micros| DateTime::from_timestamp_micros(micros).ok_or_else(bad))
                .transpose()?;
            Ok(Evidence { source, scopes: sets.set(number)?, at })
        })
        .collect()
}

impl ConnectionRow {
    fn into_connection(self, sets: &ScopeSets) -> Result<Connection, Error> {
        Ok(Connection {
            key: ConnectionKey(self.connection_key),
            facts: Facts {
                id: self.connection_id.map(ConnectionId),
                grant: GrantId(self.grant_id),
                tenant: TenantId(self.tenant_id),
                tenant_name: self.tenant_name,
                tenant_type: self.tenant_type,
                account: self.account_id,
                auth_event: self.auth_event_id.map(AuthEventId),
                flow: self
                    .flow
                    .map(|text| word::<Flow>("connections", "flow", &text))
                    .transpose()?,
                connected_at: self.connected_at,
                updated_at: self.updated_at,
                last_used_at: self.last_used_at,
                required: self.required_set.map(|number| sets.set(number)).transpose()?,
                evidence: evidence(&self.evidence, sets)?,
                doubt: self
                    .doubt
                    .map(|text| word::<Doubt>("connections", "doubt", &text))
                    .transpose()?,
            },
            presence: presence(&self.presence)?,
            standing: Standing {
                class: word::<Class>("connections", "class", &self.class)?,
                readiness: word::<Readiness>("connections", "readiness", &self.readiness)?,
                some_evidence_ready: self.some_evidence_ready,
                token_behind: self.token_behind,
                manual: self.manual,
                reachable: self.reachable,
            },
            covered: self.covered,
            first_seen_at: self.first_seen_at,
            absent_since: self.absent_since,
            people: Vec::new(),
        })
    }
}

impl PersonRow {
    fn into_responsible(self) -> Result<Responsible, Error> {
        Ok(Responsible {
            fingerprint: self.fingerprint.map(i64::cast_unsigned),
            person: Person {
                forgotten: self.recipient.filter(|_| self.email.is_none()),
                email: self
                    .email
                    .map(|text| {
                        text.parse::<Address>()
                            .map_err(|_| Error::inconsistent("people", "email", "(not shown)"))
                    })
                    .transpose()?,
                name: self.name,
                locale: self.locale,
                time_zone: self
                    .time_zone
                    .map(|text| {
                        text.parse().map_err(|_| Error::inconsistent("people", "time_zone", &text))
                    })
                    .transpose()?,
                country: self.country,
            },
        })
    }
}

impl Store {
    /// The time zones of those responsible; those that this worker does not know are left out.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn zones(&self) -> Result<Vec<chrono_tz::Tz>, Error> {
        const SQL: &str = "SELECT DISTINCT time_zone FROM people WHERE time_zone IS NOT NULL \
                           ORDER BY time_zone";
        let names: Vec<String> = with_db!(self, db => sqlx::query_scalar(SQL).fetch_all(db).await)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// All connections of these grants, gone ones included, by grant and key.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn connections_of_grants(
        &self,
        grants: &[GrantId],
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let ids = grants.iter().map(|grant| grant.0).collect();
        self.connections_where("grant_id", ids, sets).await
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn connections_by_key(
        &self,
        keys: &[ConnectionKey],
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let ids = keys.iter().map(|key| key.0).collect();
        self.connections_where("connection_key", ids, sets).await
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn connections_of_tenants(
        &self,
        tenants: &[TenantId],
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let ids = tenants.iter().map(|tenant| tenant.0).collect();
        self.connections_where("tenant_id", ids, sets).await
    }

    async fn connections_where(
        &self,
        column: &'static str,
        ids: Vec<Uuid>,
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = with_ids(
            self,
            &format!(
                "SELECT {COLUMNS} FROM connections WHERE {column} {{ids}} \
                 ORDER BY grant_id, connection_key"
            ),
        );
        let ids = Ids(ids);
        let read = async |sets: &ScopeSets| {
            let (statement, ids) = (statement.clone(), ids.clone());
            let rows: Vec<ConnectionRow> = with_db!(self, db => {
                sqlx::query_as(AssertSqlSafe(statement)).bind(ids).fetch_all(db).await
            })?;
            self.with_people(rows, sets).await
        };
        match read(sets).await {
            Err(error) if error.is_missing_set() => read(&self.scope_sets().await?).await,
            read => read,
        }
    }

    /// Turns rows into connections and adds the people of each.
    pub(super) async fn with_people(
        &self,
        rows: Vec<ConnectionRow>,
        sets: &ScopeSets,
    ) -> Result<Vec<Connection>, Error> {
        let keys: Vec<Uuid> = rows.iter().map(|row| row.connection_key).collect();
        let statement = with_ids(
            self,
            "SELECT connection_key, fingerprint, recipient, email, name, locale, time_zone, country \
             FROM people WHERE connection_key {ids}",
        );
        let people: Vec<PersonRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(Ids(keys)).fetch_all(db).await
        })?;
        let mut connections =
            rows.into_iter().map(|row| row.into_connection(sets)).collect::<Result<Vec<_>, _>>()?;
        let places: HashMap<Uuid, usize> =
            connections.iter().enumerate().map(|(place, one)| (one.key.0, place)).collect();
        for person in people {
            if let Some(place) = places.get(&person.connection_key) {
                connections[*place].people.push(person.into_responsible()?);
            }
        }
        for connection in &mut connections {
            connection.people.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        Ok(connections)
    }

    /// Passes on the fingerprint of every row that the last complete scan read.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn fingerprints(&self, mut each: impl FnMut(u64)) -> Result<(), Error> {
        const SQL: &str = "SELECT fingerprint FROM people WHERE fingerprint IS NOT NULL";
        with_db!(self, db => {
            let mut rows = sqlx::query_scalar::<_, i64>(SQL).fetch(db);
            while let Some(fingerprint) = rows.try_next().await? {
                each(fingerprint.cast_unsigned());
            }
        });
        Ok(())
    }

    /// Passes on which connection each fingerprint belongs to.
    ///
    /// # Errors
    /// The database cannot be used, or `each` fails.
    pub async fn fingerprints_by_connection<E: From<Error>>(
        &self,
        mut each: impl FnMut(ConnectionKey, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        const SQL: &str =
            "SELECT connection_key, fingerprint FROM people WHERE fingerprint IS NOT NULL";
        with_db!(self, db => {
            let mut rows = sqlx::query_as::<_, (Uuid, i64)>(SQL).fetch(db);
            while let Some((key, fingerprint)) = rows.try_next().await.map_err(Error::from)? {
                each(ConnectionKey(key), fingerprint.cast_unsigned())?;
            }
        });
        Ok(())
    }

    /// Connections whose row was bad in the last complete scan.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn keys_with_bad_rows(&self) -> Result<Vec<ConnectionKey>, Error> {
        const SQL: &str = "SELECT connection_key FROM connections WHERE presence = 'row_bad'";
        let keys: Vec<Uuid> = with_db!(self, db => sqlx::query_scalar(SQL).fetch_all(db).await)?;
        Ok(keys.into_iter().map(ConnectionKey).collect())
    }

    /// Passes on every grant.
    ///
    /// # Errors
    /// The database cannot be used, or `each` fails.
    pub async fn grants<E: From<Error>>(
        &self,
        mut each: impl FnMut(GrantId) -> Result<(), E>,
    ) -> Result<(), E> {
        const SQL: &str = "SELECT grant_id FROM grants";
        with_db!(self, db => {
            let mut rows = sqlx::query_scalar::<_, Uuid>(SQL).fetch(db);
            while let Some(grant) = rows.try_next().await.map_err(Error::from)? {
                each(GrantId(grant))?;
            }
        });
        Ok(())
    }
}
