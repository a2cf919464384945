//! A run of a job that this process holds: within its time, and only as long as nobody else
//! has taken the job over.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::clock::{Clock, ShiftedClock};
use crate::config::Job;
use crate::store::Store;

use super::exit::Exit;
use super::failure::Failure;
use super::hold::{Hold, Worker};
use super::holder::Holder;
use super::run::{Finished, Setting};
use super::scan;
use super::shutdown::GRACE;
use super::weather::{Patience, ahead, differing};
use super::workplace::Workplace;

/// Time between two looks at a job that somebody else has in hand.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// How long a run that was cut off is written down.
const LAST_WORD: TimeDelta = TimeDelta::seconds(3);

/// The clock that all processes of a database go by: the database's, unless ours is so wrong
/// that something else has to be put right first.
///
/// # Errors
/// The database cannot be used.
pub async fn common_clock(store: &Store, own: &dyn Clock) -> Result<Arc<dyn Clock>, Failure> {
    let ahead = ahead(store, own).await?;
    let by = if differing(ahead).is_some() { TimeDelta::zero() } else { ahead };
    Ok(Arc::new(ShiftedClock { by }))
}

/// What the log says of all that belongs to a run.
fn run_span(run_id: Uuid, job: &Job) -> tracing::Span {
    tracing::info_span!("run", %run_id, job = job.name)
}

impl Worker {
    /// This process as one that runs jobs.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, id: Uuid) -> Self {
        Self { store, clock, id, holder: Holder::own() }
    }

    /// Takes a job for a run; waits for it until the time given.
    ///
    /// # Errors
    /// It does not come free by then, the process is asked to stop, or the database cannot be
    /// used.
    pub async fn wait_for(
        &self,
        job: &Job,
        run_id: Uuid,
        until: DateTime<Utc>,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<Hold, Failure> {
        let mut is_told = false;
        loop {
            let held = match self.hold(job, run_id).await {
                Ok(Ok(hold)) => return Ok(hold),
                Ok(Err(held)) => held,
                Err(error) => {
                    let failure = error.into();
                    if patience.outlasts(&failure, &*self.clock, cancel).await {
                        continue;
                    }
                    return Err(failure);
                }
            };
            if self.clock.now() >= until {
                return Err(Failure::Held { job: job.name.clone(), by: held.by });
            }
            if !is_told {
                is_told = true;
                let by = held.by;
                run_span(run_id, job).in_scope(|| {
                    tracing::info!("waiting for another run of this job: {by} has it");
                });
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(scan::Error::Interrupted.into()),
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }
}

impl Setting<'_> {
    /// Runs a job that this process holds.
    pub async fn run_held(
        &self,
        hold: &Hold,
        job: &Job,
        workplace: &Workplace,
        random: &mut (dyn Rng + Send),
    ) -> Finished {
        let span = run_span(hold.run_id, job);
        self.run_watched(hold, job, workplace, random).instrument(span).await
    }

    async fn run_watched(
        &self,
        hold: &Hold,
        job: &Job,
        workplace: &Workplace,
        random: &mut (dyn Rng + Send),
    ) -> Finished {
        let cancel = self.cancel.child_token();
        let until = self.clock.now() + job.budget;
        let run = Setting { cancel: &cancel, until: Some(until), ..*self };
        let end = async {
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = hold.lost().cancelled() => tracing::error!(
                    "another process has taken this job over: nothing more is done here"
                ),
                () = self.clock.sleep(job.budget) => tracing::info!(
                    minutes = job.budget.num_minutes(),
                    "the time budget of the run is used up"
                ),
            }
            cancel.cancel();
            self.clock.sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            finished = run.run_as(hold.run_id, job, workplace, random) => return finished,
            () = end => {}
        }
        self.cut_off(hold, job, workplace).await
    }

    /// Writes down that a run did not come to its end in order.
    async fn cut_off(&self, hold: &Hold, job: &Job, workplace: &Workplace) -> Finished {
        tracing::error!(
            remedy = "what was in flight is settled as after a crash",
            "the run did not end within {} s after it was to stop: leaving it",
            GRACE.num_seconds()
        );
        let finished = self.report_nothing(hold.run_id, job, Exit::CouldNotRun);
        let line = serde_json::to_string(&finished.progress).unwrap_or_default();
        let (now, code) = (self.clock.now(), finished.exit.code());
        tokio::select! {
            _ = workplace.store.finish_run(hold.run_id, now, code, &line) => {}
            () = self.clock.sleep(LAST_WORD) => {}
        }
        finished
    }
}
