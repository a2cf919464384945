//! One way the rest of the campaign may go, day by day, for whole cohorts.

use chrono::NaiveDate;

use super::chance::Chance;
use super::hazard::{Hazards, span};

/// Ages that are told apart; who was told longer ago is in the last.
pub const AGES: usize = 31;

/// One of the days to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    pub day: NaiveDate,
    /// The stage that is due on it, by its place.
    pub stage: Option<usize>,
    /// Connections whose people can be told on it, at most; `None` for no limit.
    pub let_out: Option<f64>,
    /// Share of the stage that is held back, so that its effect can be measured.
    pub held_back: f64,
}

/// Where everybody awaiting is.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Not told yet, and can be.
    pub untold: f64,
    /// Cannot be told: without an address, exempt, or left to people.
    pub apart: f64,
    /// By stage and age.
    pub told: Vec<[f64; AGES]>,
    /// A stage that is under way, and whom it has still to tell.
    pub under_way: Option<(usize, f64)>,
}

impl State {
    /// All awaiting.
    #[must_use]
    pub fn awaiting(&self) -> f64 {
        self.untold + self.apart + self.told.iter().flatten().sum::<f64>()
    }

    /// Whom a stage has still to tell.
    fn before(&self, stage: usize) -> f64 {
        let earlier = self.told.iter().take(stage).flatten();
        self.untold + earlier.sum::<f64>()
    }

    /// Tells a share of those whom a stage has not reached.
    fn tell(&mut self, stage: usize, share: f64) {
        let mut reached = self.untold * share;
        self.untold -= reached;
        for many in self.told.iter_mut().take(stage).flatten() {
            let told = *many * share;
            *many -= told;
            reached += told;
        }
        if let Some(ages) = self.told.get_mut(stage) {
            ages[0] += reached;
        }
    }

    fn grow_older(&mut self) {
        for ages in &mut self.told {
            let oldest = ages[AGES - 1] + ages[AGES - 2];
            ages.copy_within(0..AGES - 1, 1);
            ages[0] = 0.0;
            ages[AGES - 1] = oldest;
        }
    }

    /// Lets people follow, and some leave; gives the number of those who became ready.
    fn follow(&mut self, rates: &[[f64; AGES]], hazards: &Hazards, chance: &mut Chance) -> f64 {
        let mut expected = (self.untold + self.apart) * hazards.organic;
        for (ages, rates) in self.told.iter().zip(rates) {
            expected += ages.iter().zip(rates).map(|(many, rate)| many * rate).sum::<f64>();
        }
        let ready = chance.around(expected, self.awaiting());
        let luck = if expected > 0.0 { ready / expected } else { 0.0 };
        let stays = |rate: f64| (1.0 - (rate * luck).min(1.0)) * (1.0 - hazards.left);
        self.untold *= stays(hazards.organic);
        self.apart *= stays(hazards.organic);
        for (ages, rates) in self.told.iter_mut().zip(rates) {
            for (many, rate) in ages.iter_mut().zip(rates).filter(|(many, _)| **many > 0.0) {
                *many *= stays(*rate);
            }
        }
        ready
    }

    /// Goes through the days; tells `each` how many are ready and awaiting at the end of each.
    pub fn run(
        mut self,
        ready: f64,
        days: &[Ahead],
        hazards: &Hazards,
        chance: &mut Chance,
        mut each: impl FnMut(usize, f64, f64),
    ) {
        let rates: Vec<[f64; AGES]> = hazards
            .stages
            .iter()
            .map(|stage| std::array::from_fn(|age| stage[span(age)]))
            .collect();
        let mut ready = ready;
        let (mut current, mut left_to_tell) = self.under_way.take().unzip();
        for (place, ahead) in days.iter().enumerate() {
            self.grow_older();
            if let Some(stage) = ahead.stage {
                let whole = self.before(stage);
                if current != Some(stage) {
                    current = Some(stage);
                    left_to_tell = Some(whole * (1.0 - ahead.held_back));
                }
                let left = left_to_tell.unwrap_or_default().min(whole);
                let told = ahead.let_out.map_or(left, |most| most.min(left));
                if told > 0.0 {
                    self.tell(stage, told / whole);
                }
                left_to_tell = Some(left - told);
            }
            ready += self.follow(&rates, hazards, chance);
            each(place, ready, self.awaiting());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hazard::SPANS;
    use super::*;

    fn hazards() -> Hazards {
        let stage = |rate| {
            let mut spans = [0.0; SPANS.len()];
            spans[0] = rate;
            spans
        };
        Hazards { organic: 0.0, left: 0.0, stages: vec![stage(0.2), stage(0.5)] }
    }

    fn days(stages: &[Option<usize>], let_out: Option<f64>) -> Vec<Ahead> {
        let first = NaiveDate::from_ymd_opt(2026, 12, 30).unwrap();
        let ahead = |(day, stage): (NaiveDate, &Option<usize>)| Ahead {
            day,
            stage: *stage,
            let_out,
            held_back: 0.0,
        };
        first.iter_days().zip(stages).map(ahead).collect()
    }

    fn start() -> State {
        State { untold: 100_000.0, apart: 1000.0, told: vec![[0.0; AGES]; 2], under_way: None }
    }

    fn ran(state: State, days: &[Ahead]) -> Vec<(f64, f64)> {
        let mut course = Vec::new();
        state.run(0.0, days, &hazards(), &mut Chance::new(1), |_, ready, awaiting| {
            course.push((ready, awaiting));
        });
        course
    }

    #[test]
    fn who_is_told_follows_at_the_rate_of_the_stage_and_nobody_is_lost() {
        let course = ran(start(), &days(&[Some(0), Some(0), Some(1)], None));
        let near = |(ready, awaiting): (f64, f64), expected: f64| {
            assert!((ready - expected).abs() < 0.03 * expected, "{ready} {expected}");
            assert!((ready + awaiting - 101_000.0).abs() < 1.0);
        };
        near(course[0], 20_000.0);
        // The second day tells nobody anew, and only the first day moves anybody here.
        near(course[1], 20_000.0);
        near(course[2], 60_000.0);
    }

    #[test]
    fn a_cap_lets_them_out_over_days() {
        let course = ran(start(), &days(&[Some(0), None, Some(0)], Some(10_000.0)));
        assert!((course[0].0 - 2000.0).abs() < 200.0);
        assert_eq!(course[1].0, course[0].0);
        assert!((course[2].0 - 4000.0).abs() < 300.0);
    }

    #[test]
    fn who_is_held_back_is_told_at_the_next_stage() {
        let mut ahead = days(&[Some(0), Some(0), Some(1)], None);
        ahead[0].held_back = 0.5;
        ahead[1].held_back = 0.5;
        let course = ran(start(), &ahead);
        assert!((course[1].0 - 10_000.0).abs() < 500.0, "{course:?}");
        assert!((course[2].0 - 55_000.0).abs() < 1500.0, "{course:?}");
    }
}
