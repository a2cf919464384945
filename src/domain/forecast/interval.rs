//! How far an estimate may be off. All intervals are of [`LEVEL`]: four truths of five lie inside.

use serde::Serialize;

/// The share of truths that an interval is to hold.
pub const LEVEL: f64 = 0.8;
/// The normal distribution's quantile for both ends of it.
const Z: f64 = 1.281_551_565_5;

/// An estimate with where the truth probably lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub middle: f64,
    pub high: f64,
}

impl Interval {
    #[must_use]
    pub fn exactly(value: f64) -> Self {
        Self { low: value, middle: value, high: value }
    }

    #[must_use]
    pub fn map(self, each: impl Fn(f64) -> f64) -> Self {
        Self { low: each(self.low), middle: each(self.middle), high: each(self.high) }
    }

    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The middle and both ends of a number of draws, which are put in order.
    #[must_use]
    pub fn of_draws(draws: &mut [f64]) -> Self {
        draws.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| quantile(draws, share);
        Self { low: at(0.5 - LEVEL / 2.0), middle: at(0.5), high: at(0.5 + LEVEL / 2.0) }
    }

    /// A share, `of` things being the whole (Wilson 1927).
    #[must_use]
    pub fn of_share(share: f64, of: f64) -> Self {
        if of <= 0.0 {
            return Self { low: 0.0, middle: share, high: 1.0 };
        }
        let square = Z * Z / of;
        let centre = (share + square / 2.0) / (1.0 + square);
        let half = Z / (1.0 + square) * (share * (1.0 - share) / of + square / (4.0 * of)).sqrt();
        Self {
            low: (centre - half).clamp(0.0, share),
            middle: share,
            high: (centre + half).clamp(share, 1.0),
        }
    }

    /// The difference of two shares, this one less the other (Newcombe 1998).
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        let middle = self.middle - other.middle;
        let spread = |a: f64, b: f64| (a * a + b * b).sqrt();
        Self {
            low: middle - spread(self.middle - self.low, other.high - other.middle),
            middle,
            high: middle + spread(self.high - self.middle, other.middle - other.low),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list of some hundreds"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_of_draws_leaves_a_tenth_on_either_side() {
        let mut draws: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(
            Interval::of_draws(&mut draws).map(f64::round),
            Interval { low: 10.0, middle: 50.0, high: 90.0 }
        );
    }

    #[test]
    fn the_interval_of_a_share_stays_within_nothing_and_all() {
        let none = Interval::of_share(0.0, 10.0);
        assert_eq!((none.low, none.middle), (0.0, 0.0));
        assert!(none.high > 0.1 && none.high < 0.2, "{none:?}");
        assert_eq!(Interval::of_share(1.0, 10.0).high, 1.0);
        assert_eq!(Interval::of_share(0.0, 0.0).high, 1.0);
    }

    #[test]
    fn a_difference_is_less_certain_than_each_of_its_shares() {
        let (one, other) = (Interval::of_share(0.5, 200.0), Interval::of_share(0.3, 50.0));
        let lift = one.less(other);
        assert!((lift.middle - 0.2).abs() < 1e-9);
        assert!(lift.high - lift.low > other.high - other.low);
    }
}
