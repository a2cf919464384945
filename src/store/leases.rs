//! Who runs a job. A lease is for a time and renewed while the run lasts; whoever takes it over
//! from a process that is gone ends that one's run, and a run that has ended has no effects.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Store, Tx, with_db, with_tx};

/// A lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Lease {
    pub owner: Uuid,
    /// The process, in its own words.
    pub holder: String,
    pub fence: i64,
    pub run_id: Uuid,
    pub until: DateTime<Utc>,
    /// Others may take part in its run.
    pub sharing: bool,
}

/// Wanting a lease.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub job: &'a str,
    pub owner: Uuid,
    pub holder: &'a str,
    pub run_id: Uuid,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// An owner that is known to be gone, whatever its lease says.
    pub gone: Option<Uuid>,
    /// The job prompts, and the job removes: a process that is gone may have had some in hand.
    pub effects: [bool; 2],
}

/// Effects that a job has, and their tables.
const EFFECTS: [&str; 2] = [
    "UPDATE prompts SET lease_until = $2 WHERE state = 'leased' AND lease_until > $2 \
        AND run_id IN (SELECT run_id FROM runs WHERE job = $1 AND finished_at IS NULL)",
    "UPDATE removals SET lease_until = $2 WHERE state = 'leased' AND lease_until > $2 \
        AND run_id IN (SELECT run_id FROM runs WHERE job = $1 AND finished_at IS NULL)",
];

/// Ends every run of a job that has not ended: their process is gone, or must not go on.
const END_RUNS: &str = "UPDATE runs SET finished_at = $2 WHERE job = $1 AND finished_at IS NULL";

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn lease(&self, job: &str) -> Result<Option<Lease>, Error> {
        const SQL: &str = "SELECT owner, holder, fence, run_id, until, sharing FROM leases \
                           WHERE job = $1";
        Ok(with_db!(self, db => sqlx::query_as(SQL).bind(job).fetch_optional(db).await)?)
    }

    /// Takes a job's lease, if nobody has it. Gives the fence.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn take_lease(&self, claim: Claim<'_>) -> Result<Option<i64>, Error> {
        const TAKE: &str = "INSERT INTO leases \
                (job, owner, holder, run_id, until, fence, sharing) \
                VALUES ($1, $2, $3, $4, $5, 1, FALSE) \
            ON CONFLICT (job) DO UPDATE SET owner = excluded.owner, holder = excluded.holder, \
                run_id = excluded.run_id, until = excluded.until, fence = leases.fence + 1, \
                sharing = FALSE \
            WHERE leases.until <= $6 OR leases.owner = $7 \
            RETURNING fence";
        let mut tx = self.begin().await?;
        let fence: Option<i64> = with_tx!(&mut tx, db => {
            sqlx::query_scalar(TAKE)
                .bind(claim.job)
                .bind(claim.owner)
                .bind(claim.holder)
                .bind(claim.run_id)
                .bind(claim.until)
                .bind(claim.now)
                .bind(claim.gone)
                .fetch_optional(db)
                .await
        })?;
        if fence.is_none() {
            tx.rollback().await?;
            return Ok(None);
        }
        // What they had leased and not begun with goes out of their hands.
        let let_go = EFFECTS.into_iter().zip(claim.effects).filter(|(_, has)| *has);
        for (sql, _) in let_go {
            with_tx!(&mut tx, db => {
                sqlx::query(sql).bind(claim.job).bind(claim.now).execute(db).await.map(|_| ())
            })?;
        }
        with_tx!(&mut tx, db => {
            sqlx::query(END_RUNS).bind(claim.job).bind(claim.now).execute(db).await.map(|_| ())
        })?;
        tx.commit().await?;
        Ok(fence)
    }

    /// Says whether others may take part in a run. On SQLite nobody could: one writes at a time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn share_run(&self, run_id: Uuid, sharing: bool) -> Result<(), Error> {
        const SQL: &str = "UPDATE leases SET sharing = $2 WHERE run_id = $1";
        if matches!(self, Self::Sqlite(_)) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(run_id).bind(sharing).execute(db).await.map(|_| ())
        })?;
        tx.commit().await
    }

    /// Keeps a lease. Tells whether it still was in these hands: also one that ran out, if
    /// nobody has taken it meanwhile.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn renew_lease(
        &self,
        job: &str,
        fence: i64,
        until: DateTime<Utc>,
    ) -> Result<bool, Error> {
        const SQL: &str = "UPDATE leases SET until = $3 WHERE job = $1 AND fence = $2";
        let mut tx = self.begin().await?;
        let kept = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(job)
                .bind(fence)
                .bind(until)
                .execute(db)
                .await
                .map(|done| done.rows_affected() == 1)
        })?;
        tx.commit().await?;
        Ok(kept)
    }
}

/// Whether a run is over: it ended, or its process was taken for gone. It then has no effects.
pub(super) async fn is_over(tx: &mut Tx, run_id: Uuid) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) FROM runs WHERE run_id = $1 AND finished_at IS NOT NULL";
    let over: i64 = with_tx!(tx, db => sqlx::query_scalar(SQL).bind(run_id).fetch_one(db).await)?;
    Ok(over > 0)
}
