//! How recipients are named in results: by address where somebody may see it, else by
//! pseudonym.

use crate::domain::pseudonym::{is_one, pseudonym};

/// How recipients appear in a result.
#[derive(Clone, Copy, Debug)]
pub enum Naming<'a> {
    /// To whoever may see them.
    Addresses,
    Pseudonyms(&'a [u8; 32]),
}

impl Naming<'_> {
    /// The name of a recipient, by its key.
    #[must_use]
    pub fn name(&self, recipient: &str) -> String {
        match self {
            Self::Addresses => recipient.to_owned(),
            // Of somebody who was forgotten, there is no other name.
            Self::Pseudonyms(_) if is_one(recipient) => recipient.to_owned(),
            Self::Pseudonyms(key) => pseudonym(key, recipient),
        }
    }
}
