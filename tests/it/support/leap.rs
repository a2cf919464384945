//! A clock that goes with the system's, and leaps to the next time that somebody waits for
//! whenever nothing else is going on: minutes of waiting pass at once, with sockets and
//! databases as they are.

use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use worker::clock::{Clock, SystemClock};
use worker::config::Config;
use worker::jobs::hold::Worker;
use worker::jobs::progress::Unwatched;
use worker::jobs::run::{Finished, Setting, new_id};
use worker::jobs::workplace::Workplace;
use worker::store::settings::Keys;

use super::place::Place;
use super::sending::{HOOK_SECRET, LINK_SECRET};
use super::xero::SECRET;

/// So long nothing happens before it leaps: longer than a socket or a database takes.
const QUIET: Duration = Duration::from_millis(300);

#[derive(Default)]
pub struct LeapClock(Mutex<State>);

#[derive(Default)]
struct State {
    ahead: TimeDelta,
    waiting: Vec<(DateTime<Utc>, Waker)>,
}

impl LeapClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics here")
    }

    /// Moves on, as if everything had taken so long.
    pub fn leap(&self, by: TimeDelta) {
        let mut state = self.state();
        state.ahead += by;
        state.waiting.drain(..).for_each(|(_, waker)| waker.wake());
    }

    /// To the next time that somebody waits for.
    fn leap_on(&self) {
        let next = self.state().waiting.iter().map(|(until, _)| *until).min();
        if let Some(next) = next {
            self.leap((next - self.now()).max(TimeDelta::zero()));
        }
    }

    /// Runs the first job of a place in this process.
    pub async fn runs(&self, place: &Place) -> Finished {
        let (config, cancel) = (place.config(), CancellationToken::new());
        let workplace = workplace(&config).await;
        let setting = setting(&config, self, &cancel);
        let mut random = StdRng::seed_from_u64(SystemClock.now().timestamp_micros().unsigned_abs());
        let finished = self.drive(setting.run(&config.jobs[0], &workplace, &mut random)).await;
        workplace.store.close().await;
        finished
    }

    /// The same as a process does: holding the job, within its time budget, until it is asked
    /// to stop.
    pub async fn holds_and_runs(
        self: &Arc<Self>,
        place: &Place,
        cancel: &CancellationToken,
    ) -> Finished {
        let config = place.config();
        let workplace = workplace(&config).await;
        let mut random = StdRng::seed_from_u64(SystemClock.now().timestamp_micros().unsigned_abs());
        let job = &config.jobs[0];
        let clock = Arc::clone(self) as Arc<dyn Clock>;
        let id = new_id(&SystemClock, &mut random);
        let worker = Worker::new(workplace.store.clone(), clock, id);
        let hold = worker.hold(job, new_id(&SystemClock, &mut random)).await;
        let Ok(hold) = hold.expect("the test's own database") else {
            panic!("somebody else has the job");
        };
        let setting = setting(&config, &**self, cancel);
        self.drive(setting.run_held(&hold, job, &workplace, &mut random)).await
    }

    /// Carries something out by this clock.
    pub async fn drive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut quiet = std::pin::pin!(pause());
        poll_fn(move |context| {
            if quiet.as_mut().poll(context).is_ready() {
                self.leap_on();
            }
            quiet.set(pause());
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending => {
                    let is_over = quiet.as_mut().poll(context).is_ready();
                    assert!(!is_over, "a pause takes time");
                    Poll::Pending
                }
            }
        })
        .await
    }
}

async fn workplace(config: &Config) -> Workplace {
    let fresh = Keys { fingerprint: [0; 16], pseudonym: [0; 32] };
    Workplace::real(config, &fresh).await.expect("the test's own database")
}

fn setting<'a>(
    config: &'a Config,
    clock: &'a dyn Clock,
    cancel: &'a CancellationToken,
) -> Setting<'a> {
    Setting {
        config,
        is_builtin: false,
        dry_run: false,
        clock,
        env: &secrets,
        watcher: &Unwatched,
        cancel,
        show_addresses: false,
        looks_ahead: true,
        until: None,
    }
}

fn secrets(name: &str) -> Option<OsString> {
    match name {
        "XERO_CLIENT_SECRET" => Some(SECRET.into()),
        "LINK_SECRET" => Some(LINK_SECRET.into()),
        "HOOK_SECRET" => Some(HOOK_SECRET.into()),
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "whether anything happens is a matter of real time")]
fn pause() -> tokio::time::Sleep {
    tokio::time::sleep(QUIET)
}

impl Clock for LeapClock {
    fn now(&self) -> DateTime<Utc> {
        (SystemClock.now() + self.state().ahead).trunc_subsecs(6)
    }

    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.now() + span;
        Box::pin(poll_fn(move |context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            self.state().waiting.push((until, context.waker().clone()));
            Poll::Pending
        }))
    }
}
