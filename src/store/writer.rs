//! What one scan writes, in one transaction: batches of grants, connections and people, and
//! at its end the scan itself. Nothing of it is seen until it is committed.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::class::Class;
use crate::domain::connection::Connection;
use crate::domain::evidence::Evidence;
use crate::domain::grant::{ConnectionKey, GrantId, Unsettled};
use crate::domain::ids::TenantId;
use crate::domain::tally::Tally;

use super::audit::append;
use super::bulk::{self, Amount, Cell, Statement};
use super::dialect::{Dialect, Ids};
use super::leases::is_over;
use super::pipe::Pipe;
use super::restless::{Restless, stir};
use super::scans::{BadRowRecord, ScanRecord};
use super::settings::lock_for_scan;
use super::tables::{
    BAD_ROWS, CHANGES, CONNECTIONS, GRANTS, PEOPLE, SCOPE_SETS, connection_cells, grant_cells,
    locale, person_cells,
};
use super::{Error, ScopeSets, Store, Tx, forgotten, tally, with_tx};

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
    hand: Hand,
    dialect: Dialect,
    sets: ScopeSets,
    now: DateTime<Utc>,
    run_id: Uuid,
    /// Nothing was stored before: rows need no look at what is there.
    is_first: bool,
    /// The grants that it judged anew, or whose connections it changes. Which of others are
    /// covered counts for removals only, and while those are decided no plan goes by the last.
    changed: Restless,
    deferred: Deferred,
    /// Rows of a first load that wait until they fill a statement.
    waiting: Rows,
}

/// What is left to do once a large first load is in.
#[derive(Default)]
struct Deferred {
    /// Definitions of SQLite's indexes.
    indexes: Vec<String>,
    /// PostgreSQL's planner knows nothing of the new rows: without figures it sorts a million
    /// of them to count a few groups.
    statistics: bool,
}

/// What finds anew which awaiting connections of these tenants another person's ready grant
/// covers.
pub(super) fn covering(dialect: Dialect, tenants: Vec<Uuid>) -> Result<Statement, Error> {
    const SQL: &str = "\
        UPDATE connections SET covered = NOT covered
        WHERE tenant_id {ids} AND covered <> (
            presence IN ('present', 'row_bad') AND readiness = 'awaiting' AND EXISTS (
                SELECT 1 FROM connections other
                JOIN grants ON grants.grant_id = other.grant_id
                WHERE other.tenant_id = connections.tenant_id
                  AND other.presence IN ('present', 'row_bad') AND grants.ready))";
    Statement::about(dialect, SQL, Ids(tenants))
}

/// Rows of the large tables.
#[derive(Default)]
struct Rows {
    grants: Vec<Cell>,
    connections: Vec<Cell>,
    people: Vec<Cell>,
}

/// Who has the transaction.
enum Hand {
    Here(Tx),
    Away(Pipe),
    /// It failed, and its error was given.
    Lost,
}

/// Rows from which on a first load is large. It builds the indexes of SQLite at its end: filling them row
/// by row in the random order of UUIDs would write most of their pages many times over.
const BULK_ROWS: u64 = 20_000;

/// Indexes that grow at their end, since a scan writes in the order of grants.
const ALONG: &[&str] = &["grants_grant_id", "connections_grant_id"];

impl ScanWriter {
    /// Begins, provided that `last` is still the last complete scan.
    ///
    /// # Errors
    /// Another scan was completed meanwhile, the run is over, or the database cannot be used.
    pub async fn begin(
        store: &Store,
        last: Option<Uuid>,
        sets: ScopeSets,
        now: DateTime<Utc>,
        run_id: Uuid,
    ) -> Result<Self, Error> {
        let mut tx = store.begin().await?;
        lock_for_scan(&mut tx).await?;
        if is_over(&mut tx, run_id).await? {
            return Err(Error::RunOver);
        }
        const LAST: &str = "SELECT scan_id FROM scans WHERE outcome = 'complete' \
                            ORDER BY number DESC LIMIT 1";
        let found: Option<Uuid> =
            with_tx!(&mut tx, db => sqlx::query_scalar(LAST).fetch_optional(db).await)?;
        if found != last {
            return Err(Error::Overtaken);
        }
        Ok(Self {
            hand: Hand::Here(tx),
            dialect: Dialect::of(store),
            sets,
            now,
            run_id,
            is_first: false,
            changed: Restless::default(),
            deferred: Deferred::default(),
            waiting: Rows::default(),
        })
    }

    /// The transaction, with all executed that was written so far.
    async fn tx(&mut self) -> Result<&mut Tx, Error> {
        let mut rest = Vec::new();
        self.fill(Amount::All, &mut rest)?;
        self.hand = match std::mem::replace(&mut self.hand, Hand::Lost) {
            Hand::Away(pipe) => {
                pipe.send(rest).await;
                Hand::Here(pipe.end().await?)
            }
            other => other,
        };
        match &mut self.hand {
            Hand::Here(tx) => Ok(tx),
            _ => Err(Error::Database(sqlx::Error::WorkerCrashed)),
        }
    }

    async fn run(&mut self, statements: Vec<Statement>) -> Result<(), Error> {
        let tx = self.tx().await?;
        for statement in statements {
            statement.run(tx).await?;
        }
        Ok(())
    }

    /// How many people were erased by now.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn count_forgotten(&mut self) -> Result<usize, Error> {
        let tx = self.tx().await?;
        forgotten::count(tx).await
    }

    /// Tells that nothing is stored yet and about `rows` rows follow, none of them twice.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn expect_first(&mut self, rows: u64) -> Result<(), Error> {
        self.is_first = true;
        if rows < BULK_ROWS {
            return Ok(());
        }
        // PostgreSQL would lock out all readers.
        let Tx::Sqlite(tx) = self.tx().await? else {
            self.deferred.statistics = true;
            return Ok(());
        };
        const SQL: &str = "SELECT name, sql FROM sqlite_master WHERE type = 'index' \
                           AND tbl_name IN ('grants', 'connections', 'people') AND sql IS NOT NULL";
        let indexes: Vec<(String, String)> = sqlx::query_as(SQL).fetch_all(&mut **tx).await?;
        let late = indexes.into_iter().filter(|(name, _)| !ALONG.contains(&name.as_str()));
        let mut deferred = Vec::new();
        for (name, definition) in late {
            sqlx::query(AssertSqlSafe(format!("DROP INDEX {name}"))).execute(&mut **tx).await?;
            deferred.push(definition);
        }
        self.deferred.indexes = deferred;
        Ok(())
    }

    async fn end_load(&mut self) -> Result<(), Error> {
        let Deferred { indexes, statistics } = std::mem::take(&mut self.deferred);
        let tx = self.tx().await?;
        let analyze = statistics.then(|| "ANALYZE grants, connections, people".to_owned());
        for statement in indexes.into_iter().chain(analyze) {
            with_tx!(tx, db => {
                sqlx::query(AssertSqlSafe(statement)).execute(db).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Writes a batch, while the database may still be busy with the one before.
    ///
    /// # Errors
    /// The database cannot be used; what the batch before came to shows now or later.
    pub async fn write(&mut self, batch: Batch) -> Result<(), Error> {
        if self.is_first {
            self.changed = Restless::ANY;
        }
        let judged = batch.grants.iter().map(|grant| grant.id);
        let written = batch.connections.iter().map(|connection| connection.facts.grant);
        judged.chain(written).for_each(|grant| self.changed.add(grant));
        let statements = self.statements(batch)?;
        self.hand = match std::mem::replace(&mut self.hand, Hand::Lost) {
            Hand::Here(tx) => Hand::Away(Pipe::into(tx)),
            other => other,
        };
        if let Hand::Away(pipe) = &self.hand
            && pipe.send(statements).await
        {
            return Ok(());
        }
        // It takes no more: the error is at its end.
        self.tx().await.map(|_| ())
    }

    /// A batch as statements, in an order in which they may be executed.
    fn statements(&mut self, batch: Batch) -> Result<Vec<Statement>, Error> {
        let (dialect, now, run_id) = (self.dialect, self.now, self.run_id);
        for grant in batch.grants {
            self.waiting.grants.extend(grant_cells(&grant, &mut self.sets, now));
        }
        for mut connection in batch.connections {
            let people = std::mem::take(&mut connection.people);
            let (key, locale) = (connection.key, locale(&people));
            self.waiting.connections.extend(connection_cells(connection, locale, &mut self.sets));
            for responsible in people {
                self.waiting.people.extend(person_cells(key, responsible));
            }
        }
        let mut changes = Vec::with_capacity(batch.changes.len() * CHANGES.columns.len());
        for change in batch.changes {
            changes.extend([
                Cell::Uuid(Some(change.key.0)),
                Cell::Time(Some(now)),
                Cell::Uuid(Some(run_id)),
                Cell::word(Some(change.what)),
                Cell::text(change.before),
                Cell::text(change.after),
            ]);
        }
        let sets = self.sets.take_fresh().into_iter();
        let mut sets = sets
            .flat_map(|(number, set)| [Cell::Int(Some(number)), Cell::text(Some(set.canonical()))])
            .collect();
        let mut statements = Vec::new();
        bulk::fill(dialect, &SCOPE_SETS, Amount::All, &mut sets, &mut statements)?;
        bulk::fill(dialect, &CHANGES, Amount::All, &mut changes, &mut statements)?;
        if !batch.known.is_empty() {
            let keys = Ids(batch.known.iter().map(|key| key.0).collect());
            let sql = "DELETE FROM people WHERE connection_key {ids}";
            statements.push(Statement::about(dialect, sql, keys)?);
        }
        // Rows that take the place of others do so at once: the next batch may name them too.
        let amount = if self.is_first { Amount::Whole } else { Amount::All };
        self.fill(amount, &mut statements)?;
        Ok(statements)
    }

    /// Statements for the rows that wait.
    fn fill(&mut self, amount: Amount, statements: &mut Vec<Statement>) -> Result<(), Error> {
        let (grants, connections) = match self.is_first {
            true => (&GRANTS.adding(), &CONNECTIONS.adding()),
            false => (&GRANTS, &CONNECTIONS),
        };
        let waiting = &mut self.waiting;
        bulk::fill(self.dialect, grants, amount, &mut waiting.grants, statements)?;
        bulk::fill(self.dialect, connections, amount, &mut waiting.connections, statements)?;
        bulk::fill(self.dialect, &PEOPLE, amount, &mut waiting.people, statements)
    }

    /// Settles what is covered in these tenants.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn settle_covered(&mut self, tenants: &[TenantId]) -> Result<(), Error> {
        self.end_load().await?;
        let tenants = tenants.iter().map(|tenant| tenant.0).collect();
        let statement = covering(self.dialect, tenants)?;
        self.run(vec![statement]).await
    }

    /// Counts as it will be once this transaction is committed.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&mut self) -> Result<Tally, Error> {
        self.end_load().await?;
        tally::within(self.tx().await?).await
    }

    /// Marks the acceptance of a stopped scan as used, if there is one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn use_acceptance(&mut self, digest: &str) -> Result<bool, Error> {
        const SQL: &str =
            "UPDATE accepted_scans SET used_by = $2 WHERE digest = $1 AND used_by IS NULL";
        let run_id = self.run_id;
        let tx = self.tx().await?;
        let used = with_tx!(tx, db => {
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
        self.end_load().await?;
        let tx = self.tx().await?;
        with_tx!(tx, db => sqlx::query("DELETE FROM bad_rows").execute(db).await.map(|_| ()))?;
        let mut cells = bad_rows
            .iter()
            .flat_map(|bad| {
                [
                    Cell::Int(Some(bad.fingerprint.cast_signed())),
                    Cell::text(Some(bad.place.clone())),
                    Cell::text(bad.field.clone()),
                    Cell::text(Some(bad.code.clone())),
                    Cell::text(Some(bad.reason.clone())),
                    Cell::Uuid(bad.key.map(|key| key.0)),
                ]
            })
            .collect();
        let mut statements = Vec::new();
        bulk::fill(self.dialect, &BAD_ROWS, Amount::All, &mut cells, &mut statements)?;
        self.run(statements).await?;
        let changed = std::mem::take(&mut self.changed);
        let tx = self.tx().await?;
        stir(tx, &changed).await?;
        scan.insert(tx).await?;
        append(tx, &[scan.act()]).await?;
        match self.hand {
            Hand::Here(tx) => tx.commit().await,
            Hand::Away(_) | Hand::Lost => Err(Error::Database(sqlx::Error::WorkerCrashed)),
        }
    }

    /// # Errors
    /// The database cannot be reached; it rolls back by itself then.
    pub async fn abandon(mut self) -> Result<(), Error> {
        // A transaction that failed is rolled back already.
        let _ = self.tx().await;
        match self.hand {
            Hand::Here(tx) => tx.rollback().await,
            Hand::Away(_) | Hand::Lost => Ok(()),
        }
    }
}
