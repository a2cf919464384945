//! Reading a scope text.

use super::catalogue::Scope;
use super::set::ScopeSet;

/// A scope text, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeText {
    /// The known scopes in it. Empty: the text is no evidence.
    pub set: ScopeSet,
    /// Unknown words in lower case, sorted, once each.
    pub unknown: Vec<String>,
    /// Words (known or not) that occur more than once, sorted, once each.
    pub repeated: Vec<String>,
}

impl ScopeText {
    /// Reads a text in any notation; never fails.
    #[must_use]
    pub fn read(_text: &str) -> Self {
        Self::default()
    }
}

/// What an unknown word probably meant: one scope, or several joined by a space.
#[must_use]
pub fn meant(_word: &str) -> Option<String> {
    None
}

#[allow(dead_code)]
fn unused(_: Scope) {}
