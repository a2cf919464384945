//! How often Xero is called: not more often than configured, by nobody, and less often when
//! its answers say so (docs/xero.md, "Limits and caps"). At most five calls at a time.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Answer;
use super::connections;
use super::error::Error;
use super::own::Own;
use crate::clock::Clock;
use crate::domain::rate::Rate;
use crate::web;

/// Xero's own limit for a tenant; for an app it publishes none.
const AT_ONCE: usize = 5;

/// The span that Xero's limits are counted over.
const MINUTE: TimeDelta = TimeDelta::seconds(60);

/// How late a caller may come and still make up for it.
const SLACK: TimeDelta = TimeDelta::milliseconds(500);

/// How much more one request may be delayed on its way than another.
const JITTER: TimeDelta = TimeDelta::milliseconds(500);

/// The wait after a refusal that does not say how long: for as many calls at a time to end.
const BREATH: TimeDelta = TimeDelta::seconds(1);

/// A day's limit says nothing about when its day ends, so it is looked at again hourly.
const DAY_IS_USED_UP: TimeDelta = TimeDelta::hours(1);

/// The share of a minute's calls from which on they are our own that use it up.
const OURS: f64 = 0.9;

/// Whether a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now; it is counted.
    Now,
    /// To be asked for again then.
    NotBefore(DateTime<Utc>),
}

/// Who decides when the next call may go, for everybody that calls on the app's behalf.
pub trait Pace: Send + Sync {
    fn turn(&self) -> connections::Answer<'_, Turn>;

    /// Lets nobody call before a time: Xero said so.
    fn hold(&self, until: DateTime<Utc>) -> connections::Answer<'_, ()>;
}

/// The rate of so many calls a minute that no minute ever sees more of them, wherever it
/// begins: not with a caller who catches up at its end, nor with requests delayed at its
/// beginning. `None` lets nothing out.
#[must_use]
pub fn per_minute(calls: u32) -> Option<Rate> {
    let span = (MINUTE + SLACK + JITTER).num_microseconds()?;
    // Whole microseconds, as clocks and databases have them.
    let space = span.checked_div(i64::from(calls))? + 1;
    Some(Rate { space: TimeDelta::microseconds(space), slack: SLACK })
}

/// The pace of one process alone.
pub struct Bucket<'a> {
    rate: Option<Rate>,
    clock: &'a dyn Clock,
    state: Mutex<State>,
}

struct State {
    next: DateTime<Utc>,
    asked_at: DateTime<Utc>,
}

impl<'a> Bucket<'a> {
    #[must_use]
    pub fn new(calls_per_minute: u32, clock: &'a dyn Clock) -> Self {
        let now = clock.now();
        let state = State { next: now, asked_at: now };
        Self { rate: per_minute(calls_per_minute), clock, state: Mutex::new(state) }
    }

    fn take(&self) -> Result<Turn, Error> {
        let rate = self.rate.ok_or_else(none_allowed)?;
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back takes what was said with it.
        let back = (state.asked_at - now).max(TimeDelta::zero());
        state.next -= back;
        state.asked_at = now;
        let allowed = rate.allow(state.next, 1, now);
        state.next = allowed.next;
        Ok(if allowed.count == 1 { Turn::Now } else { Turn::NotBefore(allowed.next) })
    }
}

impl Pace for Bucket<'_> {
    fn turn(&self) -> connections::Answer<'_, Turn> {
        Box::pin(async { self.take() })
    }

    fn hold(&self, until: DateTime<Utc>) -> connections::Answer<'_, ()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.next = state.next.max(until);
        Box::pin(async { Ok(()) })
    }
}

/// What a pace of no calls says.
#[must_use]
pub fn none_allowed() -> Error {
    Error::Withheld("calls_per_minute of [xero] is 0".to_owned())
}

/// The calls of one client.
pub(super) struct Turns<'a> {
    pace: Box<dyn Pace + 'a>,
    clock: &'a dyn Clock,
    at_once: Semaphore,
    calls_per_minute: u32,
    own: Mutex<Own>,
}

impl<'a> Turns<'a> {
    pub fn new(pace: Box<dyn Pace + 'a>, clock: &'a dyn Clock, calls_per_minute: u32) -> Self {
        let at_once = Semaphore::new(AT_ONCE);
        Self { pace, clock, at_once, calls_per_minute, own: Mutex::default() }
    }

    /// One of five, for as long as it is held.
    pub async fn one_of_five(&self) -> Result<SemaphorePermit<'_>, Error> {
        let permit = self.at_once.acquire().await;
        permit.map_err(|_| Error::Withheld("the client is closed".to_owned()))
    }

    /// Waits until a call may go; after `until`, none may.
    pub async fn next(&self, until: DateTime<Utc>) -> Result<(), Error> {
        loop {
            let Turn::NotBefore(at) = self.pace.turn().await? else { break };
            let before = self.clock.now();
            if at > until {
                return too_late(at - before);
            }
            self.clock.sleep(at - before).await;
            // A clock that stands still has no minutes to be counted over.
            if at > before && self.clock.now() == before {
                break;
            }
        }
        self.taken(until)
    }

    /// Counts a call whose turn has come; after `until`, it may not go.
    pub fn taken(&self, until: DateTime<Utc>) -> Result<(), Error> {
        let now = self.clock.now();
        self.own().count(now);
        // Others, a token, a slow database: something took longer than this call may.
        if now > until { too_late(TimeDelta::zero()) } else { Ok(()) }
    }

    /// Slows down as the answer says.
    pub async fn heed(&self, answer: &Answer) -> Result<(), Error> {
        let now = self.clock.now();
        match self.wait(answer, now) {
            Some(wait) => self.pace.hold(now + wait).await,
            None => Ok(()),
        }
    }

    fn wait(&self, answer: &Answer, now: DateTime<Utc>) -> Option<TimeDelta> {
        let headers = &answer.headers;
        if answer.status.as_u16() == 429 {
            let after = web::retry_after(headers, now);
            let after = after.and_then(|after| TimeDelta::from_std(after).ok());
            return Some(after.unwrap_or(if problem(headers) == "calls at a time" {
                BREATH
            } else {
                MINUTE
            }));
        }
        if remaining(headers, "x-daylimit-remaining") == Some(0) {
            return Some(DAY_IS_USED_UP);
        }
        let minute = ["x-minlimit-remaining", "x-appminlimit-remaining"];
        let is_used_up = minute.iter().any(|name| remaining(headers, name) == Some(0));
        // Our own pace keeps us below the limit; others, the host's product most of all, use
        // the same one, and come first.
        let ours =
            f64::from(self.own().last_minute(now)) >= OURS * f64::from(self.calls_per_minute);
        (is_used_up && !ours).then_some(MINUTE)
    }

    fn own(&self) -> std::sync::MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_late(after: TimeDelta) -> Result<(), Error> {
    let limit = "it is not this call's turn yet".to_owned();
    Err(Error::Limited { limit, after: Some(after) })
}

fn remaining(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Which limit a 429 is about.
pub(super) fn problem(headers: &HeaderMap) -> &'static str {
    let named = headers.get("x-rate-limit-problem").and_then(|value| value.to_str().ok());
    let named = named.unwrap_or_default().to_ascii_lowercase();
    let has = |word: &str| named.contains(word);
    if has("app") {
        "the app's calls a minute"
    } else if has("minute") {
        "calls a minute"
    } else if has("day") || has("daily") {
        "calls a day"
    } else if has("concurrent") || !headers.contains_key(reqwest::header::RETRY_AFTER) {
        "calls at a time"
    } else {
        "Xero does not say which"
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::clock::{FixedClock, VirtualClock};

    const START: &str = "2027-08-20T10:00:30Z";

    fn clock() -> VirtualClock {
        VirtualClock::at(START.parse().unwrap())
    }

    fn turns(clock: &VirtualClock, calls: u32) -> Turns<'_> {
        Turns::new(Box::new(Bucket::new(calls, clock)), clock, calls)
    }

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())
        });
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: headers.collect(), body: Ok(Vec::new()) }
    }

    /// The seconds until the next call may go.
    async fn wait_after(turns: &Turns<'_>, answer: &Answer, clock: &VirtualClock) -> i64 {
        turns.heed(answer).await.unwrap();
        let before = clock.now();
        turns.next(clock.now() + TimeDelta::days(2)).await.unwrap();
        (clock.now() - before).num_seconds()
    }

    #[tokio::test]
    async fn no_minute_sees_more_calls_than_allowed_however_late_they_come_in_it() {
        for calls in [1u32, 7, 60, 600] {
            let clock = clock();
            let turns = turns(&clock, calls);
            let mut times = Vec::new();
            let end = clock.now() + MINUTE * 10;
            for number in 0i32.. {
                turns.next(clock.now() + TimeDelta::days(1)).await.unwrap();
                if clock.now() >= end {
                    break;
                }
                times.push(clock.now());
                // Now and then everybody is busy elsewhere for a moment.
                if number % 5 == 0 {
                    clock.sleep(TimeDelta::milliseconds(i64::from(number % 7) * 80)).await;
                }
            }
            for (first, one) in times.iter().enumerate() {
                // A request that was under way for half a second longer than the later ones.
                let arrived = *one + JITTER;
                let count = times[first..].iter().take_while(|at| **at < arrived + MINUTE).count();
                assert!(count <= calls as usize, "{count} of {calls} from {one} on");
            }
            let share = times.len() as f64 / f64::from(calls * 10);
            assert!(share >= 0.98, "{share} of {calls} a minute");
        }
    }

    #[tokio::test]
    async fn zero_calls_a_minute_are_none() {
        let clock = clock();
        let error = turns(&clock, 0).next(clock.now() + MINUTE).await.unwrap_err();
        assert!(matches!(error, Error::Withheld(_)), "{error}");
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_when_to_come_again() {
        let clock = clock();
        let turns = turns(&clock, 2);
        turns.next(clock.now()).await.unwrap();
        let error = turns.next(clock.now() + TimeDelta::seconds(20)).await.unwrap_err();
        let Error::Limited { after: Some(after), .. } = error else { panic!("{error}") };
        assert_eq!(after.num_milliseconds(), 30_500);
        assert_eq!(clock.now(), START.parse::<DateTime<Utc>>().unwrap(), "nobody waited");
    }

    #[tokio::test]
    async fn a_limit_that_was_reached_holds_everybody_up_as_long_as_xero_says() {
        let problem = "x-rate-limit-problem";
        for (headers, wait, named) in [
            (vec![("retry-after", "37"), (problem, "Minute")], 37, "calls a minute"),
            (vec![("retry-after", "40000"), (problem, "DAILY")], 40_000, "calls a day"),
            (vec![("retry-after", "5"), (problem, "AppMinute")], 5, "the app's calls a minute"),
            (vec![(problem, "minute")], 60, "calls a minute"),
            (vec![(problem, "Concurrent")], 1, "calls at a time"),
            (vec![], 1, "calls at a time"),
            (vec![("retry-after", "9")], 9, "Xero does not say which"),
        ] {
            let clock = clock();
            let turns = turns(&clock, 600);
            let answer = answer(429, &headers);
            assert_eq!(wait_after(&turns, &answer, &clock).await, wait, "{headers:?}");
            assert_eq!(super::problem(&answer.headers), named, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn calls_that_others_use_up_are_left_to_them() {
        for (name, wait) in [
            ("x-minlimit-remaining", 60),
            ("x-appminlimit-remaining", 60),
            ("x-daylimit-remaining", 3600),
        ] {
            let clock = clock();
            let turns = turns(&clock, 600);
            assert_eq!(wait_after(&turns, &answer(200, &[(name, "1")]), &clock).await, 0);
            assert_eq!(wait_after(&turns, &answer(200, &[(name, "some")]), &clock).await, 0);
            assert_eq!(wait_after(&turns, &answer(200, &[(name, "0")]), &clock).await, wait);
        }
    }

    #[tokio::test]
    async fn calls_that_are_our_own_do_not_slow_themselves_down() {
        let clock = clock();
        let turns = turns(&clock, 60);
        for _ in 0..90 {
            turns.next(clock.now() + MINUTE).await.unwrap();
        }
        let spent = answer(200, &[("x-minlimit-remaining", "0")]);
        assert!(wait_after(&turns, &spent, &clock).await <= 1);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_holds_nobody_up() {
        let clock = clock();
        let turns = turns(&clock, 60);
        turns.next(clock.now() + MINUTE).await.unwrap();
        clock.set(clock.now() - TimeDelta::hours(5));
        turns.next(clock.now() + MINUTE).await.unwrap();
        clock.set(clock.now() + TimeDelta::hours(9));
        turns.next(clock.now()).await.unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_stands_still_is_not_waited_for() {
        let clock = FixedClock(START.parse().unwrap());
        let turns = Turns::new(Box::new(Bucket::new(60, &clock)), &clock, 60);
        for _ in 0..5 {
            turns.next(clock.now() + MINUTE).await.unwrap();
        }
    }
}
