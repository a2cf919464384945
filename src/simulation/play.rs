//! A campaign from its beginning to its end: fires of the schedule one after the other, and
//! between them what people do.

use chrono::{DateTime, Days, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Config, Job, Step};
use crate::domain::campaign::{Approval as Wanted, StageDay};
use crate::domain::confirmation::{Confirmation, Subject};
use crate::domain::reason::Code;
use crate::jobs::outcomes::{self, Import};
use crate::jobs::progress::Unwatched;
use crate::jobs::reporting::{About, gather};
use crate::jobs::run::{Finished, Setting};
use crate::jobs::workplace::Workplace;
use crate::jobs::{Failure, confirming};
use crate::report::calendar::Stopped;
use crate::report::document::Document;
use crate::store::plans::Approval;

use super::assumed::env;
use super::clock::WorldClock;
use super::elapsed::Part;
use super::outside::Shared;
use super::skipping::{News, Skipping};

/// Who does what only people can do.
const ASSUMED: &str = "assumed";
/// After the last message that the campaign may send.
const GRACE: TimeDelta = TimeDelta::days(14);

/// A campaign that is being played.
pub struct Play<'a> {
    pub config: &'a Config,
    pub workplace: &'a Workplace,
    pub shared: Shared,
    pub clock: WorldClock,
    pub until: DateTime<Utc>,
    /// Runs that would do nothing are left out.
    pub skips: bool,
    pub random: StdRng,
    pub stopped: Vec<Stopped>,
    /// Runs so far.
    pub runs: u64,
    /// Ready, as a share, when the deadline came.
    pub ready_at_deadline: Option<f64>,
    /// The report after the first run.
    pub at_first: Option<Document>,
    /// Where it says how far it is.
    pub(super) part: Option<Part<'a>>,
}

/// When a campaign is over: after its deadline, the stages behind that, and the time in which
/// those who were removed are asked back.
#[must_use]
pub fn end(config: &Config) -> DateTime<Utc> {
    let campaign = &config.campaign;
    let after = campaign.stages.iter().map(|stage| match stage.day {
        StageDay::After(days) => days,
        StageDay::Before(_) => 0,
    });
    let back = config.removal.iter().flat_map(|removal| removal.win_back_days);
    let days = after.chain(back).max().unwrap_or_default();
    campaign.deadline.checked_add_days(Days::new(days.into())).unwrap_or(campaign.deadline) + GRACE
}

impl<'a> Play<'a> {
    /// A campaign in a world, up to a time.
    #[must_use]
    pub fn new(
        config: &'a Config,
        workplace: &'a Workplace,
        shared: Shared,
        clock: WorldClock,
        until: DateTime<Utc>,
    ) -> Self {
        let random = StdRng::seed_from_u64(shared.world().seed.0);
        Self {
            config,
            workplace,
            shared,
            clock,
            until,
            skips: true,
            random,
            stopped: Vec::new(),
            runs: 0,
            ready_at_deadline: None,
            at_first: None,
            part: None,
        }
    }

    /// What people vouch for at the beginning.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn vouch(&self) -> Result<(), Failure> {
        let store = &self.workplace.store;
        let word = Confirmation {
            by: ASSUMED.to_owned(),
            note: "assumed by the simulation".to_owned(),
            confirmed_at: self.clock.now(),
        };
        store.confirm(Subject::Link, &confirming::link(self.config), &word).await?;
        store.confirm(Subject::Rehearsal, &confirming::rehearsal(self.config), &word).await?;
        Ok(())
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// The database or a temporary file cannot be used.
    pub async fn run(&mut self) -> Result<(), Failure> {
        if self.shared.world().assumed.people.confirm {
            self.vouch().await?;
        }
        let mut skipping = self.skipping();
        let mut stirs = 0;
        while let Some((at, jobs)) = self.next_fires() {
            self.shared.world().go_on_until(at);
            self.note_deadline(at).await?;
            self.clock.reach(at);
            if let Some(part) = &mut self.part {
                part.reach(at);
            }
            let has_bounced = self.hear_of_bounces().await?;
            let news = {
                let world = self.shared.world();
                News { changes: world.changes, stirred: world.stirs != stirs || has_bounced }
            };
            let skipped =
                |job: &&Job| self.skips && skipping.may_skip(self.config, &job.name, at, news);
            if jobs.iter().all(skipped) {
                continue;
            }
            stirs = self.shared.world().stirs;
            for job in jobs {
                let mut finished = self.run_job(job).await;
                skipping
                    .note(self.config, (&job.name, &job.steps), at, news, &mut finished)
                    .map_err(Failure::from)?;
                if self.at_first.is_none() {
                    let about = About { is_shown: false, since: None, what_if: &[] };
                    let store = &self.workplace.store;
                    self.at_first = Some(gather(self.config, store, at, &about).await?);
                }
                self.sign(job, &finished).await?;
            }
        }
        if let Some(part) = &mut self.part {
            part.reach(self.until);
        }
        self.note_deadline(self.until).await
    }

    pub(super) fn skipping(&self) -> Skipping {
        let world = self.shared.world();
        Skipping::new(self.config, world.zones(self.config.campaign.zone))
    }

    /// The next time at which a job begins, and the jobs that do.
    fn next_fires(&self) -> Option<(DateTime<Utc>, Vec<&'a Job>)> {
        let now = self.clock.now();
        let next = |job: &Job| job.schedule.as_ref()?.next_fire(job.zone, now);
        let fires: Vec<(DateTime<Utc>, &Job)> =
            self.config.jobs.iter().filter_map(|job| Some((next(job)?, job))).collect();
        let first = fires.iter().map(|(at, _)| *at).min().filter(|at| *at <= self.until)?;
        Some((first, fires.into_iter().filter(|(at, _)| *at == first).map(|(_, it)| it).collect()))
    }

    /// Runs a job as it would run at this moment.
    pub async fn run_job(&mut self, job: &Job) -> Finished {
        let cancel = CancellationToken::new();
        let clock = self.clock.clone();
        let setting = setting(self.config, &clock, &cancel, false);
        self.runs += 1;
        let finished = setting.run(job, self.workplace, &mut self.random).await;
        let now = self.clock.now();
        for gate in &finished.plan.blocked_by {
            let waits = lacks_a_name(gate.code) && finished.plan.removals.is_empty();
            if gate.code == Code::FirstScan || waits {
                continue;
            }
            let code = gate.code.as_str();
            match self.stopped.iter_mut().find(|it| it.step == gate.step && it.code == code) {
                Some(known) => known.runs += 1,
                None => self.stopped.push(Stopped {
                    step: gate.step,
                    code: code.to_owned(),
                    text: gate.text.clone(),
                    first_at: now,
                    runs: 1,
                }),
            }
        }
        finished
    }

    /// Messages that came back are taken in, as a host would.
    pub(super) async fn hear_of_bounces(&mut self) -> Result<bool, Failure> {
        let bounced = self.shared.world().take_bounced();
        if bounced.is_empty() {
            return Ok(false);
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, self.clock.now().to_rfc3339().as_bytes());
        let import = Import {
            store: &self.workplace.store,
            campaign: &self.config.campaign,
            now: self.clock.now(),
            id,
        };
        match import.came_back(&bounced).await {
            Ok(_) => Ok(true),
            Err(outcomes::Error::Store(error)) => Err(error.into()),
            Err(error) => Err(Failure::Output(std::io::Error::other(error))),
        }
    }

    /// Draws up a plan and signs it, where the run had something to remove and lacked one.
    pub(super) async fn sign(&mut self, job: &Job, finished: &Finished) -> Result<(), Failure> {
        let Some(policy) = self.config.removal.as_ref().filter(|policy| policy.enabled) else {
            return Ok(());
        };
        let waits = finished.plan.blocked_by.iter().any(|gate| lacks_a_name(gate.code));
        let assumed = self.shared.world().assumed.people.approve;
        if !assumed
            || !waits
            || !job.steps.contains(&Step::Remove)
            || finished.plan.removals.is_empty()
        {
            return Ok(());
        }
        let cancel = CancellationToken::new();
        let clock = self.clock.clone();
        let setting = setting(self.config, &clock, &cancel, true);
        let Ok(drawn) = setting.draw_up(self.workplace, &mut self.random).await? else {
            return Ok(());
        };
        if drawn.entries.is_empty() {
            return Ok(());
        }
        let names = match policy.approval {
            Wanted::None => 0,
            Wanted::One => 1,
            Wanted::Two => 2,
        };
        for name in policy.approvers.iter().take(names) {
            let approval = Approval {
                by: name.clone(),
                approved_at: self.clock.now(),
                host: ASSUMED.to_owned(),
                os_user: ASSUMED.to_owned(),
                note: None,
            };
            self.workplace.store.approve(&drawn.plan, &approval).await?;
        }
        let grants = drawn.entries.iter().map(|entry| entry.planned.grant);
        self.shared.world().planned.extend(grants);
        Ok(())
    }

    /// Remembers how it stood when the deadline came.
    async fn note_deadline(&mut self, now: DateTime<Utc>) -> Result<(), Failure> {
        if self.ready_at_deadline.is_none() && now >= self.config.campaign.deadline {
            let tally = self.workplace.store.tally().await?;
            self.ready_at_deadline = crate::report::progress::ready_percent(&tally);
        }
        Ok(())
    }
}

/// Whether removals wait for somebody's signature.
fn lacks_a_name(code: Code) -> bool {
    matches!(code, Code::NoApproval | Code::PlanWaits | Code::PlanExpired | Code::PlanOutdated)
}

/// What a run of a simulation is set in.
pub(super) fn setting<'s>(
    config: &'s Config,
    clock: &'s WorldClock,
    cancel: &'s CancellationToken,
    dry_run: bool,
) -> Setting<'s> {
    Setting {
        config,
        is_builtin: false,
        dry_run,
        clock,
        env: &env,
        watcher: &Unwatched,
        cancel,
        show_addresses: false,
        // Nobody reads what a run of thousands says of the end: the reports do.
        looks_ahead: false,
        until: None,
    }
}
