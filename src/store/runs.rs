//! The runs of jobs, each with the progress it reported.

use chrono::{DateTime, Utc};
use uuid::Uuid;

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

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn start_run(&self, run_id: Uuid, job: &str, at: DateTime<Utc>) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO runs (run_id, job, started_at) VALUES ($1, $2, $3)";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(run_id).bind(job).bind(at).execute(db).await.map(|_| ())
        })?;
        tx.commit().await
    }

    /// # Errors
    /// The database cannot be used.
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
}
