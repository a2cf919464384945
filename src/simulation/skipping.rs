//! Which runs of a schedule can be left out because nothing would come of them: nobody did
//! anything, nothing is due, or nobody is at work. What is left is what does something, and a
//! run from time to time that counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use uuid::Uuid;

use crate::config::{Config, Step};
use crate::domain::grant::ConnectionKey;
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
    /// The zones in which somebody waits for the hours in which they are at work.
    waiting: HashSet<Tz>,
    removals: Left,
    /// The stages that were due.
    stages: Vec<String>,
    /// Something comes due by days, whatever the stages are.
    by_days: bool,
}

/// Decides which runs may be left out.
pub(super) struct Skipping {
    zones: HashMap<ConnectionKey, HashSet<Tz>>,
    /// All of them.
    anywhere: HashSet<Tz>,
    /// By the name of the job.
    last: BTreeMap<String, Last>,
    /// Changes that the guard does not mind together.
    tolerated: u64,
    /// Days without a count, where somebody did something.
    days: i64,
}

#[derive(Deserialize)]
struct Held {
    connection_key: Uuid,
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
    /// By the zones of those who are responsible for each connection.
    pub(super) fn new(config: &Config, zones: HashMap<ConnectionKey, HashSet<Tz>>) -> Self {
        let mut anywhere: HashSet<Tz> = zones.values().flatten().copied().collect();
        anywhere.insert(config.campaign.zone);
        let rows = zones.len();
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
        Self { zones, anywhere, last: BTreeMap::new(), tolerated, days }
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
            Left::AtWork => last.waiting.iter().any(is_open),
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
        let is_due = is_new_day && (last.by_days || last.stages != due(config, now));
        !(waits || removes || is_time_to_count || is_due)
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
        let stages = due(config, now);
        let seen = self.seen(steps, finished)?;
        // What follows a removal, or an exemption that ends.
        let by_days = is(finished.progress.removed) || is(finished.progress.exempt);
        let is_all_spent = seen.is_spent
            || (seen.is_ramped && stages.len() <= 1 && !is(finished.progress.removed));
        let prompts = match seen.prompts {
            Left::AtWork if is_all_spent => Left::Tomorrow,
            left => left,
        };
        let last = Last {
            day: now.with_timezone(&campaign.zone).date_naive(),
            changes: news.changes,
            prompts,
            waiting: seen.waiting,
            removals: seen.removals,
            stages,
            by_days,
        };
        self.last.insert(job.to_owned(), last);
        Ok(())
    }

    fn seen(&self, steps: &[Step], finished: &mut Finished) -> io::Result<Seen> {
        let mut seen = Seen::default();
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
        if removes && is(progress.removals_done) {
            // A consent may have crossed one, which is answered at any hour.
            seen.removals = Left::AnyTime;
        } else if removes && is(progress.removals_planned) {
            seen.removals = Left::AtWork;
        }
        if prompts && progress.prompts_planned > progress.prompts_sent {
            seen.prompts = Left::AtWork;
            seen.waiting.clone_from(&self.anywhere);
        }
        if prompts && !finished.waits_in.is_empty() {
            seen.prompts = seen.prompts.max(Left::AtWork);
            seen.waiting.extend(&finished.waits_in);
        }
        finished.plan.held_back.each(|held: Held| {
            if held.action == Step::Prompt.as_str() {
                if prompts && seen.hold_prompt(&held) {
                    let zones = self.zones.get(&ConnectionKey(held.connection_key));
                    seen.waiting.extend(zones.unwrap_or(&self.anywhere));
                }
            } else if removes {
                seen.hold_removal(&held);
            }
            Ok(())
        })?;
        Ok(seen)
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
    waiting: HashSet<Tz>,
    /// The day's messages are used up.
    is_spent: bool,
    /// So are those of a stage.
    is_ramped: bool,
}

impl Seen {
    /// Whether it goes as soon as there is room within the caps, and somebody is at work.
    fn hold_prompt(&mut self, held: &Held) -> bool {
        self.is_spent |= held.has(&[Code::MaxPerDay]);
        self.is_ramped |= held.has(&[Code::Ramp]);
        let capped = [Code::MaxPerRun, Code::MaxPerDay, Code::Ramp, Code::MaxPerAddressPerDay];
        if held.has(&[Code::RetryLater, Code::InFlight]) {
            self.prompts = Left::AnyTime;
            return false;
        }
        let waits = held.has(&capped);
        if waits {
            self.prompts = self.prompts.max(Left::AtWork);
        }
        waits
    }

    fn hold_removal(&mut self, held: &Held) {
        let unsure = [Code::RemovalUnknown, Code::NotLookedAt, Code::RetryLater, Code::InFlight];
        let left = if held.has(&unsure) {
            Left::AnyTime
        } else if held.is_of_hours() || held.has(&[Code::MaxPerRun]) {
            Left::AtWork
        } else {
            Left::Tomorrow
        };
        self.removals = self.removals.max(left);
    }
}

impl Held {
    fn is_of_hours(&self) -> bool {
        Code::ALL.iter().any(|code| code.is_of_hours() && self.has(&[*code]))
    }

    fn has(&self, codes: &[Code]) -> bool {
        self.reasons.iter().any(|reason| codes.iter().any(|code| reason.code == code.as_str()))
    }
}
