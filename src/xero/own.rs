//! How many calls of the last minute were our own: what others use up is theirs.

use chrono::{DateTime, Utc};

/// How many calls were our own in this minute and the last.
#[derive(Default)]
pub(super) struct Own {
    minute: i64,
    count: u32,
    before: u32,
}

impl Own {
    fn roll(&mut self, now: DateTime<Utc>) {
        let minute = now.timestamp().div_euclid(60);
        if minute != self.minute {
            self.before = if minute == self.minute + 1 { self.count } else { 0 };
            (self.minute, self.count) = (minute, 0);
        }
    }

    pub fn count(&mut self, now: DateTime<Utc>) {
        self.roll(now);
        self.count = self.count.saturating_add(1);
    }

    /// Of the last sixty seconds, as nearly as two counts tell.
    pub fn last_minute(&mut self, now: DateTime<Utc>) -> u32 {
        self.roll(now);
        let left = 60 - u64::from(now.timestamp().rem_euclid(60).unsigned_abs() as u32);
        let before = u64::from(self.before) * left / 60;
        self.count.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }
}
