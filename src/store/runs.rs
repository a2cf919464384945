//! The runs of jobs, each with the progress it reported.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::leases::is_over;
use super::{Error, Store, with_db, with_tx};

/// A finished run.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RunRecord {
    pub run_id: Uuid,
    pub job: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub exit_code: Option<i64>,
    pub progress: Option<String>,
}

/// The last run of a job that ended, and the last that ended well.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JobRuns {
    pub finished_at: Option<DateTime<Utc>>,
    pub exit_code: Option<i64>,
    pub progress: Option<String>,
    pub done_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Notes a run; again if it was noted before.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn start_run(&self, run_id: Uuid, job: &str, at: DateTime<Utc>) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO runs (run_id, job, started_at) VALUES ($1, $2, $3) \
                           ON CONFLICT (run_id) DO NOTHING";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(run_id).bind(job).bind(at).execute(db).await.map(|_| ())
        })?;
        tx.commit().await
    }

    /// # Errors
    /// The run was taken for gone meanwhile, or the database cannot be used.
    pub async fn finish_run(
        &self,
        run_id: Uuid,
        at: DateTime<Utc>,
        exit_code: u8,
        progress: &str,
    ) -> Result<(), Error> {
        const SQL: &str =
            "UPDATE runs SET finished_at = $2, exit_code = $3, progress = $4 WHERE run_id = $1";
        let mut tx = self.begin().await?;
        if is_over(&mut tx, run_id).await? {
            return Err(Error::RunOver);
        }
        with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(run_id)
                .bind(at)
                .bind(i64::from(exit_code))
                .bind(progress)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn latest_runs(&self, most: u32) -> Result<Vec<RunRecord>, Error> {
        const SQL: &str = "SELECT run_id, job, started_at, finished_at, exit_code, progress FROM runs \
                           ORDER BY started_at DESC, run_id DESC LIMIT $1";
        Ok(with_db!(self, db => sqlx::query_as(SQL).bind(i64::from(most)).fetch_all(db).await)?)
    }

    /// Of each job, its last runs.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_runs(&self) -> Result<Vec<(String, JobRuns)>, Error> {
        const JOBS: &str = "SELECT DISTINCT job FROM runs ORDER BY job";
        const LAST: &str = "SELECT finished_at, exit_code, progress, \
                (SELECT max(finished_at) FROM runs WHERE job = $1 AND exit_code = 0) AS done_at \
            FROM runs WHERE job = $1 AND exit_code IS NOT NULL ORDER BY finished_at DESC LIMIT 1";
        let jobs: Vec<String> = with_db!(self, db => sqlx::query_scalar(JOBS).fetch_all(db).await)?;
        let mut runs = Vec::new();
        for job in jobs {
            let last: Option<JobRuns> =
                with_db!(self, db => sqlx::query_as(LAST).bind(&job).fetch_optional(db).await)?;
            runs.extend(last.map(|last| (job, last)));
        }
        Ok(runs)
    }
}
