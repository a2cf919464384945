//! The guard: a scan that would turn too much at once changes nothing, until a named person
//! lets this very one through (docs/guard.md).

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::campaign::GuardLimits;

/// What a scan would do, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub rows: u64,
    pub bad_rows: u64,
    /// Distinct connections that the inventory listed without a bad row.
    pub seen: u64,
    /// Present before; `None` before the first complete scan.
    pub before: Option<u64>,
    pub changed: u64,
    pub newly_gone: u64,
}

/// Why the guard objects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objection {
    Floor { seen: u64, floor: u64 },
    Change { changed: u64, newly_gone: u64, before: u64, limit: f64 },
    Bad { bad: u64, rows: u64, limit: f64 },
}

impl Objection {
    /// The word in results.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Floor { .. } => "floor",
            Self::Change { .. } => "max_change_percent",
            Self::Bad { .. } => "max_bad_percent",
        }
    }
}

impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Floor { seen, floor } => {
                write!(f, "the inventory lists {seen} connections, fewer than floor = {floor}")
            }
            Self::Change { changed, newly_gone, before, limit } => write!(
                f,
                "{changed} connections would change class and {newly_gone} would be gone, of {before}: \
                 more than max_change_percent = {limit}"
            ),
            Self::Bad { bad, rows, limit } => {
                write!(f, "{bad} of {rows} rows are bad: more than max_bad_percent = {limit}")
            }
        }
    }
}

/// All that the limits have against a scan.
#[must_use]
pub fn objections(effect: &Effect, limits: &GuardLimits) -> Vec<Objection> {
    let mut objections = Vec::new();
    if effect.seen < limits.floor {
        objections.push(Objection::Floor { seen: effect.seen, floor: limits.floor });
    }
    if let Some(before) = effect.before {
        let (changed, newly_gone) = (effect.changed, effect.newly_gone);
        if is_over(changed + newly_gone, before, limits.max_change_percent) {
            let limit = limits.max_change_percent;
            objections.push(Objection::Change { changed, newly_gone, before, limit });
        }
    }
    if is_over(effect.bad_rows, effect.rows, limits.max_bad_percent) {
        objections.push(Objection::Bad {
            bad: effect.bad_rows,
            rows: effect.rows,
            limit: limits.max_bad_percent,
        });
    }
    objections
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn is_over(part: u64, whole: u64, percent: f64) -> bool {
    part as f64 * 100.0 > percent * whole as f64
}

/// A number for one fact. Sums of them do not depend on the order of the facts, so that the
/// digest of a scan needs no sorted list of what it would do.
#[must_use]
pub fn weigh(parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// What a named person accepts: these objections to a scan with this very effect on what
/// the scan `last` left. It does not depend on the order of rows, nor on changes that the
/// guard does not look at; but once another scan was complete, nothing is accepted any more.
#[must_use]
pub fn digest(
    last: Option<Uuid>,
    objections: &[Objection],
    effect: &Effect,
    changes: u128,
    bad: u128,
) -> String {
    let mut hash = Sha256::new();
    hash.update(last.unwrap_or_default().as_bytes());
    for objection in objections {
        hash.update(objection.code().as_bytes());
        hash.update([0]);
        match objection {
            Objection::Floor { .. } => hash.update(effect.seen.to_le_bytes()),
            Objection::Change { .. } => hash.update(changes.to_le_bytes()),
            Objection::Bad { .. } => hash.update(bad.to_le_bytes()),
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GuardLimits =
        GuardLimits { floor: 1, max_change_percent: 20.0, max_bad_percent: 1.0 };

    fn effect() -> Effect {
        Effect { rows: 100, seen: 100, before: Some(100), ..Effect::default() }
    }

    fn codes(effect: &Effect, limits: &GuardLimits) -> Vec<&'static str> {
        objections(effect, limits).iter().map(Objection::code).collect()
    }

    #[test]
    fn the_limit_itself_is_still_allowed() {
        let at = Effect { changed: 15, newly_gone: 5, bad_rows: 1, ..effect() };
        assert_eq!(codes(&at, &LIMITS), Vec::<&str>::new());
        let over = Effect { changed: 16, newly_gone: 5, bad_rows: 2, ..effect() };
        assert_eq!(codes(&over, &LIMITS), ["max_change_percent", "max_bad_percent"]);
    }

    #[test]
    fn an_empty_inventory_is_stopped_even_before_the_first_scan() {
        let empty = Effect { rows: 0, seen: 0, before: None, ..Effect::default() };
        assert_eq!(codes(&empty, &LIMITS), ["floor"]);
    }

    #[test]
    fn nothing_is_compared_before_the_first_complete_scan() {
        let first = Effect { before: None, changed: 90, ..effect() };
        assert_eq!(codes(&first, &LIMITS), Vec::<&str>::new());
    }

    #[test]
    fn zero_means_none() {
        let limits = GuardLimits { floor: 0, max_change_percent: 0.0, max_bad_percent: 0.0 };
        let one = Effect { changed: 1, bad_rows: 1, ..effect() };
        assert_eq!(codes(&one, &limits), ["max_change_percent", "max_bad_percent"]);
        assert_eq!(codes(&Effect { seen: 0, ..effect() }, &limits), Vec::<&str>::new());
    }

    #[test]
    fn a_digest_names_one_effect() {
        let over = Effect { changed: 50, ..effect() };
        let objections = objections(&over, &LIMITS);
        let (a, b, c) = (weigh(&["a"]), weigh(&["b"]), weigh(&["c"]));
        let one = digest(None, &objections, &over, a.wrapping_add(b), 0);
        let same = digest(None, &objections, &over, b.wrapping_add(a), 7);
        let other = digest(None, &objections, &over, a.wrapping_add(c), 0);
        let later = digest(Some(Uuid::from_u128(1)), &objections, &over, a.wrapping_add(b), 0);
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_ne!(one, later);
        assert_eq!(one.len(), 32);
    }
}
