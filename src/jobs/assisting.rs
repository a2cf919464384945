//! Taking part in a run that another process has in hand: while its prompts go out, whoever waits
//! for the job hands some of them over. It plans by the same facts, and leases what is still to be
//! had; the run's caps hold for all of them, and its own process tells what became of it.

use chrono::TimeDelta;
use rand::Rng;
use uuid::Uuid;

use crate::config::{Job, Step};
use crate::store::{self, Store};

use super::bearings::Bearings;
use super::exit::Exit;
use super::failure::Failure;
use super::prompt_step::PromptStep;
use super::run::{Finished, Setting};
use super::workplace::Workplace;

/// Time between two looks at what others still have in hand.
const LOOK: TimeDelta = TimeDelta::milliseconds(200);

impl Setting<'_> {
    /// Takes part in a run of a job until there is nothing more to be had of it.
    ///
    /// # Errors
    /// The database or the temporary directory cannot be used.
    pub async fn assist(
        &self,
        job: &Job,
        workplace: &Workplace,
        run_id: Uuid,
        random: &mut (dyn Rng + Send),
    ) -> Result<(), Failure> {
        let store = &workplace.store;
        let Some(last) = store.last_complete_scan().await? else { return Ok(()) };
        let bearings = Bearings::take(store, self.clock.now()).await?;
        let present = store.tally().await?.connections;
        let planned = self
            .plan(
                &[Step::Prompt],
                workplace,
                (bearings.rules(self.config), bearings.edition),
                present,
            )
            .await?;
        let mut finished = self.begun(job, run_id);
        let looked_at = last.finished_at;
        let step = PromptStep { workplace, bearings, run_id, looked_at, assists: true };
        match self.prompt(step, planned.work, &mut finished, random).await {
            // It has ended meanwhile.
            Err(Failure::Store(store::Error::RunOver)) => {}
            done => done?,
        }
        tracing::info!(
            prompts = finished.progress.prompts_sent,
            failures = finished.progress.failures,
            "took part in a run that another process has in hand"
        );
        Ok(())
    }

    /// Waits for those who take part in this run, and counts what they did.
    pub(super) async fn wait_for_others(
        &self,
        store: &Store,
        run: Uuid,
        owners: &[Uuid],
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        let others = loop {
            let others = store.prompts_of_others(run, owners, self.clock.now()).await?;
            if others.in_hand == 0 || self.cancel.is_cancelled() {
                break others;
            }
            self.clock.sleep(LOOK).await;
        };
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        let progress = &mut finished.progress;
        for (field, more) in [
            (&mut progress.prompts_sent, others.sent),
            (&mut progress.prompts_unknown, others.unknown),
            (&mut progress.failures, others.failures),
        ] {
            *field = Some(field.unwrap_or_default() + count(more));
        }
        if others.unknown + others.failures > 0 {
            finished.exit = finished.exit.and(Exit::EffectFailed);
        }
        Ok(())
    }
}
