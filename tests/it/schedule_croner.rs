//! The schedule against an independent implementation of cron, over random zones and years, and
//! every daylight-saving change of four zones by name (E40, E42).

use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{America, Australia, Europe, Pacific, TZ_VARIANTS, Tz};
use croner::Cron;
use proptest::prelude::*;
use worker::schedule::Schedule;

/// The first of an hour's minutes at which the offset is another than before.
fn transitions(zone: Tz, year: i32) -> Vec<DateTime<Utc>> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let quarters = (0..366 * 96).map(|quarter| first.and_utc() + TimeDelta::minutes(15 * quarter));
    quarters.filter(|at| offset(*at) != offset(*at - TimeDelta::minutes(15))).collect()
}

fn ours(text: &str, zone: Tz, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    let schedule = Schedule::parse(text).unwrap();
    let next = |at: &DateTime<Utc>| schedule.next_fire(zone, *at);
    std::iter::successors(next(&after), next).take(count).collect()
}

fn theirs(text: &str, zone: Tz, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    let cron = Cron::from_str(text).unwrap();
    let fires = cron.iter_after(after.with_timezone(&zone)).take(count);
    fires.map(|at| at.to_utc()).collect()
}

/// A list, a step, a range or a number.
fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (low..=high).prop_map(|at| at.to_string()),
        (2..=high.min(9)).prop_map(|step| format!("*/{step}")),
        (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        proptest::collection::btree_set(low..=high, 1..4)
            .prop_map(|all| { all.iter().map(u32::to_string).collect::<Vec<_>>().join(",") }),
    ]
}

fn days() -> impl Strategy<Value = String> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    prop_oneof![
        3 => Just("* * *".to_owned()),
        2 => (1u32..=28, field(1, 12)).prop_map(|(day, month)| format!("{day} {month} *")),
        // From a day to itself is one day here, and a week there.
        2 => (0usize..6, 1usize..7).prop_map(|(from, more)| {
            format!("* * {}-{}", NAMES[from], NAMES[(from + more).min(6)])
        }),
        1 => (0usize..7).prop_map(|day| format!("* * {}", NAMES[day])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn away_from_clock_changes_it_fires_as_an_independent_cron_does(
        minute in field(0, 59), hour in field(0, 23), days in days(),
        zone in 0..TZ_VARIANTS.len(), seconds in 1_600_000_000i64..2_100_000_000,
    ) {
        let zone = TZ_VARIANTS[zone];
        let after = DateTime::from_timestamp(seconds, 0).unwrap();
        let text = format!("{minute} {hour} {days}");
        let (ours, theirs) = (ours(&text, zone, after, 6), theirs(&text, zone, after, 6));
        let span = theirs.last().copied().unwrap_or(after).max(*ours.last().unwrap());
        // A fire on either side of a change, or in the hours after it, is looked at by name.
        let first = after.year();
        let changes: Vec<_> = (first..=span.year()).flat_map(|y| transitions(zone, y)).collect();
        let is_near = |at: &DateTime<Utc>| {
            changes.iter().any(|change| (*at - *change).abs() <= TimeDelta::hours(3))
        };
        prop_assume!(span.year() - first < 3);
        let far = |fires: &[DateTime<Utc>]| -> Vec<DateTime<Utc>> {
            let until = *fires.iter().max().unwrap();
            let until = until.min(*theirs.last().unwrap()).min(*ours.last().unwrap());
            fires.iter().copied().filter(|at| *at <= until && !is_near(at)).collect()
        };
        prop_assert_eq!(far(&ours), far(&theirs), "{} in {}", text, zone);
    }

    #[test]
    fn a_fixed_time_of_day_fires_as_an_independent_cron_does_through_every_change(
        minute in 0u32..60, hour in 0u32..24, zone in 0..TZ_VARIANTS.len(),
        seconds in 1_600_000_000i64..1_900_000_000,
    ) {
        let zone = TZ_VARIANTS[zone];
        let after = DateTime::from_timestamp(seconds, 0).unwrap();
        let text = format!("{minute} {hour} * * *");
        let (ours, theirs) = (ours(&text, zone, after, 400), theirs(&text, zone, after, 400));
        // Both say: once a day, whatever the clock does. They may differ about a time that the
        // clock leaps over: the other may move it to the end of the leap.
        let ours_days: Vec<NaiveDate> =
            ours.iter().map(|at| day_of(*at, zone, (hour, minute))).collect();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            prop_assert!((*ours - *theirs).abs() <= TimeDelta::hours(2), "{} {}", ours, theirs);
        }
        let mut once = ours_days.clone();
        once.dedup();
        prop_assert_eq!(once.len(), ours_days.len(), "{} in {}", text, zone);
    }
}

/// The day that a fire of this time stands for: where the clock leaps over the end of a day, it
/// comes at the beginning of the next.
fn day_of(at: DateTime<Utc>, zone: Tz, (hour, minute): (u32, u32)) -> NaiveDate {
    let wall = at.with_timezone(&zone).naive_local();
    let is_moved = (wall.hour(), wall.minute()) < (hour, minute);
    wall.date() - Days::new(is_moved.into())
}

/// Each change of a zone's clock in these years, with the local time that it is made at.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    (2024..=2037).flat_map(|year| transitions(zone, year)).collect()
}

/// At each change of the zone: a daily time inside of it fires once that day, and an hourly
/// schedule fires once in each hour that the clock shows.
fn every_change(zone: Tz, spring: (u32, u32), autumn: (u32, u32)) {
    let changes = changes(zone);
    assert_eq!(changes.len(), 28, "{zone}: two a year");
    for change in changes {
        let offset = |at: DateTime<Utc>| {
            zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
        };
        let is_spring = offset(change) > offset(change - TimeDelta::minutes(15));
        let (hour, minute) = if is_spring { spring } else { autumn };
        let day = change.with_timezone(&zone).date_naive();
        let midnight = zone.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).unwrap();
        let before = midnight.to_utc() - TimeDelta::seconds(1);
        let end = before + TimeDelta::hours(if is_spring { 23 } else { 25 });
        let daily = ours(&format!("{minute} {hour} * * *"), zone, before, 2);
        assert!(daily[0] <= end && daily[1] > end, "{zone} {change}: once on {day}");
        let wall = daily[0].with_timezone(&zone).naive_local();
        let named = day.and_hms_opt(hour, minute, 0).unwrap();
        if is_spring {
            assert_eq!(wall, named + TimeDelta::hours(1), "{zone}: leapt over, an hour later");
        } else {
            assert_eq!(wall, named, "{zone}");
            let again = daily[0] + TimeDelta::hours(1);
            assert_eq!(again.with_timezone(&zone).naive_local(), named, "the first of the two");
        }
        let hourly = ours("17 * * * *", zone, before, 24);
        let on_day = hourly.iter().filter(|at| **at <= end).count();
        assert_eq!(on_day, if is_spring { 23 } else { 24 }, "{zone} {change}");
        let next = midnight.to_utc() + TimeDelta::hours(if is_spring { 23 } else { 25 });
        assert_eq!(next.with_timezone(&zone).date_naive(), day + Days::new(1));
    }
}

#[test]
fn every_clock_change_of_auckland() {
    every_change(Pacific::Auckland, (2, 30), (2, 30));
}

#[test]
fn every_clock_change_of_sydney() {
    every_change(Australia::Sydney, (2, 30), (2, 30));
}

#[test]
fn every_clock_change_of_london() {
    every_change(Europe::London, (1, 30), (1, 30));
}

#[test]
fn every_clock_change_of_new_york() {
    every_change(America::New_York, (2, 30), (1, 30));
}

#[test]
fn a_time_that_the_clock_leaps_over_at_the_end_of_a_day_fires_once_for_that_day() {
    // In Nuuk the clock goes from 22:59 on 30 March 2024 to 00:00 on the 31st.
    let after = "2024-03-29T12:00:00Z".parse().unwrap();
    let fires = ours("0 23 * * *", America::Nuuk, after, 4);
    let walls: Vec<String> =
        fires.iter().map(|at| at.with_timezone(&America::Nuuk).naive_local().to_string()).collect();
    assert_eq!(
        walls,
        [
            "2024-03-29 23:00:00",
            "2024-03-31 00:00:00",
            "2024-03-31 23:00:00",
            "2024-04-01 23:00:00"
        ]
    );
}

#[test]
fn weekdays_and_hours_are_of_one_clock() {
    // E40: Monday 08:00 in Auckland is still Sunday in UTC.
    let after = "2026-11-21T00:00:00Z".parse().unwrap();
    let fires = ours("0 8 * * mon", Pacific::Auckland, after, 2);
    let texts: Vec<String> = fires.iter().map(DateTime::to_rfc3339).collect();
    assert_eq!(texts, ["2026-11-22T19:00:00+00:00", "2026-11-29T19:00:00+00:00"]);
}
