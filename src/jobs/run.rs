//! One run of one job: scan, plan what is due, report. Dry and real runs are the same code
//! on different databases.

use std::ffi::OsString;
use std::time::Instant;

use rand::Rng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Config, Job, Step};
use crate::domain::calendar::days_to_deadline;
use crate::domain::decide::Rules;
use crate::domain::reason::Code;
use crate::inventory;
use crate::report::plan::{BlockedBy, Plan};
use crate::report::progress::Progress;
use crate::store;
use crate::telemetry;

use super::bearings::Bearings;
use super::erasing;
use super::exit::Exit;
use super::failure::Failure;
use super::planning::{Planned, Planning};
use super::progress::Watcher;
use super::prompt_step::PromptStep;
use super::prompting::Totals;
use super::remove_step::{InForce, RemoveStep};
use super::scan::{self, Scan};
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
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Finished {
    pub progress: Progress,
    pub plan: Plan,
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

/// How often a scan starts over because another worker completed one meanwhile.
const OVERTAKEN: u32 = 3;

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
        let started = Instant::now();
        let run_id = new_id(self.clock, random);
        let span = tracing::info_span!("run", run_id = %run_id, job = job.name);
        let mut finished = self.begun(job, run_id);
        let body = self.body(job, workplace, run_id, &mut finished, random);
        if let Err(failure) = tracing::Instrument::instrument(body, span.clone()).await {
            span.in_scope(|| complain(&failure));
            finished.exit = finished.exit.and(failure.exit());
            self.fall_back(workplace, &mut finished.progress).await;
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
            exit: Exit::Done,
        }
    }

    /// A run for which there is no workplace, for a reason that was told before.
    pub fn report_failed_start(&self, job: &Job, exit: Exit, random: &mut dyn Rng) -> Finished {
        let mut finished = self.begun(job, new_id(self.clock, random));
        finished.exit = exit;
        report(&finished.progress);
        finished
    }

    async fn body(
        &self,
        job: &Job,
        workplace: &Workplace,
        run_id: Uuid,
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
        let is_first = store.last_complete_scan().await?.is_none();
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
            let step = PromptStep { workplace, bearings, run_id, looked_at };
            self.prompt(step, planned.work, finished, random).await?;
        }
        if removes {
            let bearings = Bearings::take(store, self.clock.now()).await?;
            // Of those that were there in the morning: what went since was one of them.
            let day = bearings.now.with_timezone(&self.config.campaign.zone).date_naive();
            let present = tally.connections + store.removal_usage(day).await?.today;
            let step = RemoveStep { workplace, bearings, run_id, looked_at, present, force };
            self.remove(step, finished, random).await?;
        }
        Ok(())
    }

    /// Scans; tells whether what was read is in force.
    pub(super) async fn scan(
        &self,
        workplace: &Workplace,
        run_id: Uuid,
        scan_id: Uuid,
        finished: &mut Finished,
    ) -> Result<bool, Failure> {
        let config = self.config;
        let rules = inventory::Rules {
            client_id: config.app.client_id.clone(),
            ignore_refresh_tokens: config.inventory.ignore_refresh_tokens,
        };
        let scan = Scan {
            store: &workplace.store,
            keys: &workplace.keys,
            rules: &rules,
            required: config.campaign.required,
            app_flow: config.app.flow,
            has_list: self.has_list(),
            limits: config.guard,
            now: self.clock.now(),
            run_id,
            scan_id,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let mut tries = 0;
        let summary = loop {
            tries += 1;
            // A server that does not answer, or a pipe that nobody writes to, may take for ever.
            let reader = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(scan::Error::Interrupted.into()),
                reader = workplace.inventory(config, self.is_builtin, self.env) => reader?,
            };
            match scan.run(reader).await {
                Err(scan::Error::Store(store::Error::Overtaken)) if tries < OVERTAKEN => {
                    tracing::info!("another worker completed a scan meanwhile: starting over");
                }
                Err(scan::Error::Store(store::Error::Overtaken)) => {
                    // As young as one of this run's own would be.
                    tracing::info!("another worker's scan is in force: going on with that");
                    return Ok(true);
                }
                other => break other?,
            }
        };
        let effect = summary.effect;
        finished.progress.bad_rows = Some(effect.bad_rows);
        tracing::info!(
            rows = effect.rows,
            bad_rows = effect.bad_rows,
            connections = summary.tally.connections,
            class_changed = effect.changed,
            newly_gone = effect.newly_gone,
            warnings_address = summary.warnings.address,
            warnings_time_zone = summary.warnings.time_zone,
            warnings_date = summary.warnings.date,
            "inventory read"
        );
        let Some(digest) = &summary.digest else { return Ok(true) };
        let objections: Vec<String> = summary.objections.iter().map(ToString::to_string).collect();
        let text = objections.join("; ");
        if summary.accepted {
            tracing::warn!(digest, "a named person let this scan through although {text}");
            return Ok(true);
        }
        tracing::error!(
            digest,
            remedy = format!(
                "look at what changed; if it is right, worker accept-scan {digest} --by NAME \
                 --reason TEXT, and run again"
            ),
            "the scan was stopped and changed nothing: {text}"
        );
        finished.plan.blocked_by.push(BlockedBy {
            step: Step::Scan.as_str(),
            code: Code::ScanStopped,
            text: format!("{text}; digest {digest}"),
        });
        finished.exit = finished.exit.and(Exit::Stopped);
        self.fall_back(workplace, &mut finished.progress).await;
        Ok(false)
    }

    /// What is still in force when this run brought nothing new.
    async fn fall_back(&self, workplace: &Workplace, progress: &mut Progress) {
        let Ok(Some(last)) = workplace.store.last_complete_scan().await else { return };
        let Ok(tally) = workplace.store.tally().await else { return };
        progress.count(&tally);
        progress.bad_rows = progress.bad_rows.or(u64::try_from(last.bad_rows).ok());
        let Ok(bearings) = Bearings::take(&workplace.store, self.clock.now()).await else { return };
        let decides_by = (bearings.rules(self.config), bearings.edition);
        let planned = self.plan(&[], workplace, decides_by, tally.connections).await;
        progress.exempt = planned.ok().map(|planned| planned.exempt);
    }

    async fn plan(
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
            watcher: self.watcher,
            cancel: self.cancel,
        };
        Ok(planning.run().await?)
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
