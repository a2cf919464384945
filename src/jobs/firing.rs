//! Whether a job is to begin now: from its schedule, and from what became of its last fire.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::config::CatchUp;
use crate::schedule::Schedule;
use crate::store::fires::{Fire, FireState};

/// Later than this, a fire was missed.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// How often a fire is begun whose runs come to no end, before the next one takes its place.
const ATTEMPTS: i64 = 3;

/// When a job begins.
#[derive(Clone, Copy, Debug)]
pub struct Timing<'a> {
    pub schedule: &'a Schedule,
    pub zone: Tz,
    pub catch_up: CatchUp,
    /// From when on there is somebody for a job that never fired.
    pub since: DateTime<Utc>,
}

/// What there is to do for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Begin this fire, or go on with it.
    Begin(DateTime<Utc>),
    /// Nothing before that; `None`: nothing ever.
    Wait(Option<DateTime<Utc>>),
}

impl Timing<'_> {
    #[must_use]
    pub fn turn(&self, last: Option<Fire>, now: DateTime<Utc>) -> Turn {
        let after = last.map_or(self.since, |last| last.at);
        if let Some(due) = self.latest(after, now)
            && (self.catch_up == CatchUp::Latest || now - due <= LATE)
        {
            return Turn::Begin(due);
        }
        if let Some(last) = last
            && matches!(last.state, FireState::Running | FireState::Interrupted)
            && last.attempts < ATTEMPTS
        {
            return Turn::Begin(last.at);
        }
        Turn::Wait(self.schedule.next_fire(self.zone, after.max(now)))
    }

    /// The latest fire after one instant and not after another.
    fn latest(&self, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // From near to far, so that a second's schedule is not counted through a year.
        let spans = [TimeDelta::minutes(1), TimeDelta::hours(1), TimeDelta::days(1)];
        let starts = spans.into_iter().map(|span| (now - span).max(after));
        starts.chain([after]).find_map(|start| {
            let next = |at: &DateTime<Utc>| self.schedule.next_fire(self.zone, *at);
            std::iter::successors(next(&start), next).take_while(|at| *at <= now).last()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-21T{text}Z").parse().unwrap()
    }

    fn fire(text: &str, state: FireState, attempts: i64) -> Option<Fire> {
        Some(Fire { at: at(text), state, attempts })
    }

    fn turn(schedule: &str, catch_up: CatchUp, last: Option<Fire>, now: &str) -> Turn {
        let schedule = Schedule::parse(schedule).unwrap();
        let timing = Timing { schedule: &schedule, zone: Tz::UTC, catch_up, since: at("08:30:00") };
        timing.turn(last, at(now))
    }

    const HOURLY: &str = "17 * * * *";

    #[test]
    fn a_job_that_never_fired_makes_up_for_nothing_from_before_there_was_somebody() {
        let turn = |now| turn(HOURLY, CatchUp::Latest, None, now);
        assert_eq!(turn("08:30:00"), Turn::Wait(Some(at("09:17:00"))));
        assert_eq!(turn("09:16:59"), Turn::Wait(Some(at("09:17:00"))));
        assert_eq!(turn("09:17:00"), Turn::Begin(at("09:17:00")));
    }

    #[test]
    fn of_missed_fires_the_latest_runs_or_none_does() {
        let last = fire("09:17:00", FireState::Done, 1);
        let latest = |now| turn(HOURLY, CatchUp::Latest, last, now);
        assert_eq!(latest("10:16:00"), Turn::Wait(Some(at("10:17:00"))));
        assert_eq!(latest("15:40:00"), Turn::Begin(at("15:17:00")));
        let skip = |now| turn(HOURLY, CatchUp::Skip, last, now);
        assert_eq!(skip("15:17:30"), Turn::Begin(at("15:17:00")));
        assert_eq!(skip("15:40:00"), Turn::Wait(Some(at("16:17:00"))));
    }

    #[test]
    fn a_fire_whose_run_was_cut_off_is_gone_on_with_unless_the_next_is_due() {
        for state in [FireState::Running, FireState::Interrupted] {
            for catch_up in [CatchUp::Latest, CatchUp::Skip] {
                let turn =
                    |attempts, now| turn(HOURLY, catch_up, fire("09:17:00", state, attempts), now);
                assert_eq!(turn(1, "09:40:00"), Turn::Begin(at("09:17:00")));
                assert_eq!(turn(3, "09:40:00"), Turn::Wait(Some(at("10:17:00"))), "no for ever");
                assert_eq!(turn(1, "10:17:00"), Turn::Begin(at("10:17:00")));
            }
        }
        for state in [FireState::Done, FireState::GivenUp] {
            let turn = turn(HOURLY, CatchUp::Latest, fire("09:17:00", state, 1), "09:40:00");
            assert_eq!(turn, Turn::Wait(Some(at("10:17:00"))));
        }
    }

    #[test]
    fn a_fire_begins_at_its_moment_and_not_a_nanosecond_before() {
        // E41
        let last = fire("09:17:00", FireState::Done, 1);
        for (catch_up, late) in [(CatchUp::Latest, true), (CatchUp::Skip, false)] {
            let turn = |now| turn(HOURLY, catch_up, last, now);
            assert_eq!(turn("09:17:00"), Turn::Wait(Some(at("10:17:00"))), "not once more");
            assert_eq!(turn("10:16:59.999999999"), Turn::Wait(Some(at("10:17:00"))));
            assert_eq!(turn("10:17:00"), Turn::Begin(at("10:17:00")));
            assert_eq!(turn("10:17:00.000000001"), Turn::Begin(at("10:17:00")));
            // The last moment at which it is not missed yet.
            assert_eq!(turn("10:18:00"), Turn::Begin(at("10:17:00")));
            let missed =
                if late { Turn::Begin(at("10:17:00")) } else { Turn::Wait(Some(at("11:17:00"))) };
            assert_eq!(turn("10:18:00.000000001"), missed);
        }
    }

    #[test]
    fn a_fire_that_was_late_does_not_put_the_next_one_off() {
        // E43: what was made up for an hour late had pushed all that followed.
        let made_up =
            turn(HOURLY, CatchUp::Latest, fire("09:17:00", FireState::Done, 1), "11:16:59");
        assert_eq!(made_up, Turn::Begin(at("10:17:00")));
        for state in [FireState::Done, FireState::Running, FireState::GivenUp] {
            let turn = turn(HOURLY, CatchUp::Latest, fire("10:17:00", state, 1), "11:17:00");
            assert_eq!(turn, Turn::Begin(at("11:17:00")), "one second later: {state:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_backwards_fires_nothing_twice() {
        let last = fire("15:17:00", FireState::Done, 1);
        let turn = turn(HOURLY, CatchUp::Latest, last, "12:17:00");
        assert_eq!(turn, Turn::Wait(Some(at("16:17:00"))));
    }

    #[test]
    fn the_latest_of_a_year_of_seconds_is_found_at_once() {
        let schedule = Schedule::parse("* * * * * *").unwrap();
        let since = at("08:30:00") - TimeDelta::days(365);
        let timing =
            Timing { schedule: &schedule, zone: Tz::UTC, catch_up: CatchUp::Latest, since };
        assert_eq!(timing.turn(None, at("08:30:00")), Turn::Begin(at("08:30:00")));
    }
}
