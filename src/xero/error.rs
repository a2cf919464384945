//! What can go wrong with a call of Xero's, and what to do about it.

use chrono::TimeDelta;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing was done there; the same call may succeed later, not before the time given.
    Wait(Option<TimeDelta>),
    /// The call may have taken effect: read back before anything else.
    ReadBack,
    /// A person has to change something first.
    Stop,
}

/// Why a call came to no definite answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No call is allowed, or nobody can tell whether one is: nothing was sent.
    #[error("Xero is not called: {0}")]
    Withheld(String),
    /// The token endpoint says no, or a fresh token is refused.
    #[error("Xero does not accept the app's credentials: {0}")]
    Credentials(String),
    /// 429, with its `Retry-After`; or a call that would have to wait too long for its turn, and was
    /// not sent.
    #[error("the limit on calls is reached: {limit}")]
    Limited { limit: String, after: Option<TimeDelta> },
    /// An outage, or no connection: the request had no effect.
    #[error("Xero cannot be reached or is down: {0}")]
    Unavailable(String),
    /// The request was sent, and no answer came that tells what it did.
    #[error("no answer from Xero: {0}")]
    Lost(String),
    /// 5xx to a call that changes something: it may be carried out behind a gateway that gave up.
    #[error("Xero failed in the middle of it: {0}")]
    Failed(String),
    /// An answer that is none of the documented ones.
    #[error("Xero answered something unexpected: {0}")]
    Unexpected(String),
}

impl Error {
    #[must_use]
    pub fn decision(&self) -> Decision {
        match self {
            Self::Withheld(_) | Self::Credentials(_) => Decision::Stop,
            Self::Limited { after, .. } => Decision::Wait(*after),
            Self::Unavailable(_) => Decision::Wait(None),
            Self::Lost(_) | Self::Failed(_) | Self::Unexpected(_) => Decision::ReadBack,
        }
    }
}
