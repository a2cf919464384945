//! How far a simulation is, for whoever waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// The days of all campaigns of a simulation together: to be played, and played so far.
#[derive(Debug, Default)]
pub struct Elapsed {
    total: AtomicU64,
    played: AtomicU64,
}

impl Elapsed {
    /// Days played so far, and in all; `None` before the first campaign begins.
    #[must_use]
    pub fn days(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.played.load(Ordering::Relaxed).min(total), total))
    }

    pub(super) fn expect(&self, campaigns: u64, span: TimeDelta) {
        let days = u64::try_from(span.num_days()).unwrap_or_default();
        self.total.store(campaigns * days, Ordering::Relaxed);
    }

    fn add(&self, days: u64) {
        self.played.fetch_add(days, Ordering::Relaxed);
    }
}

/// The part of one campaign.
#[derive(Debug)]
pub(super) struct Part<'a> {
    elapsed: &'a Elapsed,
    since: DateTime<Utc>,
    told: u64,
}

impl<'a> Part<'a> {
    pub(super) fn new(elapsed: &'a Elapsed, since: DateTime<Utc>) -> Self {
        Self { elapsed, since, told: 0 }
    }

    pub(super) fn reach(&mut self, now: DateTime<Utc>) {
        let days = u64::try_from((now - self.since).num_days()).unwrap_or_default();
        self.elapsed.add(days.saturating_sub(self.told));
        self.told = self.told.max(days);
    }
}
