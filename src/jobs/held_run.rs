//! A run of a job that this process holds: within its time, and only as long as nobody else
//! has taken the job over.

use std::sync::Arc;

use chrono::TimeDelta;
use rand::Rng;
use tracing::Instrument;
use uuid::Uuid;

use crate::clock::{Clock, ShiftedClock};
use crate::config::Job;
use crate::store::Store;

use super::exit::Exit;
use super::failure::Failure;
use super::hold::{Held, Hold, Worker};
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
#[must_use]
pub fn run_span(run_id: Uuid, job: &Job) -> tracing::Span {
    tracing::info_span!("run", %run_id, job = job.name)
}

impl Worker {
    /// This process as one that runs jobs.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, id: Uuid) -> Self {
        Self { store, clock, id, holder: Holder::own() }
    }
}

impl Setting<'_> {
    /// Takes a job for a run. Where it is in somebody else's hands, this waits for it until the
    /// job's time budget is used up, and takes part in the sending meanwhile.
    ///
    /// # Errors
    /// It does not come free by then, the process is asked to stop, or the database cannot be
    /// used.
    pub async fn take_turn(
        &self,
        worker: &Worker,
        job: &Job,
        workplace: &Workplace,
        run_id: Uuid,
        random: &mut (dyn Rng + Send),
    ) -> Result<Hold, Failure> {
        let until = self.clock.now() + job.budget;
        let mut patience = Patience::of(self.config.database.wait);
        let (mut is_told, mut assisted) = (false, None);
        loop {
            let held = match worker.hold(job, run_id).await {
                Ok(Ok(hold)) => return Ok(hold),
                Ok(Err(held)) => held,
                Err(error) => {
                    let failure = error.into();
                    if patience.outlasts(&failure, self.clock, self.cancel).await {
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
                tracing::info!("waiting for another run of this job: {} has it", held.by);
            }
            if held.shared.is_some() && held.shared != assisted {
                assisted = held.shared;
                self.assist_if(job, workplace, &held, random).await;
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(scan::Error::Interrupted.into()),
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }

    /// Takes part in the run of whoever has the job, if that is wanted. What goes wrong is told
    /// there, or here once.
    pub(super) async fn assist_if(
        &self,
        job: &Job,
        workplace: &Workplace,
        held: &Held,
        random: &mut (dyn Rng + Send),
    ) {
        let Some(run_id) = held.shared else { return };
        let assisting = self.assist(job, workplace, run_id, random);
        if let Err(failure) = assisting.instrument(run_span(run_id, job)).await {
            tracing::warn!("no more part is taken in the other run: {failure}");
        }
    }

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
