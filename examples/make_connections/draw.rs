//! Chance: every draw comes from one seeded stream, so a seed is a whole inventory.
//!
//! `StdRng` may become another algorithm in another version of `rand`; the shipped file is
//! to be written anew then, which the test beside `main` says.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

pub struct Draw(StdRng);

impl Draw {
    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// `low` to `high`, both included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        self.0.random_range(low..=high)
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// A text so often in a hundred, else the empty one.
    pub fn often(&mut self, percent: u32, text: impl FnOnce(&mut Self) -> String) -> String {
        if self.chance(percent) { text(self) } else { String::new() }
    }

    /// One of a table that is not empty.
    pub fn one_of<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.0.random_range(0..table.len())]
    }

    /// One of a table with a weight for each entry.
    pub fn weighted<T: Copy>(&mut self, table: &[(u32, T)]) -> T {
        let total: u32 = table.iter().map(|(weight, _)| weight).sum();
        let mut left = self.between(1, total);
        for (weight, item) in table {
            if left <= *weight {
                return *item;
            }
            left -= weight;
        }
        unreachable!("the draw is at most the sum of the weights")
    }

    /// Looks like the random UUIDs that Xero hands out.
    pub fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid()
    }

    /// A whole second from `from` on and before `until`.
    pub fn time(&mut self, from: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = (until - from).num_seconds().max(1);
        from + TimeDelta::seconds(self.0.random_range(0..seconds))
    }

    /// Digits behind a second, as many as Xero writes.
    pub fn fraction(&mut self) -> u32 {
        self.between(0, 9_999_999)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }
}

/// Midnight UTC of a day.
pub fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(year, month, day)
        .unwrap_or_default()
        .and_time(chrono::NaiveTime::MIN)
        .and_utc()
}
