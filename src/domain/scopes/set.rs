//! Sets of scopes, and what one set holds of another.

use std::fmt;

use super::catalogue::{Scope, Status, catalogue};

/// A set of catalogue scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        catalogue().scopes().filter(move |scope| self.contains(*scope))
    }

    #[must_use]
    pub fn any_broad(&self) -> bool {
        self.any(Status::Broad)
    }

    #[must_use]
    pub fn any_granular(&self) -> bool {
        self.any(Status::Granular)
    }

    fn any(self, status: Status) -> bool {
        self.iter().any(|scope| scope.status() == status)
    }

    /// The part that decides readiness: without identity scopes.
    #[must_use]
    pub fn deciding(self) -> Self {
        self.iter().filter(|scope| scope.status() != Status::Identity).collect()
    }

    /// The scope itself, or the write scope that covers it.
    #[must_use]
    pub fn holds(self, required: Scope) -> bool {
        self.contains(required)
            || self.iter().any(|held| held.read() == Some(required))
    }

    /// What of `required` decides and is not held (docs/classes.md, "Readiness").
    #[must_use]
    pub fn missing(self, required: Self) -> Self {
        required.deciding().iter().filter(|scope| !self.holds(*scope)).collect()
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
