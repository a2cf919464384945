//! How prompts are recorded: by id and pseudonym, with stage and channel.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};

/// What an update returns for the record, in the order of [`Recorded`].
pub(crate) const RECORDED: &str =
    "prompts.prompt_id, prompts.recipient, prompts.stage, prompts.channel, prompts.run_id";

/// A prompt that was just changed.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Recorded {
    pub prompt_id: Uuid,
    pub recipient: String,
    stage: String,
    channel: String,
    run_id: Uuid,
}

impl Recorded {
    pub(crate) fn act(&self, kind: Kind, at: DateTime<Utc>) -> Act {
        Act::new(kind, at)
            .run(self.run_id)
            .about(self.prompt_id)
            .person(&self.recipient)
            .with("stage", self.stage.as_str())
            .with("channel", self.channel.as_str())
    }
}
