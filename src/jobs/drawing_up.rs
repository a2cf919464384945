//! `worker plan`: from what the last scan and Xero's last list say to a plan that people can
//! sign off.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Job, Step};
use crate::report::plan::{BlockedBy, List};
use crate::report::progress::Progress;
use crate::store::plans::{PlanEntry, PlanRecord};

use super::bearings::Bearings;
use super::failure::Failure;
use super::remove_step::RemoveStep;
use super::removing::{Drawing, Drawn, Naming, made_by};
use super::run::Setting;
use super::workplace::Workplace;

/// A plan that was drawn up, and all that stands against applying it.
pub struct DrawnUp {
    pub progress: Progress,
    pub blocked_by: Vec<BlockedBy>,
    /// As it is kept, unless it is empty.
    pub plan: PlanRecord,
    pub entries: Vec<PlanEntry>,
    pub held_back: List,
}

/// Why none can be drawn up.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    #[error("there is no [removal] in the configuration")]
    NoPolicy,
    #[error("there is no complete scan yet")]
    NoScan,
    #[error("the last complete scan is of {0}, older than max_inventory_age_minutes allows")]
    Stale(DateTime<Utc>),
    #[error("Xero's own list has not been read yet, and a plan rests on its dates")]
    NoList,
    #[error("the templates cannot be used: {0}")]
    Templates(String),
}

impl NoPlan {
    /// What to do first.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoPolicy => "write a [removal] table: docs/configuration.md has its keys",
            Self::NoScan | Self::Stale(_) => "run `worker run-once`, then `worker plan` again",
            Self::NoList => {
                "run `worker run-once` where [app] client_secret is to be had: a scan reads it"
            }
            Self::Templates(_) => "mend the file, and draw up the plan again",
        }
    }
}

impl Setting<'_> {
    /// Draws up a plan and keeps it. Nothing is asked of anybody and nothing sent.
    ///
    /// # Errors
    /// The database or the temporary directory cannot be used, or it was interrupted.
    pub async fn draw_up(
        &self,
        workplace: &Workplace,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<Result<DrawnUp, NoPlan>, Failure> {
        let config = self.config;
        let Some(policy) = &config.removal else { return Ok(Err(NoPlan::NoPolicy)) };
        let store = &workplace.store;
        let now = self.clock.now();
        let Some(last) = store.last_complete_scan().await? else { return Ok(Err(NoPlan::NoScan)) };
        let age = TimeDelta::minutes(policy.max_inventory_age_minutes.into());
        if last.finished_at + age <= now {
            return Ok(Err(NoPlan::Stale(last.finished_at)));
        }
        if self.has_list() && store.last_good_list().await?.is_none() {
            return Ok(Err(NoPlan::NoList));
        }
        let made_by = match made_by(config) {
            Ok(made_by) => made_by,
            Err(problems) => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                return Ok(Err(NoPlan::Templates(first)));
            }
        };
        store.edition(config.campaign.deadline, now).await?;
        let bearings = Bearings::take(store, now).await?;
        let drawing = Drawing {
            store,
            rules: bearings.rules(config),
            edition: bearings.edition,
            naming: Naming(&workplace.keys.pseudonym),
            made_by: &made_by,
            valid_until: now + TimeDelta::days(policy.plan_valid_days.into()),
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let Drawn { plan, entries, held_back } = drawing.draw().await?;
        let plan = match entries.is_empty() {
            true => plan,
            false => store.keep_plan(&plan, &entries).await?,
        };
        let job = Job {
            name: "plan".to_owned(),
            steps: vec![Step::Remove],
            zone: config.campaign.zone,
            ..Job::whole_campaign()
        };
        let mut finished = self.begun(&job, super::run::new_id(self.clock, random));
        finished.plan.blocked_by = self.gates(&job, false);
        let (_, unsigned) = self.plan_in_force(workplace).await?;
        finished.plan.blocked_by.extend(unsigned.into_iter().map(|reason| BlockedBy {
            step: Step::Remove.as_str(),
            code: reason.code,
            text: reason.text,
        }));
        let tally = store.tally().await?;
        let looked_at = last.finished_at;
        let (run_id, present) = (finished.progress.run_id, tally.connections);
        let step = RemoveStep { workplace, bearings, run_id, looked_at, present, force: None };
        self.gates_of_removal(&step, &mut finished).await?;
        let mut progress = finished.progress;
        progress.count(&tally);
        progress.bad_rows = u64::try_from(last.bad_rows).ok();
        progress.removals_planned = Some(entries.len() as u64);
        progress.held_back = Some(held_back.len());
        let blocked_by = finished.plan.blocked_by;
        Ok(Ok(DrawnUp { progress, blocked_by, plan, entries, held_back }))
    }
}
