//! Evidence: where a grant's scopes were read, and when; and how differing readings of one
//! grant are settled (docs/classes.md, "Evidence").

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::scopes::ScopeSet;

/// Which field of a row the scopes were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The column `scopes`.
    Scopes,
    /// The claims of `access_token`.
    AccessToken,
    /// `scope` in `token_response`.
    TokenResponse,
    /// The claims of `access_token` in `token_response`.
    TokenResponseAccessToken,
}

impl Source {
    /// The word for it in tables and results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::AccessToken => "access_token",
            Self::TokenResponse => "token_response",
            Self::TokenResponseAccessToken => "token_response_access_token",
        }
    }
}

/// One reading of a grant's scopes. A text without a known scope is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    pub source: Source,
    pub scopes: ScopeSet,
    /// A token's `auth_time`, else its `iat`; a text's `evidence_at`.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub at: Option<DateTime<Utc>>,
}

/// What a grant's evidence comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing was read.
    Nothing,
    /// One reading stands.
    On(Evidence),
    /// Readings differ, and neither time nor containment tells which is right.
    Disputed,
}

/// Settles all readings of one grant, in whatever order they come.
///
/// Among dated readings the newest stands, since a consent or a revocation replaces what was
/// before. Time says nothing about the others, so of what is left the set that contains all
/// the rest stands: scopes only add up (docs/xero.md, "Grants and connections").
#[must_use]
pub fn settle(evidence: &[Evidence]) -> Settled {
    let newest = evidence.iter().filter_map(|reading| reading.at).max();
    let contest = || evidence.iter().filter(|reading| reading.at.is_none() || reading.at == newest);
    let all = contest().fold(ScopeSet::EMPTY, |all, reading| all.union(reading.scopes));
    let winner = contest()
        .filter(|reading| reading.scopes == all)
        .min_by_key(|reading| (reading.at.is_none(), reading.source));
    match winner {
        Some(reading) => Settled::On(*reading),
        None if evidence.is_empty() => Settled::Nothing,
        None => Settled::Disputed,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::super::scopes::catalogue;
    use super::*;

    fn set(names: &[&str]) -> ScopeSet {
        names.iter().map(|name| catalogue().find(name).expect("a scope of the catalogue")).collect()
    }

    fn text(scopes: ScopeSet, day: Option<u32>) -> Evidence {
        Evidence {
            source: Source::Scopes,
            scopes,
            at: day.map(|day| Utc.with_ymd_and_hms(2026, 10, day, 0, 0, 0).unwrap()),
        }
    }

    const BROAD: &[&str] = &["accounting.transactions", "accounting.contacts"];
    const GRANULAR: &[&str] = &["accounting.invoices", "accounting.contacts"];

    #[test]
    fn the_newer_of_two_dated_readings_stands_even_if_it_holds_less() {
        let old = text(set(BROAD), Some(1));
        let new = text(set(&["accounting.contacts"]), Some(2));
        assert_eq!(settle(&[old, new]), Settled::On(new));
        assert_eq!(settle(&[new, old]), Settled::On(new));
    }

    #[test]
    fn without_a_date_the_set_that_contains_the_other_stands() {
        let small = text(set(&["accounting.contacts"]), None);
        let large = text(set(BROAD), None);
        assert_eq!(settle(&[small, large]), Settled::On(large));
        let dated = text(set(&["accounting.contacts"]), Some(9));
        assert_eq!(settle(&[dated, large]), Settled::On(large));
    }

    #[test]
    fn readings_that_neither_time_nor_containment_settles_are_disputed() {
        assert_eq!(settle(&[text(set(BROAD), None), text(set(GRANULAR), None)]), Settled::Disputed);
        assert_eq!(
            settle(&[text(set(BROAD), Some(3)), text(set(GRANULAR), None)]),
            Settled::Disputed
        );
        assert_eq!(
            settle(&[text(set(BROAD), Some(3)), text(set(GRANULAR), Some(3))]),
            Settled::Disputed
        );
    }

    #[test]
    fn no_reading_is_no_evidence() {
        assert_eq!(settle(&[]), Settled::Nothing);
    }

    proptest! {
        #[test]
        fn the_order_of_readings_does_not_matter(
            readings in proptest::collection::vec((0usize..4, proptest::option::of(1u32..4)), 0..6),
            seed in any::<u64>(),
        ) {
            let sets = [set(BROAD), set(GRANULAR), set(&["accounting.contacts"]), set(BROAD).union(set(GRANULAR))];
            let readings: Vec<Evidence> = readings.into_iter().map(|(which, day)| text(sets[which], day)).collect();
            let mut shuffled = readings.clone();
            if !shuffled.is_empty() {
                let turn = usize::try_from(seed % shuffled.len() as u64).unwrap();
                shuffled.rotate_left(turn);
                shuffled.reverse();
            }
            prop_assert_eq!(settle(&readings), settle(&shuffled));
        }
    }
}
