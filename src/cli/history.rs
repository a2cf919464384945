//! What happened to a connection, as `explain` tells it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::audit::Entry;
use crate::domain::digest::reference;
use crate::report::pseudonym::Naming;
use crate::store::prompts::PromptStory;

/// Something that happened.
#[derive(Serialize)]
pub(super) struct Happened {
    pub at: DateTime<Utc>,
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a prompt.
    #[serde(flatten)]
    pub prompt: Option<Prompted>,
    /// Of what was recorded.
    #[serde(flatten)]
    pub recorded: Option<Recorded>,
}

/// An entry of the record.
#[derive(Serialize)]
pub(super) struct Recorded {
    number: i64,
    by: Option<String>,
    detail: serde_json::Value,
}

/// What happened to a prompt.
#[derive(Serialize)]
pub(super) struct Prompted {
    reference: String,
    stage: String,
    channel: String,
    recipient: String,
    /// The removal date that it promised.
    promised: Option<DateTime<Utc>>,
    /// What the other side said.
    outcome: Option<String>,
    settled_by: Option<String>,
}

impl Happened {
    pub(super) fn change(
        at: DateTime<Utc>,
        what: &str,
        before: Option<String>,
        after: Option<String>,
    ) -> Self {
        Self { at, what: what.to_owned(), before, after, prompt: None, recorded: None }
    }

    /// What was recorded.
    pub(super) fn entry(entry: &Entry) -> Self {
        let detail = serde_json::from_str(&entry.detail).unwrap_or_default();
        let recorded = Recorded { number: entry.number, by: entry.by.clone(), detail };
        Self { recorded: Some(recorded), ..Self::change(entry.at, &entry.kind, None, None) }
    }

    /// What became of a prompt: one entry, or two where it came back later.
    pub(super) fn of(story: &PromptStory, naming: Naming<'_>) -> Vec<Self> {
        let prompted = || {
            Some(Prompted {
                reference: reference(story.prompt_id),
                stage: story.stage.clone(),
                channel: story.channel.clone(),
                recipient: naming.name(&story.recipient),
                promised: story.removal_from,
                outcome: story.outcome.clone(),
                settled_by: story.settled_by.clone(),
            })
        };
        let at = story.sent_at.unwrap_or(story.sending_at);
        let mut entries = vec![Self {
            prompt: prompted(),
            ..Self::change(at, &format!("prompt_{}", story.state), None, None)
        }];
        entries.extend(story.bounced_at.map(|at| Self {
            prompt: prompted(),
            ..Self::change(at, "prompt_bounced", None, None)
        }));
        entries
    }
}

impl Recorded {
    pub(super) fn text(&self) -> String {
        let by = self.by.as_ref().map(|by| format!("by {by}"));
        let told = super::audit::told(&self.detail.to_string());
        let parts = by.into_iter().chain((!told.is_empty()).then_some(told));
        parts.collect::<Vec<_>>().join(": ")
    }
}

impl Prompted {
    pub(super) fn text(&self, zone: Tz) -> String {
        let Self { reference, stage, channel, recipient, .. } = self;
        let mut text = format!("{stage} by {channel} to {recipient} ({reference})");
        if let Some(promised) = self.promised {
            let day = promised.with_timezone(&zone).format("%Y-%m-%d");
            text.push_str(&format!(", no removal before {day}"));
        }
        if let Some(outcome) = &self.outcome {
            text.push_str(&format!(": {outcome}"));
        }
        if let Some(by) = &self.settled_by {
            text.push_str(&format!(", settled by {by}"));
        }
        text
    }
}
