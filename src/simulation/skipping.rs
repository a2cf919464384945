//! Which runs of a schedule can be left out because nothing would come of them: nobody did
//! anything, nothing is due, or nobody is at work. What is left is what does something, and a
//! run from time to time that counts.

use std::collections::{BTreeMap, HashSet};
use std::io;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::config::{Config, Step};
use crate::domain::reason::Code;
use crate::jobs::run::Finished;

/// Days without a count, where nobody did anything.
const IDLE_DAYS: i64 = 7;

/// What a run left to do in one of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// Nothing, until somebody does something or another stage opens.
    #[default]
    Nothing,
    /// Nothing before the next day of the campaign.
    Tomorrow,
    /// Something, as soon as somebody is at work.
    AtWork,
    /// Something at any hour.
    AnyTime,
}

/// What is known of a job since its last run.
#[derive(Clone, Debug, Default)]
struct Last {
    day: NaiveDate,
    changes: u64,
    prompts: Left,
    removals: Left,
    /// The stages that were due, and the zones in which everybody was told of them.
    stages: Vec<String>,
    served: HashSet<Tz>,
    /// Something comes due by days, whoever was told of the stages.
    by_days: bool,
}

/// Decides which runs may be left out.
pub(super) struct Skipping {
    zones: HashSet<Tz>,
    /// By the name of the job.
    last: BTreeMap<String, Last>,
    /// Changes that the guard does not mind together.
    tolerated: u64,
    /// Days without a count, where somebody did something.
    days: i64,
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

/// What the world did since the last run.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// Changes of rows in all.
    pub changes: u64,
    /// Somebody did what may call for an answer at once.
    pub stirred: bool,
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
        let days = match rows {
            0..=2_500 => 1,
            2_501..=20_000 => 2,
            _ => 4,
        };
        Self { zones, last: BTreeMap::new(), tolerated, days }
    }

    /// Whether a run would do nothing.
    pub(super) fn may_skip(
        &self,
        config: &Config,
        job: &str,
        now: DateTime<Utc>,
        news: News,
    ) -> bool {
        let Some(last) = self.last.get(job) else { return false };
        let changes = news.changes - last.changes;
        if news.stirred || changes > self.tolerated {
            return false;
        }
        let campaign = &config.campaign;
        let day = now.with_timezone(&campaign.zone).date_naive();
        let is_new_day = day != last.day;
        let is_open = |zone: &Tz| campaign.working.closed(*zone, now).is_none();
        let waits = match last.prompts {
            Left::Nothing => false,
            Left::Tomorrow => is_new_day,
            Left::AtWork => {
                let is_served = |zone: &Tz| last.served.contains(zone) && !last.by_days;
                self.zones.iter().any(|zone| !is_served(zone) && is_open(zone))
            }
            Left::AnyTime => true,
        };
        let removes = match last.removals {
            Left::Nothing => false,
            Left::Tomorrow => is_new_day,
            Left::AtWork => is_open(&campaign.zone),
            Left::AnyTime => true,
        };
        let gap = if changes == 0 { IDLE_DAYS } else { self.days };
        let is_time_to_count = (day - last.day).num_days() >= gap;
        !(waits || removes || is_time_to_count || (is_new_day && last.stages != due(config, now)))
    }

    /// Takes note of a run.
    pub(super) fn note(
        &mut self,
        config: &Config,
        (job, steps): (&str, &[Step]),
        now: DateTime<Utc>,
        news: News,
        finished: &mut Finished,
    ) -> io::Result<()> {
        let campaign = &config.campaign;
        let mut last = self.last.remove(job).unwrap_or_default();
        let stages = due(config, now);
        if news.stirred || stages != last.stages {
            last.served.clear();
        }
        let seen = Seen::of(steps, finished)?;
        if !seen.is_capped && seen.prompts < Left::AnyTime {
            let open = |zone: &&Tz| campaign.working.closed(**zone, now).is_none();
            last.served.extend(self.zones.iter().filter(open));
        }
        // What follows a removal, or an exemption that ends.
        last.by_days = is(finished.progress.removed) || is(finished.progress.exempt);
        let is_all_spent = seen.is_spent
            || (seen.is_ramped && stages.len() <= 1 && !is(finished.progress.removed));
        last.prompts = match seen.prompts {
            Left::AtWork if is_all_spent => Left::Tomorrow,
            // What follows a removal, or an exemption that ends, comes due by days.
            Left::Nothing if is(finished.progress.removed) => Left::Tomorrow,
            Left::Nothing if is(finished.progress.exempt) => Left::Tomorrow,
            left => left,
        };
        last.removals = seen.removals;
        last.day = now.with_timezone(&campaign.zone).date_naive();
        last.changes = news.changes;
        last.stages = stages;
        self.last.insert(job.to_owned(), last);
        Ok(())
    }
}

/// The stages that are due, and whether the window of removals is open.
fn due(config: &Config, now: DateTime<Utc>) -> Vec<String> {
    let campaign = &config.campaign;
    let stages = campaign.due_stages(now).into_iter().map(|stage| stage.name.clone());
    let opens = config.removal.as_ref().and_then(|removal| removal.opens_days_before);
    let opens = opens.map(|days| campaign.day_from_deadline(-i64::from(days)));
    let is_open = opens.is_some_and(|opens| opens <= now && now < campaign.deadline);
    stages.chain(is_open.then(String::new)).collect()
}

fn is(count: Option<u64>) -> bool {
    count.is_some_and(|count| count > 0)
}

/// What a run tells of what is left.
#[derive(Default)]
struct Seen {
    prompts: Left,
    removals: Left,
    /// The day's messages are used up.
    is_spent: bool,
    /// So are those of a stage.
    is_ramped: bool,
    /// Somebody whose hours were open was not told, because of a cap.
    is_capped: bool,
}

impl Seen {
    fn of(steps: &[Step], finished: &mut Finished) -> io::Result<Self> {
        let mut seen = Self::default();
        let stops = |step: Step| {
            let lasting = [Code::SwitchedOff, Code::Paused, Code::NotConfirmed];
            let gates = &finished.plan.blocked_by;
            gates.iter().any(|gate| gate.step == step.as_str() && lasting.contains(&gate.code))
        };
        let prompts = steps.contains(&Step::Prompt) && !stops(Step::Prompt);
        let removes = steps.contains(&Step::Remove) && !stops(Step::Remove);
        let progress = &finished.progress;
        if is(progress.failures) || is(progress.prompts_unknown) {
            (seen.prompts, seen.removals) = (Left::AnyTime, Left::AnyTime);
            return Ok(seen);
        }
        if removes && (is(progress.removals_done) || is(progress.removals_planned)) {
            seen.removals = Left::AtWork;
        }
        if prompts && progress.prompts_planned > progress.prompts_sent {
            seen.prompts = Left::AtWork;
        }
        finished.plan.held_back.each(|held: Held| {
            seen.hold(&held, prompts, removes);
            Ok(())
        })?;
        Ok(seen)
    }

    fn hold(&mut self, held: &Held, prompts: bool, removes: bool) {
        let has = |code: Code| held.reasons.iter().any(|reason| reason.code == code.as_str());
        let any = |codes: &[Code]| codes.iter().any(|code| has(*code));
        let closed = [Code::OutsideHours, Code::NotAWorkingDay, Code::Holiday];
        if held.action == Step::Prompt.as_str() {
            if !prompts {
                return;
            }
            self.is_spent |= has(Code::MaxPerDay);
            self.is_ramped |= has(Code::Ramp);
            let capped = [Code::MaxPerRun, Code::MaxPerDay, Code::Ramp, Code::MaxPerAddressPerDay];
            self.is_capped |= any(&capped);
            if any(&[Code::RetryLater, Code::InFlight]) {
                self.prompts = Left::AnyTime;
            } else if any(&closed) || any(&capped) {
                self.prompts = self.prompts.max(Left::AtWork);
            }
        } else if removes {
            if any(&[Code::RemovalUnknown, Code::NotLookedAt, Code::RetryLater, Code::InFlight]) {
                self.removals = Left::AnyTime;
            } else if any(&closed) || has(Code::MaxPerRun) {
                self.removals = self.removals.max(Left::AtWork);
            } else {
                self.removals = self.removals.max(Left::Tomorrow);
            }
        }
    }
}
