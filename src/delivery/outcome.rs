//! What became of one attempt to deliver.

use std::time::Duration;

/// By what has to be done next, not by what went wrong. No text in it names a person: the
/// addresses in what other servers say are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it; `reference` is its own name for it.
    Accepted { reference: Option<String> },
    /// Refused for good: this message will never be taken.
    Refused { why: String },
    /// Refused for now; nothing was delivered.
    Deferred {
        why: String,
        /// When the other side asked to be tried again.
        retry_after: Option<Duration>,
        /// The way itself is down: any other message would have fared the same.
        channel_down: bool,
    },
    /// It may or may not have been delivered.
    Unknown { why: String },
}

impl Outcome {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(super) fn deferred(why: impl Into<String>) -> Self {
        Self::Deferred { why: why.into(), retry_after: None, channel_down: false }
    }

    pub(super) fn down(why: impl Into<String>) -> Self {
        Self::Deferred { why: why.into(), retry_after: None, channel_down: true }
    }

    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }
}
