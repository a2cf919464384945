//! A simulation's clock: its time passes only when nobody has anything left to do at the
//! present moment, and then at once to the next moment that somebody waits for. What is real
//! (a statement on the database) takes none of it, however long it takes, so that a seed tells
//! the same story on every machine.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::clock::Clock;
use crate::store::Store;

/// Rounds of the runtime without anything happening, after which everybody waits: longer than
/// any chain of tasks that wake one another.
const QUIET: u32 = 256;

/// The clock of one world. It needs a runtime of one thread.
#[derive(Clone)]
pub struct WorldClock {
    state: Arc<Mutex<State>>,
    store: Store,
}

struct State {
    now: DateTime<Utc>,
    made: u64,
    /// Who waits for which moment.
    waiting: BTreeSet<(DateTime<Utc>, u64)>,
}

impl WorldClock {
    /// A clock that stands at a time, of a world whose database is this.
    #[must_use]
    pub fn at(now: DateTime<Utc>, store: Store) -> Self {
        let state = State { now: now.trunc_subsecs(6), made: 0, waiting: BTreeSet::new() };
        Self { state: Arc::new(Mutex::new(state)), store }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on to a time; one that has passed changes nothing.
    pub fn reach(&self, at: DateTime<Utc>) {
        let mut state = self.state();
        state.now = at.trunc_subsecs(6).max(state.now);
    }

    /// What an operator or a time server does to a clock, backwards too.
    pub fn set(&self, at: DateTime<Utc>) {
        self.state().now = at.trunc_subsecs(6);
    }

    /// Comes back when the database has answered all that it was asked, and nobody else goes on.
    async fn quiet(&self) {
        let mut quiet = 0;
        while quiet < QUIET {
            tokio::task::yield_now().await;
            quiet = if self.store.is_idle() { quiet + 1 } else { 0 };
        }
    }
}

/// Somebody who waits; dropping it gives up.
struct Waiting<'a> {
    clock: &'a WorldClock,
    ticket: (DateTime<Utc>, u64),
}

impl<'a> Waiting<'a> {
    fn until(clock: &'a WorldClock, until: DateTime<Utc>) -> Self {
        let mut state = clock.state();
        state.made += 1;
        let ticket = (until, state.made);
        state.waiting.insert(ticket);
        Self { clock, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.clock.state().waiting.remove(&self.ticket);
    }
}

impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        self.state().now
    }

    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.now() + span;
        // Nobody waits before being polled: a branch that is switched off never is.
        Box::pin(async move {
            let waiting = Waiting::until(self, until);
            loop {
                self.quiet().await;
                let mut state = self.state();
                // Whoever waits for less comes first; of those who wait for the same moment
                // one after the other, as they came.
                if state.waiting.first() == Some(&waiting.ticket) {
                    state.now = until.max(state.now);
                    break;
                }
            }
            drop(waiting);
        })
    }
}
