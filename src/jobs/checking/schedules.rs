//! Jobs: when each fires next, and whether what is switched on is in any of them.

use chrono::{DateTime, Utc};

use crate::config::{Job, Step};

use super::{Checking, Checks};

const GROUP: &str = "schedules";

/// Fires that are shown.
const SHOWN: usize = 5;

impl Checking<'_> {
    pub(super) fn schedules(&self, checks: &mut Checks) {
        for job in &self.config.jobs {
            let what = format!("job {}", job.name);
            match fires(job, self.clock.now(), SHOWN) {
                None => checks.fine(GROUP, what, "no schedule: for `worker run-once` only"),
                Some(fires) if fires.is_empty() => {
                    checks.wrong(
                        GROUP,
                        what,
                        "its schedule never fires again",
                        "choose a day to come",
                    );
                }
                Some(fires) => {
                    let local = |at: &DateTime<Utc>| {
                        at.with_timezone(&job.zone).format("%Y-%m-%d %H:%M").to_string()
                    };
                    let fires: Vec<String> = fires.iter().map(local).collect();
                    checks.fine(
                        GROUP,
                        what,
                        format!("next {} ({})", fires.join(", "), job.zone.name()),
                    );
                }
            }
        }
        for (step, is_on, table) in [
            (Step::Scan, true, "[inventory]"),
            (Step::Prompt, self.prompts(), "[prompts]"),
            (Step::Remove, self.removes(), "[removal]"),
        ] {
            if is_on && !self.config.jobs.iter().any(|job| job.steps.contains(&step)) {
                let step = step.as_str();
                let text =
                    format!("no job has the step `{step}`, so what {table} says never happens");
                checks.wrong(
                    GROUP,
                    "[[jobs]]",
                    text,
                    format!("write \"{step}\" among the `steps` of a job"),
                );
            }
        }
    }

    /// Runs that prompt within the open hours of the next working day, where all of them have
    /// a schedule.
    pub(super) fn prompting_runs_a_day(&self) -> Option<u64> {
        let campaign = &self.config.campaign;
        let working = &campaign.working;
        let opens = working.next_opening(campaign.zone, self.clock.now())?;
        // A whole day, wherever in one it is now.
        let opens = crate::domain::calendar::instant(
            campaign.zone,
            opens.with_timezone(&campaign.zone).date_naive().and_time(working.from),
        );
        let closes = opens + (working.until - working.from);
        let mut runs = 0;
        for job in self.config.jobs.iter().filter(|job| job.steps.contains(&Step::Prompt)) {
            let schedule = job.schedule.as_ref()?;
            let mut at = opens - chrono::TimeDelta::seconds(1);
            while let Some(next) = schedule.next_fire(job.zone, at).filter(|next| *next < closes) {
                runs += 1;
                at = next;
            }
        }
        Some(runs)
    }
}

/// The next times that a job fires; `None` where it has no schedule.
fn fires(job: &Job, after: DateTime<Utc>, most: usize) -> Option<Vec<DateTime<Utc>>> {
    let schedule = job.schedule.as_ref()?;
    let mut at = Some(after);
    let next = std::iter::from_fn(|| {
        at = schedule.next_fire(job.zone, at?);
        at
    });
    Some(next.take(most).collect())
}
