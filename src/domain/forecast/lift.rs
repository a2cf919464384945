//! What a stage really does: those told at it against those who were passed over by chance.

use chrono::NaiveDate;
use serde::Serialize;

use super::history::History;
use super::interval::Interval;
use super::survival::LifeTable;

/// The effect of one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lift {
    pub stage: String,
    /// Days after the telling, or the passing over, at which the two are compared.
    pub days: usize,
    pub told: u64,
    pub held_back: u64,
    /// Share that was ready by then.
    pub told_ready: Interval,
    pub held_back_ready: Interval,
    /// The one less the other: what the stage added.
    pub lift: Interval,
}

/// Fewer passed over than this say nothing.
const LEAST_HELD: u64 = 20;

/// The lift of every stage that held anybody back, where there is enough to compare.
#[must_use]
pub fn lifts(history: &History, last: NaiveDate) -> Vec<Lift> {
    let mut stages: Vec<&String> = history.held.keys().map(|(stage, _)| stage).collect();
    stages.dedup();
    stages.into_iter().filter_map(|stage| lift(history, stage, last)).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts that were made floats"
)]
fn lift(history: &History, stage: &str, last: NaiveDate) -> Option<Lift> {
    let told = LifeTable::of(&history.told, stage, last);
    let held = LifeTable::of(&history.held, stage, last);
    let (of_told, of_held) = (told.curve(), held.curve());
    // At the last age at which at least half of either were watched.
    let watched = |table: &LifeTable| {
        let enough = |age: &&super::survival::Age| age.at_risk * 2.0 >= table.entered();
        table.ages.iter().take_while(enough).count()
    };
    let days = watched(&told).min(watched(&held)).checked_sub(1)?;
    let (told_ready, held_back_ready) = (of_told.get(days)?.ready, of_held.get(days)?.ready);
    let held_back = held.entered() as u64;
    (held_back >= LEAST_HELD).then(|| Lift {
        stage: stage.to_owned(),
        days,
        told: told.entered() as u64,
        held_back,
        told_ready,
        held_back_ready,
        lift: told_ready.less(held_back_ready),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::example::day;
    use super::super::history::Cohort;
    use super::*;

    fn history(told_ready: u64, held: u64, held_ready: u64) -> History {
        let cohort = |entered, ready| {
            let exits = BTreeMap::from([(day("2027-01-03"), (ready, 0))]);
            BTreeMap::from([(
                ("reminder".to_owned(), day("2027-01-01")),
                Cohort { entered, exits },
            )])
        };
        History {
            told: cohort(900, told_ready),
            held: cohort(held, held_ready),
            ..History::default()
        }
    }

    #[test]
    fn the_lift_is_what_those_told_did_beyond_the_others() {
        let lifts = lifts(&history(270, 100, 10), day("2027-01-20"));
        let [lift] = lifts.as_slice() else { panic!("{lifts:?}") };
        assert!((lift.lift.middle - 0.2).abs() < 1e-9, "{lift:?}");
        assert!(lift.lift.low > 0.12 && lift.lift.high < 0.26, "{lift:?}");
        assert_eq!((lift.told, lift.held_back), (900, 100));
    }

    #[test]
    fn an_effect_that_is_none_has_zero_in_its_interval() {
        let lifts = lifts(&history(90, 100, 10), day("2027-01-20"));
        assert!(lifts[0].lift.holds(0.0), "{lifts:?}");
    }

    #[test]
    fn a_few_who_were_passed_over_say_nothing() {
        assert_eq!(lifts(&history(270, 19, 2), day("2027-01-20")), []);
        assert_eq!(lifts(&History::default(), day("2027-01-20")), []);
    }
}
