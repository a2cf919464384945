//! How often something may happen: never sooner than a space of time after the one before.
//! A bucket that holds a moment's worth, so that a caller who came late catches up.

use chrono::{DateTime, TimeDelta, Utc};

/// A least distance, and what may be made up for after a moment in which nobody was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub space: TimeDelta,
    pub slack: TimeDelta,
}

/// What may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub count: usize,
    /// When the next may go after these.
    pub next: DateTime<Utc>,
}

impl Rate {
    /// How many of `wanted` may go `now`, where the next was not to go before `next`.
    #[must_use]
    pub fn allow(&self, next: DateTime<Utc>, wanted: usize, now: DateTime<Utc>) -> Allowed {
        let mut next = next.max(now - self.slack);
        let mut count = 0;
        while count < wanted && next <= now {
            count += 1;
            next += self.space;
        }
        Allowed { count, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { space: TimeDelta::seconds(2), slack: TimeDelta::seconds(3) };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn each_takes_its_space_of_time() {
        assert_eq!(RATE.allow(at(10), 5, at(9)), Allowed { count: 0, next: at(10) });
        assert_eq!(RATE.allow(at(10), 5, at(10)), Allowed { count: 1, next: at(12) });
        assert_eq!(RATE.allow(at(10), 0, at(10)), Allowed { count: 0, next: at(10) });
    }

    #[test]
    fn a_long_pause_is_made_up_for_no_further_than_the_slack() {
        assert_eq!(RATE.allow(at(10), 9, at(1000)), Allowed { count: 2, next: at(1001) });
    }

    #[test]
    fn a_clock_set_back_keeps_what_was_said() {
        assert_eq!(RATE.allow(at(1000), 1, at(10)), Allowed { count: 0, next: at(1000) });
    }
}
