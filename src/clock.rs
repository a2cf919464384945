//! The time, as a parameter: the one place that asks the operating system.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Tells the time, to the microsecond: the precision that both databases keep.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;

    /// Waits. It can be dropped at any time.
    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes in")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where waiting is real")]
    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(span.to_std().unwrap_or_default()))
    }
}

/// The operating system's clock, put right by what another says.
#[derive(Clone, Copy, Debug)]
pub struct ShiftedClock {
    /// How far the other is ahead.
    pub by: TimeDelta,
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        (SystemClock.now() + self.by).trunc_subsecs(6)
    }

    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        SystemClock.sleep(span)
    }
}

/// A clock set by hand: `--at`, tests, simulation.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.trunc_subsecs(6)
    }

    /// Its time does not pass, so there is nothing to wait for.
    fn sleep(&self, _: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// A clock whose time passes by being waited for, and at once: simulation, tests.
#[derive(Debug)]
pub struct VirtualClock(Mutex<DateTime<Utc>>);

impl VirtualClock {
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now.trunc_subsecs(6)))
    }

    /// Moves on to a time; one that has passed changes nothing.
    pub fn reach(&self, at: DateTime<Utc>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = at.trunc_subsecs(6).max(*now);
    }

    /// What an operator or a time server does to a clock, backwards too.
    pub fn set(&self, at: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at.trunc_subsecs(6);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.now() + span;
        Box::pin(async move {
            // Others get to do what they would have done meanwhile.
            tokio::task::yield_now().await;
            self.reach(until);
        })
    }
}
