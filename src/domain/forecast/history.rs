//! The campaign's own past, laid out by cohort: those told at one stage on one day, those
//! held back at one, and those not told at all.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::daily::{Count, Measure};

/// Connections that were told at a stage on one day, or held back there.
pub type Cohorts = BTreeMap<(String, NaiveDate), Cohort>;

/// What became of a cohort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    pub entered: u64,
    /// By day: became ready, and went elsewhere.
    pub exits: BTreeMap<NaiveDate, (u64, u64)>,
}

impl Cohort {
    /// Those who are still in it at the end of a day.
    #[must_use]
    pub fn left_after(&self, day: NaiveDate) -> u64 {
        let gone: u64 = self.exits.range(..=day).map(|(_, (ready, else_))| ready + else_).sum();
        self.entered.saturating_sub(gone)
    }
}

/// All that was counted.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) levels: BTreeMap<NaiveDate, BTreeMap<Measure, u64>>,
    pub told: Cohorts,
    pub held: Cohorts,
    /// Became ready, or left, before anybody told them, by day.
    pub organic: BTreeMap<NaiveDate, (u64, u64)>,
    /// Of the reasons for which something is held back, by the day of the last count.
    pub(super) parts: BTreeMap<(Measure, String), BTreeMap<NaiveDate, u64>>,
}

impl History {
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = Count>) -> Self {
        let mut history = Self::default();
        for count in counts {
            history.add(count);
        }
        history
    }

    fn add(&mut self, count: Count) {
        let Count { day, measure, part, since, number } = count;
        match (measure, since) {
            (Measure::Told, _) => self.told.entry((part, day)).or_default().entered += number,
            (Measure::Held, _) => self.held.entry((part, day)).or_default().entered += number,
            (Measure::BecameReady | Measure::Left | Measure::Moved, Some(since)) => {
                exit(&mut self.told, part, since, day, measure == Measure::BecameReady, number);
            }
            (Measure::HeldReady | Measure::HeldLeft | Measure::HeldMoved, Some(since)) => {
                exit(&mut self.held, part, since, day, measure == Measure::HeldReady, number);
            }
            (Measure::BecameReady, None) => self.organic.entry(day).or_default().0 += number,
            (Measure::Left, None) => self.organic.entry(day).or_default().1 += number,
            (measure, _) if part.is_empty() && !measure.is_event() => {
                self.levels.entry(day).or_default().insert(measure, number);
            }
            (measure, _) => {
                *self.parts.entry((measure, part)).or_default().entry(day).or_default() += number;
            }
        }
    }

    #[must_use]
    pub fn first_day(&self) -> Option<NaiveDate> {
        self.levels.keys().next().copied()
    }

    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        self.levels.keys().next_back().copied()
    }

    /// Where it stood on each day on which a run counted.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = (NaiveDate, &BTreeMap<Measure, u64>)> {
        self.levels.iter().map(|(day, levels)| (*day, levels))
    }

    /// Where it stood at the end of a day: as on the last one that was counted.
    #[must_use]
    pub fn level(&self, day: NaiveDate, measure: Measure) -> Option<u64> {
        let (_, levels) = self.levels.range(..=day).next_back()?;
        levels.get(&measure).copied()
    }

    /// What is counted by its parts (stages, reasons, languages), each with all of its days.
    pub fn parts(
        &self,
        measure: Measure,
    ) -> impl Iterator<Item = (&str, &BTreeMap<NaiveDate, u64>)> {
        self.parts
            .range((measure, String::new())..)
            .take_while(move |((of, _), _)| *of == measure)
            .map(|((_, part), days)| (part.as_str(), days))
    }

    /// Awaiting connections that were told at a stage, at the end of a day.
    #[must_use]
    pub fn told_and_awaiting(&self, day: NaiveDate) -> u64 {
        let until = |((_, since), _): &(&(String, NaiveDate), &Cohort)| *since <= day;
        self.told.iter().filter(until).map(|(_, cohort)| cohort.left_after(day)).sum()
    }

    /// Everyone ever told at a stage.
    #[must_use]
    pub fn told_at(&self, stage: &str) -> u64 {
        self.told.iter().filter(|((of, _), _)| of == stage).map(|(_, it)| it.entered).sum()
    }

    /// Of those told at a stage last, how many became ready.
    #[must_use]
    pub fn ready_after(&self, stage: &str) -> u64 {
        let of_stage = self.told.iter().filter(|((of, _), _)| of == stage);
        of_stage.flat_map(|(_, it)| it.exits.values()).map(|(ready, _)| ready).sum()
    }
}

fn exit(
    cohorts: &mut Cohorts,
    stage: String,
    since: NaiveDate,
    day: NaiveDate,
    is_ready: bool,
    number: u64,
) {
    let exits = cohorts.entry((stage, since)).or_default().exits.entry(day).or_default();
    *(if is_ready { &mut exits.0 } else { &mut exits.1 }) += number;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn count(on: &str, measure: Measure, part: &str, since: &str, number: u64) -> Count {
        Count { day: day(on), measure, part: part.into(), since: since.parse().ok(), number }
    }

    #[test]
    fn a_cohort_shrinks_by_those_who_are_ready_leave_or_are_told_again() {
        let history = History::new([
            count("2026-12-31", Measure::Told, "invitation", "", 10),
            count("2027-01-01", Measure::BecameReady, "invitation", "2026-12-31", 3),
            count("2027-01-01", Measure::Left, "invitation", "2026-12-31", 1),
            count("2027-01-02", Measure::Moved, "invitation", "2026-12-31", 2),
            count("2027-01-02", Measure::BecameReady, "", "", 5),
        ]);
        let left = ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"]
            .map(|on| history.told_and_awaiting(day(on)));
        assert_eq!(left, [0, 10, 6, 4]);
        assert_eq!(history.ready_after("invitation"), 3);
        assert_eq!(history.organic[&day("2027-01-02")], (5, 0));
    }

    #[test]
    fn a_day_without_a_run_stands_where_the_last_counted_one_did() {
        let history = History::new([
            count("2026-12-30", Measure::Awaiting, "", "", 7),
            count("2027-01-03", Measure::Awaiting, "", "", 5),
        ]);
        let level = |on| history.level(day(on), Measure::Awaiting);
        assert_eq!(level("2027-01-02"), Some(7));
        assert_eq!((level("2026-12-29"), level("2027-01-09")), (None, Some(5)));
    }
}
