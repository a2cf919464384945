//! `worker run`: keeps each job on its schedule. Any number of processes do this on one
//! database; each fire is taken up once, and one run of a job goes on at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Job, Step};
use crate::domain::coverage::unmet;
use crate::schedule::Schedule;
use crate::store;
use crate::store::fires::FireState;

use super::exit::Exit;
use super::failure::Failure;
use super::firing::{Timing, Turn};
use super::health::{Health, Trouble};
use super::held_run::common_clock;
use super::hold::{Hold, Worker};
use super::run::{Setting, complain, new_id};
use super::weather::{self, Patience};
use super::workplace::Workplace;

/// The longest time between two looks at what others do: with a lease's length, less than the
/// minute within which a dead process is taken over.
const LOOK: TimeDelta = TimeDelta::seconds(15);
/// The time between two looks at a job that is due and in somebody else's hands.
const SOON: TimeDelta = TimeDelta::seconds(3);
/// How far ahead a schedule has to meet people at work.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// What keeps the jobs.
pub struct Scheduler<'a> {
    pub setting: Setting<'a>,
    pub workplace: &'a Workplace,
    pub worker: Worker,
    pub health: &'a Health,
}

/// How long the database may take for what is done in no time: over a network that was lost
/// without a word an answer would be waited for for ever. A run has its time budget for that.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T, E: Into<Failure>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(store::Error::Silent.into()),
    }
}

/// What came of a look at a job.
enum Looked {
    Ran(Exit),
    /// Nothing to do for so long.
    Idle(TimeDelta),
}

impl Scheduler<'_> {
    /// Keeps every job that has a schedule, until the process is asked to stop.
    pub async fn run(&self, random: &mut StdRng) -> Exit {
        let jobs = self.setting.config.jobs.iter();
        let scheduled = jobs.filter_map(|job| Some((job, job.schedule.as_ref()?)));
        let kept =
            scheduled.map(|(job, schedule)| self.keep(job, schedule, StdRng::from_rng(random)));
        let exits = join_all(kept.collect::<Vec<_>>()).await;
        exits.into_iter().fold(Exit::Done, Exit::and)
    }

    /// Gives the exit code of a run that was cut short, if one was.
    async fn keep(&self, job: &Job, schedule: &Schedule, mut random: StdRng) -> Exit {
        let cancel = self.setting.cancel;
        let timing = Timing {
            schedule,
            zone: job.zone,
            catch_up: job.catch_up,
            since: self.worker.clock.now(),
        };
        let (mut met_at, mut assisted) = (None, None);
        while !cancel.is_cancelled() {
            let pause = match self.look(job, &timing, &mut assisted, &mut random).await {
                Ok(Looked::Ran(exit)) if self.is_cut_short(exit) => return exit,
                Ok(Looked::Ran(_)) => {
                    self.look_at_zones(job, &mut met_at).await;
                    continue;
                }
                Ok(Looked::Idle(pause)) => pause,
                Err(failure) => {
                    match failure.may_pass() {
                        true => self.health.note(Trouble::Database, Some(failure.to_string())),
                        false => complain(&failure),
                    }
                    SOON
                }
            };
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = self.worker.clock.sleep(pause) => {}
            }
        }
        Exit::Done
    }

    /// Looks once a day whether the schedule still meets everybody at work: a scan may have
    /// brought somebody from where it is night.
    async fn look_at_zones(&self, job: &Job, met_at: &mut Option<DateTime<Utc>>) {
        let now = self.worker.clock.now();
        let is_fresh = met_at.is_some_and(|at| now - at < TimeDelta::days(1));
        if is_fresh || !job.steps.contains(&Step::Prompt) {
            return;
        }
        *met_at = Some(now);
        if let Ok(zones) = self.setting.unmet_zones(Step::Prompt, self.workplace).await {
            self.health.note(Trouble::Schedule, unmet_text(&zones));
        }
    }

    async fn look(
        &self,
        job: &Job,
        timing: &Timing<'_>,
        assisted: &mut Option<Uuid>,
        random: &mut StdRng,
    ) -> Result<Looked, Failure> {
        let store = &self.workplace.store;
        let now = self.worker.clock.now();
        let turn = timing.turn(soon(store.last_fire(&job.name)).await?, now);
        self.health.note(Trouble::Database, None);
        if let Turn::Wait(next) = turn {
            self.health.note_next(&job.name, next);
            let wait = next.map_or(LOOK, |next| (next - now).min(LOOK));
            return Ok(Looked::Idle(wait.max(TimeDelta::milliseconds(1))));
        }
        let Some(clock) = soon(self.fit()).await? else { return Ok(Looked::Idle(LOOK)) };
        let run_id = new_id(&*clock, random);
        let worker = Worker { clock: Arc::clone(&clock), ..self.worker.clone() };
        let hold = match soon(worker.hold(job, run_id)).await? {
            Ok(hold) => hold,
            Err(held) => {
                if held.shared.is_some() && held.shared != *assisted {
                    *assisted = held.shared;
                    let setting = Setting { clock: &*clock, ..self.setting };
                    setting.assist_if(job, self.workplace, &held, random).await;
                }
                return Ok(Looked::Idle(SOON));
            }
        };
        // Somebody may have been first, and done with it by now.
        let looked = match timing.turn(store.last_fire(&job.name).await?, clock.now()) {
            Turn::Begin(fire) => {
                store.begin_fire(&job.name, fire, run_id, clock.now()).await?;
                let exit = self.begin(&hold, job, &*clock, random).await;
                let state = match self.is_cut_short(exit) {
                    true => FireState::Interrupted,
                    false => FireState::Done,
                };
                let mut patience = Patience::of(self.setting.config.database.wait);
                while let Err(error) = store
                    .end_fire(&job.name, fire, run_id, state, clock.now(), Some(exit.code()))
                    .await
                {
                    let failure = error.into();
                    if !patience.outlasts(&failure, &*clock, self.setting.cancel).await {
                        return Err(failure);
                    }
                }
                Looked::Ran(exit)
            }
            Turn::Wait(_) => Looked::Idle(TimeDelta::zero()),
        };
        hold.release().await?;
        Ok(looked)
    }

    /// Whether a run that ended so has work left because the process is to stop.
    fn is_cut_short(&self, exit: Exit) -> bool {
        self.setting.cancel.is_cancelled() && exit == Exit::CouldNotRun
    }

    async fn begin(&self, hold: &Hold, job: &Job, clock: &dyn Clock, random: &mut StdRng) -> Exit {
        let setting = Setting { clock, ..self.setting };
        setting.run_held(hold, job, self.workplace, random).await.exit
    }

    /// Whether a run may begin: the schema is this worker's, and the clock is right. Gives the
    /// clock to go by.
    async fn fit(&self) -> Result<Option<Arc<dyn Clock>>, Failure> {
        let store = &self.workplace.store;
        let schema = store.require_schema().await.err();
        if let Some(error) = schema.as_ref().filter(|error| !error.may_pass()) {
            let text = format!("{error}: {}", error.remedy());
            self.health.note(Trouble::Schema, Some(text));
            return Ok(None);
        }
        if let Some(error) = schema {
            return Err(error.into());
        }
        self.health.note(Trouble::Schema, None);
        let differing = weather::differing(weather::ahead(store, self.setting.clock).await?);
        let is_right = differing.is_none();
        self.health.note(Trouble::Clock, differing);
        match is_right {
            true => Ok(Some(common_clock(store, self.setting.clock).await?)),
            false => Ok(None),
        }
    }
}

/// What is wrong with schedules that never fire where somebody is at work.
#[must_use]
pub fn unmet_text(zones: &[Tz]) -> Option<String> {
    let names: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "in the next 14 days no job fires while somebody is at work in {}",
            names.join(", ")
        )
    })
}

impl Setting<'_> {
    /// The zones of the inventory in which somebody is at work in the next days, but never when
    /// a job fires that has this step.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn unmet_zones(&self, step: Step, workplace: &Workplace) -> Result<Vec<Tz>, Failure> {
        let campaign = &self.config.campaign;
        let mut zones = vec![campaign.zone];
        // Removals go by the campaign's hours.
        if step == Step::Prompt {
            for zone in workplace.store.zones().await? {
                if !zones.contains(&zone) {
                    zones.push(zone);
                }
            }
        }
        let now = self.clock.now();
        let jobs = self.config.jobs.iter().filter(|job| job.steps.contains(&step));
        let mut scheduled = jobs.filter_map(|job| Some((job, job.schedule.as_ref()?))).peekable();
        if scheduled.peek().is_none() {
            return Ok(Vec::new());
        }
        for (job, schedule) in scheduled {
            let next = |at| schedule.next_fire(job.zone, at);
            zones = unmet(next, &zones, &campaign.working, now, now + AHEAD);
        }
        Ok(zones)
    }
}
