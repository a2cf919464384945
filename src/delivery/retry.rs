//! When a message that was refused for now is tried again: over days, since a mail server's
//! grey list lifts in minutes and a product's broken deployment may take a weekend.

use std::time::Duration;

use rand::{Rng, RngExt};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The pauses after the first, second, … refusal; after the last, it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule(&'static [u64]);

/// E-mail, and files: four days less a few hours, as mail servers themselves do (RFC 5321,
/// section 4.5.4.1).
pub const MAIL: Schedule =
    Schedule(&[15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR]);

/// Webhooks: the first repeats of Standard Webhooks' example, then three days in all.
pub const WEBHOOK: Schedule = Schedule(&[
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
]);

impl Schedule {
    /// The pause after so many attempts, `None` when that was the last. A tenth more or less by
    /// chance, so that what failed together does not come back together; never less than
    /// the other side asked for.
    #[must_use]
    pub fn pause(
        self,
        attempts: u32,
        asked: Option<Duration>,
        chance: &mut impl Rng,
    ) -> Option<Duration> {
        let place = usize::try_from(attempts.checked_sub(1)?).ok()?;
        let pause = Duration::from_secs(*self.0.get(place)?);
        let planned = pause.mul_f64(chance.random_range(0.9..1.1));
        let asked = asked.unwrap_or_default().mul_f64(chance.random_range(1.0..1.1));
        Some(planned.max(asked))
    }

    /// How often it is tried at most.
    #[must_use]
    pub fn attempts(self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn pauses(schedule: Schedule, seed: u64) -> Vec<Duration> {
        let mut chance = StdRng::seed_from_u64(seed);
        (1..).map_while(|attempts| schedule.pause(attempts, None, &mut chance)).collect()
    }

    #[test]
    fn what_is_refused_for_now_is_tried_for_three_to_four_days() {
        for (schedule, first) in [(MAIL, 15 * MINUTE), (WEBHOOK, 5)] {
            for seed in 0..100 {
                let pauses = pauses(schedule, seed);
                let days = pauses.iter().sum::<Duration>().as_secs_f64() / 86_400.0;
                assert!((2.8..4.0).contains(&days), "{days}");
                let first = Duration::from_secs(first);
                assert!(pauses[0] > first.mul_f64(0.89) && pauses[0] < first.mul_f64(1.11));
                assert_eq!(pauses.len() + 1, schedule.attempts() as usize);
            }
        }
    }

    #[test]
    fn the_same_chance_gives_the_same_pauses_and_another_others() {
        assert_eq!(pauses(WEBHOOK, 7), pauses(WEBHOOK, 7));
        assert_ne!(pauses(WEBHOOK, 7), pauses(WEBHOOK, 8));
    }

    #[test]
    fn nobody_is_tried_sooner_than_they_asked_nor_once_it_is_over() {
        let mut chance = StdRng::seed_from_u64(1);
        let hour = Duration::from_secs(HOUR);
        let pause = WEBHOOK.pause(1, Some(hour), &mut chance).unwrap();
        assert!(pause >= hour && pause <= hour.mul_f64(1.1), "{pause:?}");
        assert_eq!(WEBHOOK.pause(WEBHOOK.attempts(), Some(hour), &mut chance), None);
        assert_eq!(WEBHOOK.pause(0, None, &mut chance), None);
    }
}
