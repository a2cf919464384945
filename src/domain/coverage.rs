//! Whether a schedule ever meets people at work. One that fires only at their night prompts
//! nobody, without any error: what is due waits for open hours, and they for a run.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::campaign::WorkingTime;

/// The zones in which somebody is at work between two instants, but never when there is a
/// fire; `next_fire` gives the first after an instant.
#[must_use]
pub fn unmet(
    next_fire: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    zones: &[Tz],
    working: &WorkingTime,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<Tz> {
    let is_unmet = |zone: &Tz| {
        let opening = |from| working.next_opening(*zone, from).filter(|at| *at < until);
        // A zone where all of it is holidays is no fault of the schedule.
        let Some(mut opens) = opening(now) else { return false };
        loop {
            let Some(fire) = next_fire(opens - TimeDelta::microseconds(1)) else { return true };
            if working.closed(*zone, fire).is_none() {
                return fire >= until;
            }
            // From window to window, however often it fires.
            match opening(fire) {
                Some(next) => opens = next,
                None => return true,
            }
        }
    };
    zones.iter().filter(|zone| is_unmet(zone)).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{NaiveTime, Weekday};
    use chrono_tz::{America, Europe, Pacific};

    use super::*;

    fn office() -> WorkingTime {
        WorkingTime {
            days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
            from: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
            holidays: BTreeSet::new(),
        }
    }

    fn unmet_by(hour: i64, working: &WorkingTime) -> Vec<Tz> {
        let now: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
        let fires = (0..20).map(|day| now + TimeDelta::days(day) + TimeDelta::hours(hour));
        let next = |after| fires.clone().find(|fire| *fire > after);
        let zones = [Pacific::Auckland, Europe::London, America::New_York];
        unmet(next, &zones, working, now, now + TimeDelta::days(14))
    }

    #[test]
    fn a_daily_fire_meets_only_those_whose_day_it_is() {
        // 22:00 UTC is 11:00 in Auckland, evening in London and 17:00 in New York.
        assert_eq!(unmet_by(22, &office()), [Europe::London, America::New_York]);
        assert_eq!(unmet_by(15, &office()), [Pacific::Auckland]);
    }

    #[test]
    fn nobody_is_missed_while_all_are_on_holiday() {
        let first: chrono::NaiveDate = "2026-11-20".parse().unwrap();
        let holidays = first.iter_days().take(20).collect();
        assert!(unmet_by(3, &WorkingTime { holidays, ..office() }).is_empty());
    }
}
