//! Chance from a seed, the same on every machine: what a forecast draws its futures with.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut state = self.0;
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ state >> 31
    }

    /// Evenly between 0 and 1, never 0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are all that a float holds")]
    pub fn even(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal, mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.even(), self.even());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Gamma of this shape and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.even().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.even().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// How many of `whole` things happen that are expected to number `mean`: as a Poisson number,
    /// near enough, and never more than there are.
    pub fn around(&mut self, mean: f64, whole: f64) -> f64 {
        if mean > 30.0 {
            let spread = (mean * (1.0 - mean / whole.max(mean))).max(0.0).sqrt();
            return (mean + spread * self.normal()).round().clamp(0.0, whole);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.even(), 0.0);
        while product > limit && count < whole {
            product *= self.even();
            count += 1.0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_deviation(draws: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..draws).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / f64::from(draws);
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        (mean, (square / f64::from(draws)).sqrt())
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let mut chance = Chance::new(7);
        let near = |(mean, deviation): (f64, f64), (m, d): (f64, f64)| {
            assert!((mean - m).abs() < 0.05 * d.max(1.0), "{mean} is not {m}");
            assert!((deviation - d).abs() < 0.05 * d, "{deviation} is not {d}");
        };
        near(mean_and_deviation(20_000, || chance.even()), (0.5, 12_f64.sqrt().recip()));
        near(mean_and_deviation(20_000, || chance.normal()), (0.0, 1.0));
        near(mean_and_deviation(20_000, || chance.gamma(4.0)), (4.0, 2.0));
        near(mean_and_deviation(20_000, || chance.gamma(0.5)), (0.5, 0.5_f64.sqrt()));
        near(mean_and_deviation(20_000, || chance.around(3.0, 1e6)), (3.0, 3_f64.sqrt()));
        near(mean_and_deviation(20_000, || chance.around(400.0, 1e6)), (400.0, 20.0));
    }

    #[test]
    fn the_same_seed_gives_the_same_draws() {
        let draws = |seed| {
            let mut chance = Chance::new(seed);
            [chance.even(), chance.normal(), chance.gamma(2.0)]
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}
