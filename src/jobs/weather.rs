//! A database that is away for a while: it restarts, fails over, is in recovery, or the network
//! is lost. What can be waited for is waited for, with growing pauses, and not for ever.

use std::time::Instant;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store;

use super::failure::Failure;

/// The first pauses between two tries, in seconds; the last repeats.
const PAUSES: [i64; 4] = [1, 2, 4, 8];

/// How long somebody goes on waiting.
#[derive(Debug)]
pub struct Patience {
    wait: TimeDelta,
    began: Option<Instant>,
    tries: usize,
}

impl Patience {
    /// For so long at a time.
    #[must_use]
    pub fn of(wait: TimeDelta) -> Self {
        Self { wait, began: None, tries: 0 }
    }

    /// All was well for longer than an outage lasts: what comes now is another one.
    pub fn renew(&mut self) {
        (self.began, self.tries) = (None, 0);
    }

    /// The pause before the next try; `None` when it has been long enough.
    fn pause(&mut self) -> Option<TimeDelta> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let waited = TimeDelta::from_std(began.elapsed()).unwrap_or(TimeDelta::MAX);
        let pause = TimeDelta::seconds(PAUSES[self.tries.min(PAUSES.len() - 1)]);
        self.tries += 1;
        let left = self.wait - waited;
        (left > TimeDelta::zero()).then_some(pause.min(left))
    }

    /// Waits a while if that may help; tells whether to try again.
    pub async fn outlasts(
        &mut self,
        failure: &Failure,
        clock: &dyn Clock,
        cancel: &CancellationToken,
    ) -> bool {
        if !failure.may_pass() || cancel.is_cancelled() {
            return false;
        }
        let Some(pause) = self.pause() else { return false };
        tracing::warn!(pause_s = pause.num_seconds(), "waiting for the database: {failure}");
        tokio::select! {
            biased;
            () = cancel.cancelled() => false,
            () = clock.sleep(pause) => true,
        }
    }
}

/// A clock that differs more from the database's has no effects.
const TOLERANCE: TimeDelta = TimeDelta::minutes(2);

/// How far the database's clock is ahead of ours; nothing on SQLite, where it is the same.
///
/// # Errors
/// The database cannot be used.
pub async fn ahead(store: &store::Store, clock: &dyn Clock) -> Result<TimeDelta, store::Error> {
    let before = clock.now();
    let Some(theirs) = store.database_time().await? else { return Ok(TimeDelta::zero()) };
    let after = clock.now();
    Ok(theirs - (before + (after - before) / 2))
}

/// What is wrong with a clock that the database's is so far ahead of, if anything.
#[must_use]
pub fn differing(ahead: TimeDelta) -> Option<String> {
    let way = if ahead < TimeDelta::zero() { "ahead of" } else { "behind" };
    (ahead.abs() > TOLERANCE).then(|| {
        format!(
            "this machine's clock is {} s {way} the database's: set it, and keep it set (NTP)",
            ahead.abs().num_seconds()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_come_to_an_end() {
        let mut patience = Patience::of(TimeDelta::seconds(60));
        let pauses: Vec<_> = (0..5).map(|_| patience.pause().unwrap().num_seconds()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 8]);
        patience.renew();
        assert_eq!(patience.pause(), Some(TimeDelta::seconds(1)));
        assert_eq!(Patience::of(TimeDelta::zero()).pause(), None);
    }
}
