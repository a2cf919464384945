//! What one scan writes, in one transaction: batches of grants, connections and people, and
//! at its end the scan itself. Nothing of it is seen until it is committed.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::class::Class;
use crate::domain::connection::{Connection, Responsible};
use crate::domain::evidence::Evidence;
use crate::domain::grant::{ConnectionKey, GrantId, Unsettled};
use crate::domain::tally::Tally;

use super::bulk::{self, Cell, Kind, Target};
use super::connections::evidence_text;
use super::dialect::Ids;
use super::scans::{BadRowRecord, ScanRecord};
use super::settings::lock_for_scan;
use super::{Error, ScopeSets, Store, Tx, tally, with_tx};

/// A grant as a scan leaves it.
#[derive(Clone, Debug)]
pub struct GrantRecord {
    pub id: GrantId,
    pub class: Class,
    pub unsettled: Option<Unsettled>,
    pub evidence: Option<Evidence>,
    pub ready: bool,
}

/// Something that changed about a known connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: ConnectionKey,
    pub what: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What belongs together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub grants: Vec<GrantRecord>,
    /// With `people`: all of them, in place of those there were.
    pub connections: Vec<Connection>,
    /// Connections that were in the database before, so that their people are replaced.
    pub known: Vec<ConnectionKey>,
    pub changes: Vec<Change>,
}

/// The transaction of one scan.
pub struct ScanWriter {
    tx: Tx,
    sets: ScopeSets,
    now: DateTime<Utc>,
    run_id: Uuid,
    deferred_indexes: Vec<(String, String)>,
}

const GRANTS: Target = Target {
    table: "grants",
    columns: &[
        ("grant_id", Kind::Uuid),
        ("class", Kind::Text),
        ("unsettled", Kind::Text),
        ("scope_set", Kind::Int),
        ("evidence_source", Kind::Text),
        ("evidence_at", Kind::Time),
        ("ready", Kind::Bool),
        ("first_seen_at", Kind::Time),
        ("ready_at", Kind::Time),
    ],
    key: Some("grant_id"),
    keep: &["first_seen_at", "ready_at"],
};

const CONNECTIONS: Target = Target {
    table: "connections",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("connection_id", Kind::Uuid),
        ("grant_id", Kind::Uuid),
        ("tenant_id", Kind::Uuid),
        ("tenant_name", Kind::Text),
        ("tenant_type", Kind::Text),
        ("account_id", Kind::Text),
        ("auth_event_id", Kind::Uuid),
        ("flow", Kind::Text),
        ("connected_at", Kind::Time),
        ("updated_at", Kind::Time),
        ("last_used_at", Kind::Time),
        ("required_set", Kind::Int),
        ("evidence", Kind::Text),
        ("doubt", Kind::Text),
        ("presence", Kind::Text),
        ("class", Kind::Text),
        ("readiness", Kind::Text),
        ("some_evidence_ready", Kind::Bool),
        ("token_behind", Kind::Bool),
        ("manual", Kind::Bool),
        ("reachable", Kind::Bool),
        ("covered", Kind::Bool),
        ("first_seen_at", Kind::Time),
        ("absent_since", Kind::Time),
    ],
    key: Some("connection_key"),
    keep: &["first_seen_at", "covered"],
};

const PEOPLE: Target = Target {
    table: "people",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("fingerprint", Kind::Int),
        ("recipient", Kind::Text),
        ("email", Kind::Text),
        ("name", Kind::Text),
        ("locale", Kind::Text),
        ("time_zone", Kind::Text),
        ("country", Kind::Text),
    ],
    key: None,
    keep: &[],
};

const CHANGES: Target = Target {
    table: "changes",
    columns: &[
        ("connection_key", Kind::Uuid),
        ("changed_at", Kind::Time),
        ("run_id", Kind::Uuid),
        ("what", Kind::Text),
        ("before", Kind::Text),
        ("after", Kind::Text),
    ],
    key: None,
    keep: &[],
};

const BAD_ROWS: Target = Target {
    table: "bad_rows",
    columns: &[
        ("fingerprint", Kind::Int),
        ("place", Kind::Text),
        ("field", Kind::Text),
        ("code", Kind::Text),
        ("reason", Kind::Text),
        ("connection_key", Kind::Uuid),
    ],
    key: None,
    keep: &[],
};

/// Secondary indexes that a first load builds once at its end: filling them row by row in
/// the random order of UUIDs would write most of their pages many times over.
const BULK_INDEXES: &[&str] = &[
    "connections_tenant_id",
    "connections_grant_id",
    "connections_standing",
    "people_connection_key",
];

impl ScanWriter {
    /// Begins, provided that `last` is still the last complete scan.
    ///
    /// # Errors
    /// Another scan was completed meanwhile, or the database cannot be used.
    pub async fn begin(
        store: &Store,
        last: Option<Uuid>,
        sets: ScopeSets,
        now: DateTime<Utc>,
        run_id: Uuid,
    ) -> Result<Self, Error> {
        let mut tx = store.begin().await?;
        lock_for_scan(&mut tx).await?;
        const LAST: &str = "SELECT scan_id FROM scans WHERE outcome = 'complete' \
                            ORDER BY number DESC LIMIT 1";
        let found: Option<Uuid> =
            with_tx!(&mut tx, db => sqlx::query_scalar(LAST).fetch_optional(db).await)?;
        if found != last {
            return Err(Error::Overtaken);
        }
        Ok(Self { tx, sets, now, run_id, deferred_indexes: Vec::new() })
    }

    /// Tells that a large first load follows. Only SQLite gains by it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn expect_bulk(&mut self) -> Result<(), Error> {
        let Tx::Sqlite(tx) = &mut self.tx else { return Ok(()) };
        for name in BULK_INDEXES {
            let definition: Option<String> = sqlx::query_scalar(
                "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = $1",
            )
            .bind(name)
            .fetch_optional(&mut **tx)
            .await?;
            if let Some(definition) = definition {
                sqlx::query(AssertSqlSafe(format!("DROP INDEX {name}"))).execute(&mut **tx).await?;
                self.deferred_indexes.push(((*name).to_owned(), definition));
            }
        }
        Ok(())
    }

    async fn build_indexes(&mut self) -> Result<(), Error> {
        let Tx::Sqlite(tx) = &mut self.tx else { return Ok(()) };
        for (_, definition) in self.deferred_indexes.drain(..) {
            sqlx::query(AssertSqlSafe(definition)).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn write(&mut self, batch: Batch) -> Result<(), Error> {
        let (now, run_id) = (self.now, self.run_id);
        let mut grants = Vec::with_capacity(batch.grants.len() * GRANTS.columns.len());
        for grant in batch.grants {
            grants.extend(grant_cells(&grant, &mut self.sets, now));
        }
        let mut connections =
            Vec::with_capacity(batch.connections.len() * CONNECTIONS.columns.len());
        let mut people = Vec::new();
        for connection in batch.connections {
            for responsible in &connection.people {
                people.extend(person_cells(connection.key, responsible));
            }
            connections.extend(connection_cells(connection, &mut self.sets));
        }
        let mut changes = Vec::with_capacity(batch.changes.len() * CHANGES.columns.len());
        for change in batch.changes {
            changes.extend([
                Cell::Uuid(Some(change.key.0)),
                Cell::Time(Some(now)),
                Cell::Uuid(Some(run_id)),
                Cell::Text(Some(change.what.to_owned())),
                Cell::Text(change.before),
                Cell::Text(change.after),
            ]);
        }
        self.sets.save(&mut self.tx).await?;
        bulk::write(&mut self.tx, &GRANTS, grants).await?;
        bulk::write(&mut self.tx, &CONNECTIONS, connections).await?;
        if !batch.known.is_empty() {
            let keys = Ids(batch.known.iter().map(|key| key.0).collect());
            let statement = match self.tx {
                Tx::Sqlite(_) => {
                    "DELETE FROM people WHERE connection_key IN (SELECT unhex(value) FROM json_each($1))"
                }
                Tx::Postgres(_) => "DELETE FROM people WHERE connection_key = ANY($1)",
            };
            with_tx!(&mut self.tx, db => sqlx::query(statement).bind(keys).execute(db).await.map(|_| ()))?;
        }
        bulk::write(&mut self.tx, &PEOPLE, people).await?;
        bulk::write(&mut self.tx, &CHANGES, changes).await
    }

    /// Finds anew which awaiting connections another person's ready grant covers. Only
    /// tenants with several connections can be concerned.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn settle_covered(&mut self) -> Result<(), Error> {
        self.build_indexes().await?;
        const SQL: &str = "\
            WITH shared AS (
                SELECT tenant_id FROM connections GROUP BY tenant_id HAVING count(*) > 1
            ), covering AS (
                SELECT DISTINCT c.tenant_id FROM shared
                JOIN connections c ON c.tenant_id = shared.tenant_id
                JOIN grants g ON g.grant_id = c.grant_id
                WHERE c.presence <> 'gone' AND g.ready
            )
            UPDATE connections SET covered = NOT covered
            WHERE covered <> (presence <> 'gone' AND readiness = 'awaiting'
                              AND tenant_id IN (SELECT tenant_id FROM covering))
              AND (covered OR tenant_id IN (SELECT tenant_id FROM covering))";
        with_tx!(&mut self.tx, db => sqlx::query(SQL).execute(db).await.map(|_| ()))?;
        Ok(())
    }

    /// Counts as it will be once this transaction is committed.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&mut self) -> Result<Tally, Error> {
        self.build_indexes().await?;
        let rows = with_tx!(&mut self.tx, db => sqlx::query_as(tally::SQL).fetch_all(db).await)?;
        tally::count(rows)
    }

    /// Marks the acceptance of a stopped scan as used, if there is one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn use_acceptance(&mut self, digest: &str) -> Result<bool, Error> {
        const SQL: &str =
            "UPDATE accepted_scans SET used_by = $2 WHERE digest = $1 AND used_by IS NULL";
        let run_id = self.run_id;
        let used = with_tx!(&mut self.tx, db => {
            sqlx::query(SQL).bind(digest).bind(run_id).execute(db).await.map(|done| done.rows_affected())
        })?;
        Ok(used > 0)
    }

    /// Completes the scan: from here on it is the one in force.
    ///
    /// # Errors
    /// The database did not confirm; the last complete scan stays in force.
    pub async fn complete(
        mut self,
        scan: &ScanRecord,
        bad_rows: &[BadRowRecord],
    ) -> Result<(), Error> {
        self.build_indexes().await?;
        self.sets.save(&mut self.tx).await?;
        with_tx!(&mut self.tx, db => {
            sqlx::query("DELETE FROM bad_rows").execute(db).await.map(|_| ())
        })?;
        let cells = bad_rows
            .iter()
            .flat_map(|bad| {
                [
                    Cell::Int(Some(bad.fingerprint.cast_signed())),
                    Cell::Text(Some(bad.place.clone())),
                    Cell::Text(bad.field.clone()),
                    Cell::Text(Some(bad.code.clone())),
                    Cell::Text(Some(bad.reason.clone())),
                    Cell::Uuid(bad.key.map(|key| key.0)),
                ]
            })
            .collect();
        bulk::write(&mut self.tx, &BAD_ROWS, cells).await?;
        scan.insert(&mut self.tx).await?;
        self.tx.commit().await
    }

    /// # Errors
    /// The database cannot be reached; it rolls back by itself then.
    pub async fn abandon(self) -> Result<(), Error> {
        self.tx.rollback().await
    }
}

fn grant_cells(
    grant: &GrantRecord,
    sets: &mut ScopeSets,
    now: DateTime<Utc>,
) -> [Cell; GRANTS.columns.len()] {
    [
        Cell::Uuid(Some(grant.id.0)),
        Cell::Text(Some(grant.class.as_str().to_owned())),
        Cell::Text(grant.unsettled.map(|reason| reason.as_str().to_owned())),
        Cell::Int(grant.evidence.map(|evidence| sets.number(evidence.scopes))),
        Cell::Text(grant.evidence.map(|evidence| evidence.source.as_str().to_owned())),
        Cell::Time(grant.evidence.and_then(|evidence| evidence.at)),
        Cell::Bool(grant.ready),
        Cell::Time(Some(now)),
        Cell::Time(grant.ready.then_some(now)),
    ]
}

fn connection_cells(
    connection: Connection,
    sets: &mut ScopeSets,
) -> [Cell; CONNECTIONS.columns.len()] {
    let Connection {
        key,
        facts,
        presence,
        standing,
        covered,
        first_seen_at,
        absent_since,
        people: _,
    } = connection;
    [
        Cell::Uuid(Some(key.0)),
        Cell::Uuid(facts.id.map(|id| id.0)),
        Cell::Uuid(Some(facts.grant.0)),
        Cell::Uuid(Some(facts.tenant.0)),
        Cell::Text(facts.tenant_name),
        Cell::Text(facts.tenant_type),
        Cell::Text(facts.account),
        Cell::Uuid(facts.auth_event.map(|id| id.0)),
        Cell::Text(facts.flow.map(|flow| flow.as_str().to_owned())),
        Cell::Time(facts.connected_at),
        Cell::Time(facts.updated_at),
        Cell::Time(facts.last_used_at),
        Cell::Int(facts.required.map(|set| sets.number(set))),
        Cell::Text(Some(evidence_text(&facts.evidence, sets))),
        Cell::Text(facts.doubt.map(|doubt| Unsettled::from(doubt).as_str().to_owned())),
        Cell::Text(Some(presence.as_str().to_owned())),
        Cell::Text(Some(standing.class.as_str().to_owned())),
        Cell::Text(Some(standing.readiness.as_str().to_owned())),
        Cell::Bool(standing.some_evidence_ready),
        Cell::Bool(standing.token_behind),
        Cell::Bool(standing.manual),
        Cell::Bool(standing.reachable),
        Cell::Bool(covered),
        Cell::Time(Some(first_seen_at)),
        Cell::Time(absent_since),
    ]
}

fn person_cells(key: ConnectionKey, responsible: &Responsible) -> [Cell; PEOPLE.columns.len()] {
    let person = &responsible.person;
    [
        Cell::Uuid(Some(key.0)),
        Cell::Int(responsible.fingerprint.map(u64::cast_signed)),
        Cell::Text(person.email.as_ref().map(|email| email.key().to_owned())),
        Cell::Text(person.email.as_ref().map(|email| email.given().to_owned())),
        Cell::Text(person.name.clone()),
        Cell::Text(person.locale.clone()),
        Cell::Text(person.time_zone.map(|zone| zone.name().to_owned())),
        Cell::Text(person.country.clone()),
    ]
}
