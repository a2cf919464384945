//! Chance, from a seed: every question about everybody has a stream of its own, so that one
//! more customer, or one more question, changes nobody else's answers.

use std::hash::Hasher;

use chrono::TimeDelta;
use siphasher::sip::SipHasher13;

use crate::domain::forecast::Chance;

/// The beginning of all streams of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream for a question about somebody or something.
    #[must_use]
    pub fn about(self, question: &str, whom: &str) -> Chance {
        let mut hash = SipHasher13::new_with_keys(self.0, 0x7769_6c6c);
        hash.write(question.as_bytes());
        hash.write_u8(0);
        hash.write(whom.as_bytes());
        Chance::new(hash.finish())
    }
}

/// Whether something of this share happens.
#[must_use]
pub fn happens(chance: &mut Chance, share: f64) -> bool {
    chance.even() < share
}

/// A span that is longer than `half` in half of all cases, longer than twice that in a quarter,
/// and so on. Only steps that every machine computes alike are taken.
#[must_use]
pub fn span(chance: &mut Chance, half_days: f64) -> TimeDelta {
    let mut halves = 0.0;
    while halves < 12.0 && chance.even() < 0.5 {
        halves += 1.0;
    }
    minutes(half_days * 1440.0 * (halves + chance.even()))
}

/// The moment within a year at which something happens that has this share within the year.
#[must_use]
pub fn within_a_year(chance: &mut Chance, share: f64) -> Option<TimeDelta> {
    let drawn = chance.even();
    (drawn < share).then(|| minutes(365.0 * 1440.0 * (drawn / share)))
}

#[expect(clippy::cast_possible_truncation, reason = "a few years of minutes")]
fn minutes(count: f64) -> TimeDelta {
    TimeDelta::minutes(count.round().clamp(1.0, 5_256_000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_all_spans_are_within_the_half_and_streams_differ() {
        let seed = Seed(3);
        let within = (0..2_000)
            .filter(|one| {
                let mut chance = seed.about("follow", &one.to_string());
                span(&mut chance, 4.0) <= TimeDelta::days(4)
            })
            .count();
        assert!((900..1_100).contains(&within), "{within}");
        let draw = |question, whom| seed.about(question, whom).even().to_bits();
        assert_eq!(draw("follow", "ann"), draw("follow", "ann"));
        assert_ne!(draw("follow", "ann"), draw("leave", "ann"));
        assert_ne!(draw("follow", "ann"), draw("follow", "bob"));
    }

    #[test]
    fn what_has_no_share_never_happens_and_what_has_all_happens_within_the_year() {
        let mut chance = Seed(5).about("leave", "ann");
        assert_eq!(within_a_year(&mut chance, 0.0), None);
        let at = within_a_year(&mut chance, 1.0);
        assert!(at.is_some_and(|at| at <= TimeDelta::days(365)), "{at:?}");
    }
}
