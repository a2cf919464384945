//! One run of one job: scan, plan what is due, report. Dry and real runs are the same code
//! on different databases.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rand::Rng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Config, Job, Step};
use crate::domain::calendar::days_to_deadline;
use crate::domain::decide::Rules;
use crate::report::plan::{BlockedBy, Plan};
use crate::report::progress::Progress;
use crate::store::Store;
use crate::store::rights::Layers;
use crate::telemetry;

use super::bearings::Bearings;
use super::counting::note_hold_backs;
use super::erasing;
use super::exit::Exit;
use super::failure::Failure;
use super::planning::{Planned, Planning};
use super::progress::Watcher;
use super::prompt_step::PromptStep;
use super::prompting::Totals;
use super::remove_step::{InForce, RemoveStep};
use super::weather::Patience;
use super::workplace::Workplace;

/// What every run of a process shares.
pub struct Setting<'a> {
    pub config: &'a Config,
    /// The configuration is the embedded example.
    pub is_builtin: bool,
    pub dry_run: bool,
    pub clock: &'a dyn Clock,
    pub env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
    pub show_addresses: bool,
    /// Whether its end says what the history tells of the end of the campaign.
    pub looks_ahead: bool,
    /// When this run's time is used up, if it has a limit.
    pub until: Option<DateTime<Utc>>,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Finished {
    pub progress: Progress,
    pub plan: Plan,
    /// The zones in which somebody would be prompted if anybody were at work there.
    pub waits_in: HashSet<Tz>,
    pub exit: Exit,
}

impl Finished {
    /// Adds what became of prompts.
    pub(super) fn count(&mut self, totals: Totals) {
        let progress = &mut self.progress;
        let add = |field: &mut Option<u64>, more: usize| {
            *field = Some(field.unwrap_or_default() + more as u64);
        };
        add(&mut progress.prompts_sent, totals.sent);
        add(&mut progress.prompts_unknown, totals.unknown);
        add(&mut progress.failures, totals.failures);
        add(&mut progress.held_back, totals.held_back);
        if totals.unknown + totals.failures > 0 {
            self.exit = self.exit.and(Exit::EffectFailed);
        }
    }
}

/// Longer than the tries within one outage.
const AN_OUTAGE: Duration = Duration::from_secs(60);

/// An id that sorts by time, from the run's own clock and chance.
pub fn new_id(clock: &dyn Clock, random: &mut dyn Rng) -> Uuid {
    let mut bytes = [0; 10];
    random.fill_bytes(&mut bytes);
    let millis = u64::try_from(clock.now().timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

impl Setting<'_> {
    /// Runs a job. The progress event is its last log line, however it ends.
    pub async fn run(
        &self,
        job: &Job,
        workplace: &Workplace,
        random: &mut (dyn Rng + Send),
    ) -> Finished {
        let run_id = new_id(self.clock, random);
        self.run_as(run_id, job, workplace, random).await
    }

    /// The same under a given id.
    pub async fn run_as(
        &self,
        run_id: Uuid,
        job: &Job,
        workplace: &Workplace,
        random: &mut (dyn Rng + Send),
    ) -> Finished {
        let started = Instant::now();
        let span = tracing::info_span!("run", run_id = %run_id, job = job.name);
        let mut finished = self.begun(job, run_id);
        let body = self.patient_body(job, workplace, run_id, &mut finished, random);
        if let Err(failure) = tracing::Instrument::instrument(body, span.clone()).await {
            name_rights(job, &workplace.store, &failure).await;
            span.in_scope(|| complain(&failure));
            finished.exit = finished.exit.and(failure.exit());
            self.fall_back(workplace, &mut finished.progress).await;
        }
        if let Err(failure) = self.reckon(job, workplace, &mut finished).await {
            name_rights(job, &workplace.store, &failure).await;
            span.in_scope(|| complain(&failure));
            finished.exit = finished.exit.and(failure.exit());
        }
        self.watcher.done();
        let progress = &mut finished.progress;
        // As far as it can be read: what else went wrong has been said.
        let head = workplace.audit_head().await.ok().flatten();
        progress.audit_head = head.map(|head| head.hash.to_string());
        progress.removals_planned = Some(finished.plan.removals.len());
        let held_back = finished.plan.held_back.len();
        progress.held_back = progress.held_back.map(|late| late + held_back);
        progress.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !self.dry_run {
            let line = serde_json::to_string(&finished.progress).unwrap_or_default();
            let code = finished.exit.code();
            let ended = workplace.store.finish_run(run_id, self.clock.now(), code, &line).await;
            if let Err(error) = ended {
                span.in_scope(|| complain(&error.into()));
                finished.exit = finished.exit.and(Exit::CouldNotRun);
            }
        }
        report(&finished.progress);
        finished
    }

    /// A run of which nothing is known yet but that it sends and removes nothing.
    pub(super) fn begun(&self, job: &Job, run_id: Uuid) -> Finished {
        Finished {
            progress: Progress {
                run_id,
                job: job.name.clone(),
                dry_run: self.dry_run,
                days_to_deadline: Some(days_to_deadline(&self.config.campaign, self.clock.now())),
                prompts_planned: Some(0),
                prompts_sent: Some(0),
                prompts_unknown: Some(0),
                removals_planned: Some(0),
                removals_done: Some(0),
                failures: Some(0),
                held_back: Some(0),
                ..Progress::default()
            },
            plan: Plan::default(),
            waits_in: HashSet::new(),
            exit: Exit::Done,
        }
    }

    /// A run for which there is no workplace, or no time left to tell more, for a reason that
    /// was told before.
    pub fn report_failed_start(&self, job: &Job, exit: Exit, random: &mut dyn Rng) -> Finished {
        self.report_nothing(new_id(self.clock, random), job, exit)
    }

    /// A run that could not begin, with what is in force.
    pub async fn report_unbegun(
        &self,
        run_id: Uuid,
        job: &Job,
        workplace: &Workplace,
        exit: Exit,
    ) -> Finished {
        let mut finished = self.begun(job, run_id);
        finished.exit = exit;
        self.fall_back(workplace, &mut finished.progress).await;
        report(&finished.progress);
        finished
    }

    /// The same under a given id, when there is no time to look.
    pub fn report_nothing(&self, run_id: Uuid, job: &Job, exit: Exit) -> Finished {
        let mut finished = self.begun(job, run_id);
        finished.exit = exit;
        report(&finished.progress);
        finished
    }

    /// Does all of it, and goes on where it was when the database was away for a while.
    async fn patient_body(
        &self,
        job: &Job,
        workplace: &Workplace,
        run_id: Uuid,
        finished: &mut Finished,
        random: &mut (dyn Rng + Send),
    ) -> Result<(), Failure> {
        let mut patience = Patience::of(self.config.database.wait);
        let mut is_first = None;
        loop {
            let began = Instant::now();
            let body = self.body(job, workplace, run_id, &mut is_first, finished, random);
            let Err(failure) = body.await else { return Ok(()) };
            if began.elapsed() > AN_OUTAGE {
                patience.renew();
            }
            if self.dry_run || !patience.outlasts(&failure, self.clock, self.cancel).await {
                return Err(failure);
            }
        }
    }

    async fn body(
        &self,
        job: &Job,
        workplace: &Workplace,
        run_id: Uuid,
        is_first: &mut Option<bool>,
        finished: &mut Finished,
        random: &mut (dyn Rng + Send),
    ) -> Result<(), Failure> {
        let store = &workplace.store;
        if !self.dry_run {
            store.start_run(run_id, &job.name, self.clock.now()).await?;
            erasing::remind(self.config, self.clock.now());
        }
        store.edition(self.config.campaign.deadline, self.clock.now()).await?;
        let begun_at = self.clock.now();
        let scan_id = new_id(self.clock, random);
        // Of the run, not of this try: a scan that it completed itself makes it no second one.
        let is_first = match *is_first {
            Some(known) => known,
            None => *is_first.insert(store.last_complete_scan().await?.is_none()),
        };
        let scans = job.steps.contains(&Step::Scan);
        let removes = job.steps.contains(&Step::Remove);
        if removes {
            self.settle_removals(workplace, run_id, finished, random).await?;
        }
        if scans && !self.scan(workplace, run_id, scan_id, finished).await? {
            return Ok(());
        }
        let list = if scans { self.follow_scan(workplace, run_id).await? } else { None };
        let Some(last) = store.last_complete_scan().await? else {
            tracing::info!("no complete scan yet: there is nothing to plan or to count");
            return Ok(());
        };
        let tally = store.tally().await?;
        finished.progress.count(&tally);
        if finished.progress.bad_rows.is_none() {
            finished.progress.bad_rows = u64::try_from(last.bad_rows).ok();
        }
        let (signed, unsigned) = match removes {
            true => self.plan_in_force(workplace).await?,
            false => (None, Vec::new()),
        };
        let force = match signed {
            Some(signed) => {
                let entries = store.plan_entries(&signed.plan.id).await?;
                Some(InForce::new(signed.plan, entries))
            }
            None => None,
        };
        let mut blocked_by = self.gates(job, is_first);
        let of_removal = list.into_iter().filter(|_| removes).chain(unsigned);
        blocked_by.extend(of_removal.map(|reason| BlockedBy {
            step: Step::Remove.as_str(),
            code: reason.code,
            text: reason.text,
        }));
        if job.steps.contains(&Step::Prompt) {
            self.sweep(store, finished).await?;
        }
        let bearings = Bearings::take(store, self.clock.now()).await?;
        let rules = Rules {
            planned: force.as_ref().map(|force| &force.keys),
            ..bearings.rules(self.config)
        };
        let planned =
            self.plan(&job.steps, workplace, (rules, bearings.edition), tally.connections).await?;
        finished.progress.exempt = Some(planned.exempt);
        finished.plan = Plan { blocked_by, ..planned.plan };
        finished.waits_in = planned.waits_in;
        for gate in &finished.plan.blocked_by {
            tracing::info!(
                step = gate.step,
                code = gate.code.as_str(),
                "not carried out: {}",
                gate.text
            );
        }
        let looked_at = if scans { begun_at } else { last.finished_at };
        if job.steps.contains(&Step::Prompt) {
            if self.config.prompts.enabled && !is_first && !self.dry_run {
                let rules = bearings.rules(self.config);
                note_hold_backs(store, &rules, &mut finished.plan.held_back).await?;
                self.announce(workplace, &bearings, finished, random).await?;
            }
            let tomorrow = self.tomorrow(workplace, &bearings, tally.connections).await?;
            if let Some(tomorrow) = &tomorrow {
                tracing::info!(
                    prompt.stage = tomorrow.stage,
                    day = %tomorrow.day,
                    prompts = tomorrow.prompts,
                    first_day = tomorrow.first_day,
                    "a stage opens tomorrow"
                );
            }
            finished.plan.tomorrow = tomorrow;
            let step = PromptStep { workplace, bearings, run_id, looked_at, assists: false };
            self.prompt(step, planned.work, finished, random).await?;
        }
        if removes {
            let bearings = Bearings::take(store, self.clock.now()).await?;
            // Of those that were there in the morning: what went since was one of them.
            let day = bearings.now.with_timezone(&self.config.campaign.zone).date_naive();
            let present = tally.connections + store.removal_usage(day).await?.today;
            let step = RemoveStep { workplace, bearings, run_id, looked_at, present, force };
            self.remove(step, finished, random).await?;
            // What was removed just now stands outside.
            finished.progress.count(&store.tally().await?);
        }
        Ok(())
    }

    pub(super) async fn plan(
        &self,
        steps: &[Step],
        workplace: &Workplace,
        (rules, edition): (Rules<'_>, i64),
        present: u64,
    ) -> Result<Planned, Failure> {
        let planning = Planning {
            store: &workplace.store,
            rules,
            edition,
            prompts: steps.contains(&Step::Prompt),
            removals: steps.contains(&Step::Remove),
            present,
            remembers: true,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        Ok(planning.run().await?)
    }
}

/// Names the rights that a job lacks, where it failed for one: the database names only the
/// table.
pub async fn name_rights(job: &Job, store: &Store, failure: &Failure) {
    if !failure.is_denied() {
        return;
    }
    let [sends, removes] = [Step::Prompt, Step::Remove].map(|step| job.steps.contains(&step));
    // As far as they can be found out: what went wrong is said in any case.
    let missing = store.missing_rights(Layers { sends, removes }).await.unwrap_or_default();
    if !missing.is_empty() {
        tracing::error!(
            remedy = "grant them: docs/database.md, \"Rights\", has the statements",
            "this database user lacks {}",
            missing.join(", ")
        );
    }
}

/// Says what went wrong and what to do.
pub fn complain(failure: &Failure) {
    tracing::error!(remedy = failure.remedy(), "{failure}");
}

/// The progress event.
fn report(progress: &Progress) {
    let members = serde_json::to_string(progress).unwrap_or_default();
    tracing::info!(target: telemetry::RESULTS, members, "progress report");
}
