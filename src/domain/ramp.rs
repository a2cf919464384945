//! How far a ramp of removals has come. Its next step is taken only when the outcomes of the
//! last one are in and within bounds: few failures, and enough people who found their way
//! back within the days that they are given.

use chrono::{DateTime, TimeDelta, Utc};

use super::campaign::RemovalPolicy;
use super::reason::{Code, Reason};

/// What became of the removals of one of the campaign's days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub attempted: u64,
    /// Refused, or without an answer.
    pub failed: u64,
    pub removed: u64,
    /// Of those removed: back with a ready grant.
    pub returned: u64,
    /// When the last of them was settled.
    pub last_at: Option<DateTime<Utc>>,
}

/// Where a ramp stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The place in the ramp; past its end the ramp caps nothing.
    pub step: usize,
    /// Why the next step is not taken yet, once removing has begun.
    pub waits: Option<Reason>,
}

/// Where the ramp of a policy stands after these days, in order.
#[must_use]
pub fn step(policy: &RemovalPolicy, days: &[Day], now: DateTime<Utc>) -> Step {
    let mut at = Step { step: 0, waits: None };
    let mut so_far = Day::default();
    for day in days {
        so_far = so_far.with(day);
        at.waits = so_far.waits(policy, now);
        if at.waits.is_none() {
            at.step += 1;
            so_far = Day::default();
        }
    }
    if at.step >= policy.ramp.len() {
        // There is no step left to wait for.
        at.waits = None;
    }
    at
}

impl Day {
    fn with(self, other: &Self) -> Self {
        Self {
            attempted: self.attempted + other.attempted,
            failed: self.failed + other.failed,
            removed: self.removed + other.removed,
            returned: self.returned + other.returned,
            last_at: self.last_at.max(other.last_at),
        }
    }

    fn waits(&self, policy: &RemovalPolicy, now: DateTime<Utc>) -> Option<Reason> {
        let Self { attempted, failed, removed, returned, .. } = *self;
        let most = policy.max_failed_percent;
        if percent(failed, attempted) > most {
            return Some(Code::RampWaits.because(format!(
                "{failed} of the last step's {attempted} removals failed or are unknown, more \
                 than {most}%"
            )));
        }
        let least = policy.min_returned_percent;
        if removed == 0 || percent(returned, removed) >= least {
            return None;
        }
        let over = self.last_at.map(|at| at + TimeDelta::days(policy.wait_days.into()));
        let text = format!(
            "{returned} of the last step's {removed} have come back, and {least}% are wanted"
        );
        Some(Code::RampWaits.because(match over.filter(|over| *over > now) {
            Some(over) => format!("{text}; they have until {}", over.format("%Y-%m-%d %H:%M UTC")),
            None => format!("{text}: look at why, or lower min_returned_percent"),
        }))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{at, removal};

    fn policy() -> RemovalPolicy {
        RemovalPolicy { ramp: vec![10, 50, 200], ..removal() }
    }

    fn day(attempted: u64, failed: u64, returned: u64) -> Day {
        let last_at = Some(at("2027-08-20T00:00:00Z"));
        Day { attempted, failed, removed: attempted - failed, returned, last_at }
    }

    fn at_step(days: &[Day]) -> (usize, bool) {
        let step = step(&policy(), days, at("2027-08-21T00:00:00Z"));
        (step.step, step.waits.is_some())
    }

    #[test]
    fn the_first_day_is_the_first_step() {
        assert_eq!(at_step(&[]), (0, false));
    }

    #[test]
    fn the_next_step_wants_somebody_back_and_few_failures() {
        assert_eq!(at_step(&[day(10, 0, 1)]), (1, false));
        assert_eq!(at_step(&[day(10, 0, 0)]), (0, true), "nobody is back");
        assert_eq!(at_step(&[day(10, 1, 1)]), (1, false), "a tenth may fail");
        assert_eq!(at_step(&[day(10, 2, 8)]), (0, true), "more may not");
        assert_eq!(at_step(&[day(3, 3, 0)]), (0, true), "all failed");
    }

    #[test]
    fn days_at_one_step_are_counted_together() {
        assert_eq!(at_step(&[day(10, 0, 0), day(10, 0, 1)]), (0, true));
        assert_eq!(at_step(&[day(10, 0, 0), day(10, 0, 2)]), (1, false));
        assert_eq!(at_step(&[day(10, 0, 1), day(50, 0, 5), day(200, 0, 0)]), (2, true));
    }

    #[test]
    fn past_its_end_there_is_nothing_to_wait_for() {
        assert_eq!(at_step(&[day(10, 0, 1), day(50, 0, 5), day(200, 0, 20)]), (3, false));
        let nobody = RemovalPolicy { min_returned_percent: 0.0, ..policy() };
        let now = at("2027-08-21T00:00:00Z");
        assert_eq!(step(&nobody, &[day(10, 0, 0)], now).step, 1);
    }

    #[test]
    fn how_long_they_have_is_said() {
        let text = |now: &str| {
            let waits = step(&policy(), &[day(10, 0, 0)], at(now)).waits.unwrap();
            assert_eq!(waits.code, Code::RampWaits);
            waits.text
        };
        assert!(text("2027-08-21T00:00:00Z").contains("until 2027-08-27 00:00"));
        assert!(text("2027-08-28T00:00:00Z").contains("min_returned_percent"));
    }
}
