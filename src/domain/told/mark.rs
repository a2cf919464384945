//! Prompts that there are already, and what is open to each.

use chrono::{DateTime, NaiveDate, Utc};

/// Where a prompt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptState {
    /// To go out, from a time on.
    Queued,
    /// In somebody's hands until a time.
    Leased,
    /// About to be handed over, or in the middle of it.
    Sending,
    Sent,
    /// Refused for good, or given up.
    Refused,
    /// Nobody knows whether it arrived.
    Unknown,
}

impl PromptState {
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Leased, Self::Sending, Self::Sent, Self::Refused, Self::Unknown];

    /// The word in the database and in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A prompt that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub recipient: String,
    pub stage: String,
    pub channel: String,
    pub edition: i64,
    /// Which of the messages of a stage that goes out as often as there are removals.
    pub wave: i64,
    pub state: PromptState,
    /// When it may go, while it is queued; the end of the lease, while somebody has it.
    pub until: DateTime<Utc>,
    /// The deadline that its message named, once there was one.
    pub deadline: Option<DateTime<Utc>>,
    pub bounced: bool,
    /// The campaign's day on which it counts against the caps.
    pub day: Option<NaiveDate>,
}

/// What is open to a prompt of one stage to one recipient by one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// It has been gone: nothing is left to do at this stage.
    Done,
    /// It waits for its next try.
    Later(DateTime<Utc>),
    /// Another worker is at it.
    InFlight,
    Unknown,
    Refused,
    Bounced,
}

impl Mark {
    pub(super) fn way(&self, now: DateTime<Utc>) -> Way {
        match self.state {
            PromptState::Queued if self.until > now => Way::Later(self.until),
            PromptState::Queued => Way::Open,
            PromptState::Leased if self.until > now => Way::InFlight,
            PromptState::Leased => Way::Open,
            PromptState::Sending if self.until > now => Way::InFlight,
            // What a webhook may have been told is told again, in the same words.
            PromptState::Sending if self.channel.starts_with("webhook:") => Way::Open,
            PromptState::Sending | PromptState::Unknown => Way::Unknown,
            PromptState::Sent if self.bounced => Way::Bounced,
            PromptState::Sent => Way::Done,
            PromptState::Refused => Way::Refused,
        }
    }
}
