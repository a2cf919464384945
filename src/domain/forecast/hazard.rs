//! How readily people follow: the share of those still awaiting that becomes ready on a day,
//! by stage and by how long ago they were told; as it was seen, and as it may really be.

use super::chance::Chance;
use super::history::History;
use super::survival::LifeTable;

use chrono::NaiveDate;

use crate::domain::daily::Measure;

/// Days since the telling within which people are taken to be equally ready to follow.
pub const SPANS: [std::ops::Range<usize>; 6] = [0..1, 1..3, 3..7, 7..14, 14..30, 30..usize::MAX];

/// The span of an age.
#[must_use]
pub fn span(age: usize) -> usize {
    SPANS.iter().position(|span| span.contains(&age)).unwrap_or(SPANS.len() - 1)
}

/// How far stages differ from one another, as a share of their effect: with nothing known of a
/// stage it is taken to work as the others do, give or take four tenths.
const STAGES_DIFFER: f64 = 0.4;
/// Events that the other stages' example counts for in each span of a stage.
const EXAMPLE: f64 = 3.0;
/// How far a rate wanders in the months to come.
const DRIFT: f64 = 0.15;
/// Least to most that is left of an effect in the next span, where it was not seen.
const FADES: (f64, f64) = (0.25, 1.0);

/// Events and days of exposure.
type Seen = (f64, f64);

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Of those nobody has told.
    pub organic: Seen,
    /// Of all awaiting: no longer awaiting though not ready.
    pub left: Seen,
    /// By stage, in the campaign's order.
    pub stages: Vec<[Seen; SPANS.len()]>,
}

/// One way it may really be.
#[derive(Clone, Debug)]
pub struct Hazards {
    pub organic: f64,
    pub left: f64,
    pub stages: Vec<[f64; SPANS.len()]>,
}

impl Evidence {
    /// Of these stages, up to the end of the last day that was counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn of(history: &History, stages: &[&str], last: NaiveDate) -> Self {
        let first = history.first_day().unwrap_or(last);
        let mut evidence = Self::default();
        for day in first.iter_days().take_while(|day| *day <= last) {
            let awaiting = history.level(day, Measure::Awaiting).unwrap_or_default();
            let (ready, left) = history.organic.get(&day).copied().unwrap_or_default();
            let untold = awaiting.saturating_sub(history.told_and_awaiting(day));
            evidence.organic.0 += ready as f64;
            evidence.organic.1 += (untold + ready) as f64;
            evidence.left.0 += left as f64;
            evidence.left.1 += awaiting as f64;
        }
        for stage in stages {
            let table = LifeTable::of(&history.told, stage, last);
            evidence.stages.push(SPANS.map(|span| table.within(span)));
        }
        evidence
    }

    /// Draws one of the ways it may really be.
    pub fn draw(&self, chance: &mut Chance) -> Hazards {
        let base = self.base(chance);
        // The stages that were seen are themselves a few of all that there might be: with one of
        // them nobody knows whether it was a good one.
        let seen = self.stages.iter().filter(|seen| seen.iter().any(|(ready, _)| *ready > 0.0));
        let spread =
            STAGES_DIFFER / f64::from(u32::try_from(seen.count()).unwrap_or(1).max(1)).sqrt();
        let usual = (spread * chance.normal()).exp();
        let stages = self.stages.iter().map(|seen| stage(seen, &base, usual, chance)).collect();
        let (ready, days) = self.organic;
        let organic = wander(chance, 2.0) * chance.gamma(ready + 0.5) / (days + 1000.0);
        let (left, days) = self.left;
        let left = chance.gamma(left + 0.5) / (days + 1000.0);
        Hazards { organic: organic.min(0.5), left: left.min(0.1), stages }
    }

    /// What stages have in common, by span.
    fn base(&self, chance: &mut Chance) -> [f64; SPANS.len()] {
        let mut before = 0.01;
        std::array::from_fn(|span| {
            let (ready, days) = self.stages.iter().fold((0.0, 0.0), |(ready, days), seen| {
                (ready + seen[span].0, days + seen[span].1)
            });
            let faded = before * (FADES.0 + (FADES.1 - FADES.0) * chance.even());
            // Where little was seen, the span before says as much as it does.
            let rate = chance.gamma(ready + 1.0) / (days + 1.0 / faded);
            before = rate.clamp(1e-7, 0.9);
            before
        })
    }
}

fn stage(
    seen: &[Seen; SPANS.len()],
    base: &[f64; SPANS.len()],
    usual: f64,
    chance: &mut Chance,
) -> [f64; SPANS.len()] {
    let ready: f64 = seen.iter().map(|(ready, _)| ready).sum();
    let expected: f64 = seen.iter().zip(base).map(|((_, days), rate)| days * rate).sum();
    let weight = 1.0 / (STAGES_DIFFER * STAGES_DIFFER);
    let effect = chance.gamma(ready + weight * usual) / (expected + weight);
    let drift = wander(chance, 1.0);
    std::array::from_fn(|span| {
        let (ready, days) = seen[span];
        let like_others = (effect * base[span]).max(1e-7);
        let rate = chance.gamma(ready + EXAMPLE) / (days + EXAMPLE / like_others);
        (drift * rate).min(0.9)
    })
}

fn wander(chance: &mut Chance, times: f64) -> f64 {
    (times * DRIFT * chance.normal()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(evidence: &Evidence, of: impl Fn(&Hazards) -> f64) -> (f64, f64) {
        let mut chance = Chance::new(3);
        let mut draws: Vec<f64> = (0..2000).map(|_| of(&evidence.draw(&mut chance))).collect();
        draws.sort_unstable_by(f64::total_cmp);
        (draws[1000], draws[1800] / draws[200])
    }

    fn seen(stages: Vec<[Seen; SPANS.len()]>) -> Evidence {
        Evidence { organic: (50.0, 100_000.0), left: (0.0, 1e6), stages }
    }

    #[test]
    fn much_evidence_is_believed_and_little_leaves_room() {
        let much = [
            (900.0, 10_000.0),
            (500.0, 18_000.0),
            (500.0, 34_000.0),
            (0.0, 0.0),
            (0.0, 0.0),
            (0.0, 0.0),
        ];
        let little = much.map(|(ready, days)| (ready / 100.0, days / 100.0));
        let (middle, spread) = drawn(&seen(vec![much]), |hazards| hazards.stages[0][0]);
        assert!((middle - 0.09).abs() < 0.005, "{middle}");
        let (_, wide) = drawn(&seen(vec![little]), |hazards| hazards.stages[0][0]);
        assert!(spread < 1.6 && wide > 1.5 * spread, "{spread} {wide}");
    }

    #[test]
    fn a_stage_that_was_never_sent_is_like_the_others_but_less_certain() {
        let much = [(900.0, 10_000.0); SPANS.len()];
        let none = [(0.0, 0.0); SPANS.len()];
        let evidence = seen(vec![much, none]);
        let (known, spread) = drawn(&evidence, |hazards| hazards.stages[0][1]);
        let (middle, wide) = drawn(&evidence, |hazards| hazards.stages[1][1]);
        assert!(middle > 0.5 * known && middle < 1.2 * known, "{middle} {known}");
        assert!(wide > 2.0 * spread, "{wide} {spread}");
    }

    #[test]
    fn an_effect_fades_where_nobody_has_been_watched_so_long() {
        let mut young = [(0.0, 0.0); SPANS.len()];
        young[0] = (900.0, 10_000.0);
        let (first, _) = drawn(&seen(vec![young]), |hazards| hazards.stages[0][0]);
        let (last, _) = drawn(&seen(vec![young]), |hazards| hazards.stages[0][5]);
        assert!(last < first / 4.0, "{first} {last}");
    }
}
