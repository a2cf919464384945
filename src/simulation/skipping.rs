//! Which runs of a schedule can be left out because nothing would come of them: nobody did
//! anything, nothing is due, or nobody is at work. What is left is one run on each day, which
//! counts, and those that do something.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::config::{Config, Step};
use crate::domain::reason::Code;
use crate::jobs::run::Finished;

/// What a run left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Left {
    /// Nothing before the day is over.
    #[default]
    Nothing,
    /// Something, as soon as anybody is at work.
    AtWork,
    /// Something at any hour.
    AnyTime,
}

/// What is known of a job since its last run.
#[derive(Clone, Copy, Debug)]
struct Last {
    day: NaiveDate,
    changes: u64,
    left: Left,
}

/// Decides which runs may be left out.
pub(super) struct Skipping {
    zones: HashSet<Tz>,
    /// By the name of the job.
    last: BTreeMap<String, Last>,
    /// Changes that the guard does not mind together.
    tolerated: u64,
}

#[derive(Deserialize)]
struct Held {
    action: String,
    reasons: Vec<HeldReason>,
}

#[derive(Deserialize)]
struct HeldReason {
    code: String,
}

impl Skipping {
    /// For people in these zones, and so many rows.
    pub(super) fn new(config: &Config, zones: HashSet<Tz>, rows: usize) -> Self {
        let mut zones = zones;
        zones.insert(config.campaign.zone);
        let share = config.guard.max_change_percent.clamp(0.0, 100.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count"
        )]
        let tolerated = (rows as f64 * share / 400.0).floor() as u64;
        Self { zones, last: BTreeMap::new(), tolerated }
    }

    /// Whether a run would do nothing. `stirred` says that somebody did what may call for an
    /// answer at once.
    pub(super) fn may_skip(
        &self,
        config: &Config,
        job: &str,
        now: DateTime<Utc>,
        (changes, stirred): (u64, bool),
    ) -> bool {
        let Some(last) = self.last.get(job) else { return false };
        let day = now.with_timezone(&config.campaign.zone).date_naive();
        if day != last.day || stirred || changes - last.changes > self.tolerated {
            return false;
        }
        let working = &config.campaign.working;
        match last.left {
            Left::Nothing => true,
            Left::AtWork => self.zones.iter().all(|zone| working.closed(*zone, now).is_some()),
            Left::AnyTime => false,
        }
    }

    /// Takes note of a run.
    pub(super) fn note(
        &mut self,
        config: &Config,
        job: &str,
        steps: &[Step],
        now: DateTime<Utc>,
        changes: u64,
        finished: &mut Finished,
    ) -> std::io::Result<()> {
        let day = now.with_timezone(&config.campaign.zone).date_naive();
        let left = left(config, steps, now, finished)?;
        self.last.insert(job.to_owned(), Last { day, changes, left });
        Ok(())
    }
}

/// What a run left to do.
fn left(
    config: &Config,
    steps: &[Step],
    now: DateTime<Utc>,
    finished: &mut Finished,
) -> std::io::Result<Left> {
    let progress = &finished.progress;
    let is = |count: Option<u64>| count.is_some_and(|count| count > 0);
    if is(progress.failures) || is(progress.prompts_unknown) {
        return Ok(Left::AnyTime);
    }
    let stops = |step: Step| {
        let lasting = [Code::SwitchedOff, Code::Paused, Code::NotConfirmed];
        finished.plan.blocked_by.iter().any(|gate| {
            gate.step == step.as_str() && lasting.contains(&gate.code)
        })
    };
    let prompts = steps.contains(&Step::Prompt) && !stops(Step::Prompt);
    let removes = steps.contains(&Step::Remove) && !stops(Step::Remove);
    if removes && (is(progress.removals_done) || finished.plan.removals.len() > 0) {
        return Ok(Left::AnyTime);
    }
    if prompts && is(progress.prompts_planned) {
        return Ok(Left::AtWork);
    }
    let mut is_spent = false;
    let mut waits = Left::Nothing;
    finished.plan.held_back.each(|held: Held| {
        let has = |code: Code| held.reasons.iter().any(|reason| reason.code == code.as_str());
        let is_prompt = held.action == Step::Prompt.as_str();
        if !(if is_prompt { prompts } else { removes }) {
            return Ok(());
        }
        is_spent |= is_prompt && has(Code::MaxPerDay);
        is_spent |= is_prompt && has(Code::Ramp) && config.campaign.due_stages(now).len() == 1;
        let closed = [Code::OutsideHours, Code::NotAWorkingDay, Code::Holiday];
        if closed.into_iter().any(has) && waits == Left::Nothing {
            waits = Left::AtWork;
        }
        let soon = [
            Code::MaxPerRun,
            Code::RetryLater,
            Code::InFlight,
            Code::RemovalUnknown,
            Code::NotLookedAt,
            Code::PerPerson,
        ];
        if soon.into_iter().any(has) {
            waits = Left::AnyTime;
        }
        Ok(())
    })?;
    let nobody_away = !is(finished.progress.removed);
    Ok(match waits {
        // The day's messages are spent, for everybody.
        Left::AtWork if is_spent && nobody_away => Left::Nothing,
        waits => waits,
    })
}
