//! Axes: round numbers and dates at which a line is drawn and something is written.

use chrono::{Datelike, Days, Months, NaiveDate};

/// Round numbers from 0 up to at least `most`, a handful of them. The last is the axis's end.
#[must_use]
pub fn ticks(most: f64) -> Vec<f64> {
    const ABOUT: f64 = 4.0;
    let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
    let rough = most / ABOUT;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|times| times * power);
    // Counts have no halves.
    let step = steps.into_iter().find(|step| *step >= rough && (*step >= 1.0 || most < 1.0));
    let step = step.unwrap_or(1.0).max(if most >= 1.0 { 1.0 } else { power });
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| *last < most) {
        ticks.push(ticks.len() as f64 * step);
    }
    ticks
}

/// Days between two at which a date is written, a handful of them: the beginnings of months, or
/// days where there are no months.
#[must_use]
pub fn date_ticks(first: NaiveDate, last: NaiveDate, most: usize) -> Vec<NaiveDate> {
    let most = most.max(2);
    let days = usize::try_from((last - first).num_days()).unwrap_or_default();
    if days < 62 {
        let step = days.div_ceil(most).max(1);
        return first.iter_days().step_by(step).take_while(|day| *day <= last).collect();
    }
    let months = days / 30 + 1;
    let step = [1, 2, 3, 4, 6, 12, 24, 60].into_iter().find(|step| months / step <= most);
    let step = step.unwrap_or(120);
    let mut ticks = Vec::new();
    let mut month = first.with_day(1).unwrap_or(first);
    while month <= last {
        let number = u32::try_from(month.year()).unwrap_or_default() * 12 + month.month0();
        if month >= first && number.is_multiple_of(u32::try_from(step).unwrap_or(1)) {
            ticks.push(month);
        }
        month = month
            .checked_add_months(Months::new(1))
            .or_else(|| month.checked_add_days(Days::new(31)))
            .unwrap_or(NaiveDate::MAX);
    }
    ticks
}

/// A date as an axis shows it: the year where it begins, and at the first.
#[must_use]
pub fn date_label(day: NaiveDate, before: Option<NaiveDate>, by_month: bool) -> String {
    let is_new_year = before.is_none_or(|before| before.year() != day.year());
    let form = match (by_month, is_new_year) {
        (true, true) => "%b %Y",
        (true, false) => "%b",
        (false, true) => "%-d %b %Y",
        (false, false) => "%-d %b",
    };
    day.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_round_and_reach_the_largest() {
        assert_eq!(ticks(821.0), [0.0, 250.0, 500.0, 750.0, 1000.0]);
        assert_eq!(ticks(3.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        for most in [1.0, 7.0, 99.0, 100.0, 101.0, 4096.0, 1e6] {
            let ticks = ticks(most);
            assert!((2..=7).contains(&ticks.len()), "{most}: {ticks:?}");
            assert!(*ticks.last().unwrap() >= most);
        }
    }

    #[test]
    fn months_are_marked_over_a_year_and_days_over_a_week() {
        let year = date_ticks(day("2026-11-22"), day("2027-09-13"), 6);
        assert_eq!(year.first(), Some(&day("2027-01-01")));
        assert!(year.len() <= 6, "{year:?}");
        let week = date_ticks(day("2026-12-29"), day("2027-01-04"), 6);
        assert_eq!(week[0], day("2026-12-29"));
        assert_eq!(date_ticks(day("2026-12-29"), day("2026-12-29"), 6), [day("2026-12-29")]);
    }

    #[test]
    fn the_year_is_written_where_it_begins() {
        let labels = [
            date_label(day("2026-11-01"), None, true),
            date_label(day("2026-12-01"), Some(day("2026-11-01")), true),
            date_label(day("2027-01-01"), Some(day("2026-12-01")), true),
        ];
        assert_eq!(labels, ["Nov 2026", "Dec", "Jan 2027"]);
    }
}
