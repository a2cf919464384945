//! Sets of scopes, and what one set holds of another.

use std::fmt;

use super::catalogue::{Scope, catalogue};

/// A set of catalogue scopes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct ScopeSet(u128);

impl ScopeSet {
    pub const EMPTY: Self = Self(0);

    pub fn insert(&mut self, scope: Scope) {
        self.0 |= 1 << scope.0;
    }

    #[must_use]
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope.0) != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Every scope of `other` is in it, to the letter.
    #[must_use]
    pub fn is_superset(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// In order of name.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = u8::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
            left &= left - 1;
            Some(Scope(lowest))
        })
    }

    #[must_use]
    pub fn any_broad(self) -> bool {
        self.0 & catalogue().masks.broad != 0
    }

    #[must_use]
    pub fn any_granular(self) -> bool {
        self.0 & catalogue().masks.granular != 0
    }

    /// The part that decides readiness: without identity scopes.
    #[must_use]
    pub fn deciding(self) -> Self {
        Self(self.0 & !catalogue().masks.identity)
    }

    /// The scope itself, or the write scope that covers it.
    #[must_use]
    pub fn holds(self, required: Scope) -> bool {
        self.with_covered().contains(required)
    }

    /// What of `required` decides and is not held (docs/classes.md, "Readiness").
    #[must_use]
    pub fn missing(self, required: Self) -> Self {
        Self(required.deciding().0 & !self.with_covered().0)
    }

    /// With the `.read` of every write scope in it: the bit above the write scope's.
    fn with_covered(self) -> Self {
        Self(self.0 | (self.0 & catalogue().masks.writes) << 1)
    }

    /// Its names in order, joined by single spaces: the one text of a set.
    #[must_use]
    pub fn canonical(self) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::EMPTY;
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Status;
    use super::*;
    use proptest::prelude::*;

    fn set(names: &str) -> ScopeSet {
        names
            .split_whitespace()
            .map(|name| catalogue().find(name).unwrap_or_else(|| panic!("{name}")))
            .collect()
    }

    fn any_set() -> impl Strategy<Value = ScopeSet> {
        let all: Vec<Scope> = catalogue().scopes().collect();
        let count = all.len();
        proptest::sample::subsequence(all, 0..=count)
            .prop_map(|scopes| scopes.into_iter().collect())
    }

    #[test]
    fn a_write_scope_covers_its_read_but_not_the_other_way_round() {
        let required = set("accounting.invoices.read accounting.settings");
        assert!(set("accounting.invoices accounting.settings").missing(required).is_empty());
        let held = set("accounting.invoices.read accounting.settings.read");
        assert_eq!(held.missing(required), set("accounting.settings"));
    }

    #[test]
    fn identity_scopes_are_never_missing_and_broad_ones_hold_nothing_for_others() {
        let required = set("openid profile email offline_access accounting.invoices");
        assert_eq!(set("accounting.transactions").missing(required), set("accounting.invoices"));
        assert!(set("accounting.invoices").missing(required).is_empty());
    }

    proptest! {
        #[test]
        fn a_set_is_what_is_iterated_in_order_of_name(of in any_set()) {
            let scopes: Vec<Scope> = of.iter().collect();
            prop_assert_eq!(scopes.len(), usize::try_from(of.len()).unwrap());
            prop_assert!(scopes.windows(2).all(|pair| pair[0].name() < pair[1].name()));
            prop_assert!(scopes.iter().all(|scope| of.contains(*scope)));
            prop_assert_eq!(scopes.into_iter().collect::<ScopeSet>(), of);
        }

        /// The masks against the words of the catalogue.
        #[test]
        fn every_question_is_answered_as_a_walk_through_the_names_would(
            held in any_set(),
            required in any_set(),
        ) {
            let any = |status| held.iter().any(|scope| scope.status() == status);
            prop_assert_eq!(held.any_broad(), any(Status::Broad));
            prop_assert_eq!(held.any_granular(), any(Status::Granular));
            let holds = |name: &str| {
                held.iter().any(|scope| {
                    scope.name() == name || format!("{scope}.read") == name
                })
            };
            let missing: Vec<&str> = required
                .iter()
                .filter(|scope| scope.status() != Status::Identity)
                .map(Scope::name)
                .filter(|name| !holds(name))
                .collect();
            let answered: Vec<&str> = held.missing(required).iter().map(Scope::name).collect();
            prop_assert_eq!(answered, missing);
            for scope in required.iter() {
                prop_assert_eq!(held.holds(scope), holds(scope.name()));
            }
        }
    }
}
