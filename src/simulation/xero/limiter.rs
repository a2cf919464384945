//! How many calls the model takes: so many in any sixty seconds, whoever's they are.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

const WINDOW: TimeDelta = TimeDelta::seconds(60);

/// A window that slides: the strictest reading of "calls a minute".
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    /// `None` takes any number.
    pub per_minute: Option<usize>,
    /// Of the same minute's calls, those of others.
    pub others: usize,
    taken: VecDeque<DateTime<Utc>>,
    refused: u64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Taken; so many more may come now.
    Left(Option<usize>),
    /// None; the first of those taken leaves the window after so many seconds.
    None { seconds: i64 },
}

impl Limiter {
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Room {
        let Some(limit) = self.per_minute else { return Room::Left(None) };
        while self.taken.front().is_some_and(|at| *at <= now - WINDOW) {
            self.taken.pop_front();
        }
        let limit = limit.saturating_sub(self.others);
        if self.taken.len() >= limit {
            self.refused += 1;
            let first = self.taken.front().copied().unwrap_or(now);
            let left = (first + WINDOW - now).num_milliseconds();
            return Room::None { seconds: (left + 999).div_euclid(1000).max(1) };
        }
        self.taken.push_back(now);
        Room::Left(Some(limit - self.taken.len()))
    }

    /// Calls taken from a time on, of the last minute's.
    #[must_use]
    pub fn taken_since(&self, at: DateTime<Utc>) -> usize {
        self.taken.iter().filter(|taken| **taken >= at).count()
    }

    /// Calls that came too soon after others.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_makes_room_again_after_a_minute() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let mut limiter = Limiter { per_minute: Some(2), ..Limiter::default() };
        assert_eq!(limiter.take(at(0)), Room::Left(Some(1)));
        assert_eq!(limiter.take(at(50)), Room::Left(Some(0)));
        assert_eq!(limiter.take(at(59)), Room::None { seconds: 1 });
        assert_eq!(limiter.take(at(60)), Room::Left(Some(0)));
        assert_eq!(limiter.take(at(61)), Room::None { seconds: 49 });
        assert_eq!(limiter.refused(), 2);
    }
}
