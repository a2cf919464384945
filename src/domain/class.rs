//! The class of a grant: what its scopes say about the migration (docs/classes.md).

use serde::{Deserialize, Serialize};

use super::scopes::ScopeSet;

/// What a grant's scopes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A deprecated scope and no replacement.
    BroadOnly,
    /// Deprecated scopes and replacements.
    Mixed,
    /// Replacements and nothing deprecated.
    Granular,
    /// Neither: the retirement does not touch it.
    Unaffected,
    /// No evidence, or evidence that cannot be settled.
    Unknown,
}

impl Class {
    /// The class of a settled set of scopes.
    #[must_use]
    pub fn of(scopes: &ScopeSet) -> Self {
        match (scopes.any_broad(), scopes.any_granular()) {
            (true, false) => Self::BroadOnly,
            (true, true) => Self::Mixed,
            (false, true) => Self::Granular,
            (false, false) => Self::Unaffected,
        }
    }

    /// The word for it everywhere outside the code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BroadOnly => "broad_only",
            Self::Mixed => "mixed",
            Self::Granular => "granular",
            Self::Unaffected => "unaffected",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
