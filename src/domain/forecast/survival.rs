//! What share of those told at a stage is ready so many days later, and what share is not yet:
//! the estimate of Kaplan and Meier (1958), by days, with Greenwood's error.

use chrono::NaiveDate;
use serde::Serialize;

use super::history::Cohorts;
use super::interval::Interval;

/// Of one age, over all cohorts that have reached it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Age {
    /// Those who were still awaiting at the beginning of that day.
    pub at_risk: f64,
    pub ready: f64,
    pub left: f64,
}

/// By days since they were told; 0 is the day itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LifeTable {
    pub ages: Vec<Age>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Days after the telling.
    pub days: usize,
    /// Share that is ready by then.
    pub ready: Interval,
    /// Connections that the estimate rests on at that age.
    pub at_risk: u64,
}

impl LifeTable {
    /// Of the cohorts of a stage, up to the end of a day.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn of(cohorts: &Cohorts, stage: &str, last: NaiveDate) -> Self {
        let mut table = Self::default();
        for ((_, since), cohort) in cohorts.iter().filter(|((of, _), _)| of == stage) {
            let ages = usize::try_from((last - *since).num_days() + 1).unwrap_or_default();
            if table.ages.len() < ages {
                table.ages.resize(ages, Age::default());
            }
            let mut alive = cohort.entered;
            for (age, day) in table.ages.iter_mut().zip(since.iter_days()).take(ages) {
                let (ready, left) = cohort.exits.get(&day).copied().unwrap_or_default();
                let ready = ready.min(alive);
                age.at_risk += alive as f64;
                age.ready += ready as f64;
                let left = left.min(alive - ready);
                age.left += left as f64;
                alive -= ready + left;
            }
        }
        table
    }

    /// The share that is ready after each age, as far as anybody has been watched.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count that was made a float"
    )]
    pub fn curve(&self) -> Vec<Point> {
        let (mut surviving, mut greenwood) = (1.0, 0.0);
        let mut points = Vec::new();
        for (days, age) in self.ages.iter().enumerate() {
            if age.at_risk <= 0.0 {
                break;
            }
            // Who leaves on a day is watched for half of it.
            let watched = (age.at_risk - age.left / 2.0).max(age.ready).max(0.5);
            surviving *= 1.0 - age.ready / watched;
            greenwood += age.ready / (watched * (watched - age.ready).max(0.5));
            let share: f64 = 1.0 - surviving;
            // As many things as would leave a plain share this uncertain.
            let effective = if greenwood > 0.0 && surviving > 0.0 {
                (share / (surviving * greenwood)).min(age.at_risk.max(self.entered()))
            } else {
                self.entered()
            };
            points.push(Point {
                days,
                ready: Interval::of_share(share, effective),
                at_risk: age.at_risk as u64,
            });
        }
        points
    }

    /// Everyone that the table began with.
    #[must_use]
    pub fn entered(&self) -> f64 {
        self.ages.first().map_or(0.0, |age| age.at_risk)
    }

    /// Events and exposure within ages, of those who became ready.
    #[must_use]
    pub fn within(&self, ages: std::ops::Range<usize>) -> (f64, f64) {
        let ages = self.ages.iter().take(ages.end).skip(ages.start);
        ages.fold((0.0, 0.0), |(ready, days), age| (ready + age.ready, days + age.at_risk))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::history::Cohort;
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 12, 30).unwrap() + chrono::Days::new(number.into())
    }

    fn cohorts() -> Cohorts {
        let exits = BTreeMap::from([(day(0), (10, 0)), (day(2), (9, 0))]);
        let young = BTreeMap::from([(day(3), (20, 0))]);
        Cohorts::from([
            (("invitation".into(), day(0)), Cohort { entered: 100, exits }),
            (("invitation".into(), day(3)), Cohort { entered: 100, exits: young }),
            (("reminder".into(), day(3)), Cohort { entered: 7, exits: BTreeMap::new() }),
        ])
    }

    #[test]
    fn the_young_count_only_for_the_ages_they_have_reached() {
        let table = LifeTable::of(&cohorts(), "invitation", day(3));
        let at_risk: Vec<f64> = table.ages.iter().map(|age| age.at_risk).collect();
        assert_eq!(at_risk, [200.0, 90.0, 90.0, 81.0]);
        let ready: Vec<f64> = table.curve().iter().map(|point| point.ready.middle).collect();
        // 30 of 200 on the day itself, then 9 of 90 among those watched longer.
        assert!((ready[0] - 0.15).abs() < 1e-9 && (ready[2] - 0.235).abs() < 1e-9, "{ready:?}");
    }

    #[test]
    fn the_less_watched_the_less_certain() {
        let curve = LifeTable::of(&cohorts(), "invitation", day(3)).curve();
        let width = |point: &Point| point.ready.high - point.ready.low;
        assert!(width(&curve[3]) > width(&curve[0]), "{curve:?}");
        assert!(curve.iter().all(|point| point.ready.holds(point.ready.middle)));
    }

    #[test]
    fn a_stage_that_nobody_was_told_at_has_no_curve() {
        assert_eq!(LifeTable::of(&cohorts(), "final-notice", day(3)).curve(), []);
    }
}
