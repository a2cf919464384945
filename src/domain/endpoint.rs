//! A receiver of webhooks that fails for days: when it is left alone, and how often it is
//! asked whether it is back.

use chrono::{DateTime, TimeDelta, Utc};

/// Failures in a row from which on a long time of them means something.
const ENOUGH: i64 = 5;
/// How long it has to have failed: longer than a night in which nobody is there to mend it.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// The least and the greatest time between two questions. Six hours, so that whoever mends it
/// in the morning sees it work before the evening.
const SOON: TimeDelta = TimeDelta::hours(1);
const LATE: TimeDelta = TimeDelta::hours(6);

/// A receiver of which nothing was taken since a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The first failure in a row, and the last.
    pub since: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub failures: i64,
    /// When one that is set aside is tried again, with a single message.
    pub probe_at: DateTime<Utc>,
}

impl Failing {
    /// Whether nothing but a probe goes to it. The time that counts is the one in which it was
    /// seen to fail: silence after a few failures proves nothing.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        self.failures >= ENOUGH && self.last - self.since >= PATIENCE
    }

    /// When to ask next after a failure: a twenty-fourth of the time that it has failed for.
    #[must_use]
    pub fn next_probe(since: DateTime<Utc>, last: DateTime<Utc>) -> DateTime<Utc> {
        last + ((last - since) / 24).clamp(SOON, LATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(failures: i64, hours: i64) -> Failing {
        let since = DateTime::UNIX_EPOCH;
        let last = since + TimeDelta::hours(hours);
        Failing { since, last, failures, probe_at: Failing::next_probe(since, last) }
    }

    #[test]
    fn it_takes_a_day_and_several_failures_to_be_set_aside() {
        assert!(!failing(4, 48).is_set_aside(), "too few to tell");
        assert!(!failing(500, 23).is_set_aside(), "a broken night");
        assert!(failing(5, 24).is_set_aside());
    }

    #[test]
    fn the_longer_it_fails_the_longer_the_pauses_up_to_some_hours() {
        let pause = |hours| {
            let failing = failing(9, hours);
            (failing.probe_at - failing.last).num_minutes()
        };
        assert_eq!(
            [pause(0), pause(24), pause(72), pause(24 * 6), pause(24 * 60)],
            [60, 60, 180, 360, 360]
        );
    }
}
