//! The instants at which jobs began by their schedules. Each is one row, so that any number of
//! processes and restarts take it up once. Only the holder of the job's lease writes here.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Store, with_db, with_tx};

/// What became of a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FireState {
    /// A run is at it; or was, if nobody holds the job's lease.
    Running,
    Done,
    /// Its run was asked to stop; whoever comes next goes on with it.
    Interrupted,
    /// A later fire took its place, or too many of its runs came to no end.
    GivenUp,
}

impl FireState {
    pub const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Interrupted, Self::GivenUp];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Interrupted => "interrupted",
            Self::GivenUp => "given_up",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| Error::inconsistent("fires", "state", text))
    }
}

/// The latest fire of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fire {
    pub at: DateTime<Utc>,
    pub state: FireState,
    /// Runs that were begun for it.
    pub attempts: i64,
}

impl Store {
    /// The latest fire of a job that was taken up.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_fire(&self, job: &str) -> Result<Option<Fire>, Error> {
        const SQL: &str = "SELECT fire_at, state, attempts FROM fires WHERE job = $1 \
                           ORDER BY fire_at DESC LIMIT 1";
        let row: Option<(DateTime<Utc>, String, i64)> =
            with_db!(self, db => sqlx::query_as(SQL).bind(job).fetch_optional(db).await)?;
        row.map(|(at, state, attempts)| Ok(Fire { at, state: FireState::parse(&state)?, attempts }))
            .transpose()
    }

    /// Notes that a run begins for a fire. Earlier fires without an end are given up.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn begin_fire(
        &self,
        job: &str,
        fire: DateTime<Utc>,
        run_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        const GIVE_UP: &str = "UPDATE fires SET state = 'given_up', finished_at = $3 \
            WHERE job = $1 AND fire_at < $2 AND state IN ('running', 'interrupted')";
        const BEGIN: &str = "INSERT INTO fires \
                (job, fire_at, state, attempts, run_id, taken_at) \
                VALUES ($1, $2, 'running', 1, $4, $3) \
            ON CONFLICT (job, fire_at) DO UPDATE SET state = 'running', \
                attempts = fires.attempts + 1, run_id = excluded.run_id, \
                taken_at = excluded.taken_at, finished_at = NULL";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(GIVE_UP).bind(job).bind(fire).bind(now).execute(db).await.map(|_| ())
        })?;
        with_tx!(&mut tx, db => {
            sqlx::query(BEGIN)
                .bind(job)
                .bind(fire)
                .bind(now)
                .bind(run_id)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }

    /// Notes how a fire ended, unless another run has taken it up meanwhile.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn end_fire(
        &self,
        job: &str,
        fire: DateTime<Utc>,
        run_id: Uuid,
        state: FireState,
        now: DateTime<Utc>,
        exit_code: Option<u8>,
    ) -> Result<(), Error> {
        const SQL: &str = "UPDATE fires SET state = $4, finished_at = $5, exit_code = $6 \
                           WHERE job = $1 AND fire_at = $2 AND run_id = $3";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(job)
                .bind(fire)
                .bind(run_id)
                .bind(state.as_str())
                .bind(now)
                .bind(exit_code.map(i64::from))
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }
}
