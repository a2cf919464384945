//! When a job fires: a cron expression read against a time zone's wall clock.
//!
//! The `cron` crate finds the matching wall times; it never sees a zone with transitions,
//! because around them it repeats, reorders and skips times ([`Schedule::next_fire`] has the
//! rule instead). What it reads differently from a crontab is refused.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::calendar::{Instant, look_up};

/// The years that the `cron` crate knows.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

/// Longer than any zone's clock is put forward or back by: at most two hours, in Troll.
const LARGEST_SHIFT: TimeDelta = TimeDelta::hours(3);

/// A cron expression of five fields, or six with the seconds first.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    cron: cron::Schedule,
}

/// An expression that is no schedule, or means something else elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("a schedule has five fields, or six with seconds first; this has {found}")]
    Fields { found: usize },
    #[error("`{text}` is no {field}")]
    Field { field: &'static str, text: String, takes: &'static str },
    #[error("weekdays stand as numbers in `{text}`, and programs disagree on which day is 1")]
    NumericWeekday { text: String },
    #[error(
        "a day of the month (`{day}`) and a weekday (`{weekday}`) together: programs disagree on whether both or one must fit"
    )]
    BothDays { day: String, weekday: String },
    #[error("this schedule never fires: no year up to 2100 has such a day")]
    Never,
}

impl ScheduleError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Fields { .. } => {
                "write minute, hour, day of the month, month and weekday, as `17 * * * *` for every hour at 17 past".to_owned()
            }
            Self::Field { takes, .. } => format!("write {takes}"),
            Self::NumericWeekday { .. } => {
                "write weekdays by name: `mon-fri`, or `sun,wed`".to_owned()
            }
            Self::BothDays { .. } => "put `*` in one of the two".to_owned(),
            Self::Never => "choose a day that the month has".to_owned(),
        }
    }
}

/// A field's name and what it takes, in the order of the six-field form.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59, `*`, ranges, lists or steps"),
    ("minute", "0 to 59, `*`, ranges, lists or steps, as `*/15`"),
    ("hour", "0 to 23, `*`, ranges, lists or steps, as `9-16`"),
    ("day of the month", "1 to 31, `*`, ranges, lists or steps"),
    ("month", "1 to 12 or jan to dec, `*`, ranges, lists or steps"),
    (
        "weekday",
        "sun, mon, tue, wed, thu, fri, sat in that order, `*`, ranges or lists, as `mon-fri`",
    ),
];

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is none, when it never fires, or when other programs read it differently.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            found => return Err(ScheduleError::Fields { found }),
        }
        let (day, weekday) = (fields[3], fields[5]);
        if weekday.contains(|c: char| c.is_ascii_digit()) {
            return Err(ScheduleError::NumericWeekday { text: weekday.to_owned() });
        }
        if let Some(wrong) = (0..FIELDS.len()).find(|&at| !stands_alone(&fields, at)) {
            let (field, takes) = FIELDS[wrong];
            return Err(ScheduleError::Field { field, text: fields[wrong].to_owned(), takes });
        }
        if !is_any(day) && !is_any(weekday) {
            return Err(ScheduleError::BothDays {
                day: day.to_owned(),
                weekday: weekday.to_owned(),
            });
        }
        // Whatever the crate refuses now is refused in combination only, which it never does.
        let cron = cron::Schedule::from_str(&fields.join(" "))
            .map_err(|_| ScheduleError::Fields { found: fields.len() })?;
        if cron.after(&DateTime::UNIX_EPOCH).next().is_none() {
            return Err(ScheduleError::Never);
        }
        Ok(Self { text: text.to_owned(), cron })
    }

    /// The first fire after an instant. A wall time that the clock leaps over fires as much
    /// later as the clock leaps; one that comes twice fires once, the first time.
    #[must_use]
    pub fn next_fire(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !YEARS.contains(&after.year()) {
            return None;
        }
        let wall = after.with_timezone(&zone).naive_local();
        let mut leapt: Option<DateTime<Utc>> = None;
        // From before a transition that may just be over: a time leapt over is still to come.
        for wall in self.cron.after(&(wall - LARGEST_SHIFT).and_utc()) {
            match look_up(zone, wall.naive_utc()) {
                Instant::Leapt(at) if at > after => {
                    leapt = Some(leapt.map_or(at, |first| first.min(at)));
                }
                // Later wall times give later instants, but not than those leapt over.
                Instant::Shown(at) if at > after => {
                    return Some(leapt.map_or(at, |first| first.min(at)));
                }
                Instant::Leapt(_) | Instant::Shown(_) => {}
            }
        }
        leapt
    }

    /// How many fires there are from one instant until before another, counted up to `most`.
    /// Goes over the time once, where asking for one fire after the other goes back each time.
    #[must_use]
    pub fn fires_within(
        &self,
        zone: Tz,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        most: usize,
    ) -> usize {
        if !YEARS.contains(&from.year()) {
            return 0;
        }
        let wall = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
        let end = wall(until) + LARGEST_SHIFT;
        self.cron
            .after(&(wall(from) - LARGEST_SHIFT).and_utc())
            .map(|fire| fire.naive_utc())
            .take_while(|fire| *fire < end)
            .map(|fire| match look_up(zone, fire) {
                Instant::Leapt(at) | Instant::Shown(at) => at,
            })
            .filter(|at| (from..until).contains(at))
            .take(most)
            .count()
    }
}

fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?")
}

/// Whether one field is right, whatever the others say.
fn stands_alone(fields: &[&str], at: usize) -> bool {
    let mut alone = ["*"; FIELDS.len()];
    alone[at] = fields[at];
    cron::Schedule::from_str(&alone.join(" ")).is_ok()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Australia, Europe, Pacific};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fires_within_a_time_are_counted_as_they_come_one_after_the_other() {
        let [from, until]: [DateTime<Utc>; 2] =
            ["2026-10-31T22:00:00Z", "2026-11-01T12:00:00Z"].map(|at| at.parse().unwrap());
        for text in ["17 * * * *", "*/5 1,2 * * *", "30 2 * * *", "0 9-16 * * mon-fri"] {
            for zone in [Tz::UTC, America::New_York, Pacific::Auckland] {
                let schedule = Schedule::parse(text).unwrap();
                let mut at = from - TimeDelta::microseconds(1);
                let mut count = 0;
                while let Some(next) = schedule.next_fire(zone, at).filter(|next| *next < until) {
                    (at, count) = (next, count + 1);
                }
                let counted = schedule.fires_within(zone, from, until, 1000);
                assert_eq!(counted, count, "{text} in {zone}");
                assert_eq!(schedule.fires_within(zone, from, until, 1), count.min(1));
            }
        }
    }

    fn fires(text: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(text).unwrap();
        let mut at: DateTime<Utc> = after.parse().unwrap();
        (0..count)
            .map(|_| {
                at = schedule.next_fire(zone, at).unwrap();
                at.with_timezone(&zone).format("%d %H:%M:%S %z").to_string()
            })
            .collect()
    }

    #[test]
    fn five_fields_are_minutes_on_and_six_begin_with_seconds() {
        let at = "2026-11-21T10:00:00Z";
        assert_eq!(fires("17 * * * *", Tz::UTC, at, 2), ["21 10:17:00 +0000", "21 11:17:00 +0000"]);
        assert_eq!(fires("30 17 * * * *", Tz::UTC, at, 1), ["21 10:17:30 +0000"]);
        assert_eq!(fires("0 9 * * mon-fri", Tz::UTC, at, 1), ["23 09:00:00 +0000"]);
    }

    #[test]
    fn a_fire_is_always_later_than_the_instant_asked_about() {
        let at = "2026-11-21T10:17:00Z";
        assert_eq!(fires("17 * * * *", Tz::UTC, at, 1), ["21 11:17:00 +0000"]);
        assert_eq!(
            fires("17 * * * *", Tz::UTC, "2026-11-21T10:16:59.9Z", 1),
            ["21 10:17:00 +0000"]
        );
    }

    #[test]
    fn a_time_that_the_clock_leaps_over_fires_an_hour_later_on_that_day() {
        // E42
        for (zone, after, expected) in [
            (Pacific::Auckland, "2027-09-24T14:30:00Z", ["26 03:30:00 +1300", "27 02:30:00 +1300"]),
            (Australia::Sydney, "2027-10-01T16:30:00Z", ["03 03:30:00 +1100", "04 02:30:00 +1100"]),
            (America::New_York, "2026-03-07T07:30:00Z", ["08 03:30:00 -0400", "09 02:30:00 -0400"]),
        ] {
            assert_eq!(fires("30 2 * * *", zone, after, 2), expected, "{zone}");
        }
        let london = fires("30 1 * * *", Europe::London, "2027-03-27T01:30:00Z", 2);
        assert_eq!(london, ["28 02:30:00 +0100", "29 01:30:00 +0100"]);
    }

    #[test]
    fn a_time_that_comes_twice_fires_the_first_time_only() {
        // E42
        for (text, zone, after, expected) in [
            (
                "30 2 * * *",
                Pacific::Auckland,
                "2027-04-02T13:30:00Z",
                ["04 02:30:00 +1300", "05 02:30:00 +1200"],
            ),
            (
                "30 2 * * *",
                Australia::Sydney,
                "2027-04-02T15:30:00Z",
                ["04 02:30:00 +1100", "05 02:30:00 +1000"],
            ),
            (
                "30 1 * * *",
                Europe::London,
                "2026-10-24T00:30:00Z",
                ["25 01:30:00 +0100", "26 01:30:00 +0000"],
            ),
            (
                "30 1 * * *",
                America::New_York,
                "2026-10-31T05:30:00Z",
                ["01 01:30:00 -0400", "02 01:30:00 -0500"],
            ),
        ] {
            assert_eq!(fires(text, zone, after, 2), expected, "{zone}");
        }
    }

    #[test]
    fn fires_come_in_order_and_once_through_both_changes() {
        let spring = fires("*/30 * * * *", America::New_York, "2026-03-08T06:15:00Z", 4);
        assert_eq!(
            spring,
            ["08 01:30:00 -0500", "08 03:00:00 -0400", "08 03:30:00 -0400", "08 04:00:00 -0400"]
        );
        // The repeated hour is one hour of the schedule: it does not fire again in it.
        let autumn = fires("*/30 * * * *", America::New_York, "2026-11-01T04:45:00Z", 3);
        assert_eq!(autumn, ["01 01:00:00 -0400", "01 01:30:00 -0400", "01 02:00:00 -0500"]);
    }

    #[test]
    fn a_leap_of_half_an_hour_does_not_lose_the_time_right_after_it() {
        let fires = fires("15,40 2 * * *", Australia::Lord_Howe, "2027-10-02T15:00:00Z", 3);
        assert_eq!(fires, ["03 02:40:00 +1100", "03 02:45:00 +1100", "04 02:15:00 +1100"]);
    }

    #[test]
    fn what_programs_read_differently_is_refused_with_the_reason() {
        for (text, message, remedy) in [
            ("0 9 * * 1-5", "numbers", "mon-fri"),
            ("0 9 * * */2", "numbers", "by name"),
            ("0 9 13 * fri", "`13`", "`*` in one"),
            ("0 9 30 2 *", "never fires", "day that the month has"),
            ("@daily", "this has 1", "17 * * * *"),
            ("0 0 9 * * mon 2027", "this has 7", "17 * * * *"),
            ("61 * * * *", "`61` is no minute", "0 to 59"),
            ("0 24 * * *", "`24` is no hour", "0 to 23"),
            ("0 9 * * fri-mon", "`fri-mon` is no weekday", "in that order"),
            ("0 9 * * mo", "`mo` is no weekday", "sun, mon"),
            ("*/0 * * * *", "`*/0` is no minute", "steps"),
            ("0 9 L * *", "`L` is no day of the month", "1 to 31"),
        ] {
            let error = Schedule::parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(error.remedy().contains(remedy), "{text}: {}", error.remedy());
        }
    }

    #[test]
    fn leap_day_schedules_and_far_instants_are_answered() {
        assert_eq!(fires("0 0 29 2 *", Tz::UTC, "2026-01-01T00:00:00Z", 1), ["29 00:00:00 +0000"]);
        let hourly = Schedule::parse("0 * * * *").unwrap();
        assert_eq!(hourly.next_fire(Pacific::Auckland, DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(hourly.next_fire(Pacific::Auckland, DateTime::<Utc>::MIN_UTC), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "([0-9a-zA-Z*?/,#-]{1,6} ){4,5}[0-9a-z*?/,-]{1,9}") {
            if let Ok(schedule) = Schedule::parse(&text) {
                prop_assert!(schedule.next_fire(Tz::UTC, DateTime::UNIX_EPOCH).is_some());
            }
        }

        #[test]
        fn every_fire_is_after_the_instant_and_at_most_a_day_and_an_hour_away(
            seconds in 1_700_000_000i64..1_900_000_000, hour in 0u32..24, minute in 0u32..60,
        ) {
            let after = DateTime::from_timestamp(seconds, 0).unwrap();
            let daily = Schedule::parse(&format!("{minute} {hour} * * *")).unwrap();
            for zone in [Pacific::Auckland, Europe::London, America::New_York, Australia::Lord_Howe] {
                let next = daily.next_fire(zone, after).unwrap();
                prop_assert!(next > after && next - after <= TimeDelta::hours(25), "{zone} {next}");
            }
        }
    }
}
