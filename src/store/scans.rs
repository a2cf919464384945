//! Scans that came to an end, and those that a named person let through.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::grant::ConnectionKey;

use super::audit::append;
use super::{Error, Store, Tx, with_db, with_tx};

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it read is in force.
    Complete,
    /// The guard stopped it; it changed nothing.
    Stopped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Stopped => "stopped",
        }
    }
}

/// A scan as it is remembered.
#[derive(Clone, Debug)]
pub struct ScanRecord {
    pub scan_id: Uuid,
    pub run_id: Uuid,
    pub finished_at: DateTime<Utc>,
    pub outcome: Outcome,
    pub rows_read: u64,
    pub bad_rows: u64,
    /// Present after it.
    pub connections: u64,
    pub changed: u64,
    pub newly_gone: u64,
    /// Set when the guard objected.
    pub digest: Option<String>,
    pub reasons: Option<String>,
    /// The campaign's required scopes and whatever else readiness was judged by.
    pub required_scopes: String,
}

/// A bad row of the last complete scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRowRecord {
    pub fingerprint: u64,
    pub place: String,
    pub field: Option<String>,
    pub code: String,
    pub reason: String,
    pub key: Option<ConnectionKey>,
}

/// What the next scan is compared with.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LastScan {
    pub scan_id: Uuid,
    pub finished_at: DateTime<Utc>,
    pub rows_read: i64,
    pub connections: i64,
    pub bad_rows: i64,
    pub required_scopes: String,
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl ScanRecord {
    pub(super) async fn insert(&self, tx: &mut Tx) -> Result<(), Error> {
        // Complete scans follow one another (`settings::lock_for_scan`), so their numbers do.
        const SQL: &str = "INSERT INTO scans (number, scan_id, run_id, finished_at, outcome, \
            rows_read, bad_rows, connections, changed, newly_gone, digest, reasons, \
            required_scopes) VALUES ((SELECT COALESCE(max(number), 0) + 1 FROM scans), \
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        with_tx!(tx, db => {
            sqlx::query(SQL)
                .bind(self.scan_id)
                .bind(self.run_id)
                .bind(self.finished_at)
                .bind(self.outcome.as_str())
                .bind(count(self.rows_read))
                .bind(count(self.bad_rows))
                .bind(count(self.connections))
                .bind(count(self.changed))
                .bind(count(self.newly_gone))
                .bind(&self.digest)
                .bind(&self.reasons)
                .bind(&self.required_scopes)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// How it is recorded.
    pub(super) fn act(&self) -> Act {
        let kind = match self.outcome {
            Outcome::Complete => Kind::ScanCompleted,
            Outcome::Stopped => Kind::ScanStopped,
        };
        let mut act = Act::new(kind, self.finished_at)
            .run(self.run_id)
            .about(self.scan_id)
            .with("rows", self.rows_read)
            .with("bad_rows", self.bad_rows)
            .with("connections", self.connections)
            .with("changed", self.changed)
            .with("newly_gone", self.newly_gone);
        if let (Some(digest), Some(reasons)) = (&self.digest, &self.reasons) {
            act = act.with("digest", digest.as_str()).with("objections", reasons.as_str());
        }
        act
    }
}

impl Store {
    /// The scan in force.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_complete_scan(&self) -> Result<Option<LastScan>, Error> {
        const SQL: &str = "SELECT scan_id, finished_at, rows_read, connections, bad_rows, required_scopes \
            FROM scans WHERE outcome = 'complete' ORDER BY number DESC LIMIT 1";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_optional(db).await)?)
    }

    /// When the first complete scan ended.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn founded_at(&self) -> Result<Option<DateTime<Utc>>, Error> {
        const SQL: &str = "SELECT finished_at FROM scans WHERE outcome = 'complete' \
                           ORDER BY number LIMIT 1";
        Ok(with_db!(self, db => sqlx::query_scalar(SQL).fetch_optional(db).await)?)
    }

    /// Remembers a scan that the guard stopped.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn record_stopped_scan(&self, scan: &ScanRecord) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        scan.insert(&mut tx).await?;
        append(&mut tx, &[scan.act()]).await?;
        tx.commit().await
    }

    /// When a scan with this digest was last stopped here.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn stopped_scan(&self, digest: &str) -> Result<Option<DateTime<Utc>>, Error> {
        const SQL: &str = "SELECT finished_at FROM scans WHERE outcome = 'stopped' AND digest = $1 \
             ORDER BY number DESC LIMIT 1";
        Ok(with_db!(self, db => sqlx::query_scalar(SQL).bind(digest).fetch_optional(db).await)?)
    }

    /// Lets the one scan with this digest through.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn accept_scan(
        &self,
        digest: &str,
        by: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO accepted_scans (digest, by_name, reason, accepted_at, used_by) \
                           VALUES ($1, $2, $3, $4, NULL)";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(digest).bind(by).bind(reason).bind(now).execute(db).await.map(|_| ())
        })?;
        let act = Act::new(Kind::ScanAccepted, now).about(digest).by(by);
        append(&mut tx, &[act.with("reason", reason)]).await?;
        tx.commit().await
    }

    /// The fingerprints of the bad rows of the last complete scan.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn known_bad_rows(&self) -> Result<Vec<u64>, Error> {
        const SQL: &str = "SELECT fingerprint FROM bad_rows";
        let rows: Vec<i64> = with_db!(self, db => sqlx::query_scalar(SQL).fetch_all(db).await)?;
        Ok(rows.into_iter().map(i64::cast_unsigned).collect())
    }
}
