//! From what became of an attempt to what happens to its prompt next.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand::Rng;

use crate::delivery::outcome::Outcome;
use crate::delivery::render::RenderError;
use crate::domain::told::PromptState;
use crate::store::prompts::{Ended, Leased};
use crate::store::{self, Store};

use super::ways::Way;

/// When a message is tried again whose template failed: once somebody has mended it.
const AFTER_MENDING: TimeDelta = TimeDelta::hours(1);

/// What became of the prompts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub sent: usize,
    pub unknown: usize,
    /// Attempts that failed, for good or for now.
    pub failures: usize,
    /// Held back only when it was their turn.
    pub held_back: usize,
}

/// What an attempt came to, in the ledger's words.
pub(super) struct Verdict {
    pub ended: Ended,
    /// The way itself is down.
    pub channel_down: bool,
    /// Refused for good: its recipient is not to be written to again.
    pub refused: bool,
}

/// Judges an attempt, which was the `attempts`th.
pub(super) fn judge(
    leased: &Leased,
    attempts: u32,
    outcome: Outcome,
    way: &Way,
    now: DateTime<Utc>,
    chance: &mut impl Rng,
) -> Verdict {
    let base = |state, outcome: Option<String>| Ended {
        prompt: leased.prompt,
        fence: leased.fence,
        state,
        attempted: true,
        outcome,
        reference: None,
        due_at: now,
    };
    match outcome {
        Outcome::Accepted { reference } => Verdict {
            ended: Ended { reference, ..base(PromptState::Sent, None) },
            channel_down: false,
            refused: false,
        },
        Outcome::Refused { why } => Verdict {
            ended: base(PromptState::Refused, Some(why)),
            channel_down: false,
            refused: true,
        },
        Outcome::Unknown { why } => Verdict {
            ended: base(PromptState::Unknown, Some(why)),
            channel_down: false,
            refused: false,
        },
        Outcome::Deferred { why, retry_after, channel_down } => {
            let ended = match way.schedule.pause(attempts, retry_after, chance) {
                Some(pause) => {
                    Ended { due_at: later(now, pause), ..base(PromptState::Queued, Some(why)) }
                }
                None => base(
                    PromptState::Refused,
                    Some(format!("given up after {attempts} attempts; the last: {why}")),
                ),
            };
            Verdict { ended, channel_down, refused: false }
        }
    }
}

/// To the microsecond, as the databases keep times.
fn later(now: DateTime<Utc>, pause: std::time::Duration) -> DateTime<Utc> {
    (now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::days(1))).trunc_subsecs(6)
}

/// A leased prompt goes back as it came.
pub(super) fn released(leased: &Leased, why: Option<String>, due_at: DateTime<Utc>) -> Ended {
    Ended {
        prompt: leased.prompt,
        fence: leased.fence,
        state: PromptState::Queued,
        attempted: false,
        outcome: why,
        reference: None,
        due_at,
    }
}

/// A prompt for which there is no message.
pub(super) fn unmade(leased: &Leased, error: &RenderError, now: DateTime<Utc>) -> Ended {
    let why = Some(error.to_string());
    match error {
        RenderError::NoAddress | RenderError::Mime(_) => {
            Ended { state: PromptState::Refused, ..released(leased, why, now) }
        }
        _ => released(leased, why, now + AFTER_MENDING),
    }
}

/// How a way answered in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    took_some: bool,
    /// Failures since the last one that it took.
    failures: usize,
}

impl Heard {
    pub(super) fn hear(&mut self, state: PromptState) {
        match state {
            PromptState::Sent => *self = Self { took_some: true, failures: 0 },
            _ => self.failures += 1,
        }
    }

    /// Writes it down, for a webhook.
    pub(super) async fn note(
        self,
        store: &Store,
        channel: &str,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let Some(webhook) = channel.strip_prefix("webhook:") else { return Ok(()) };
        if self.took_some && store.endpoint_is_well(webhook, now).await?.is_some() {
            tracing::info!(webhook, "the webhook takes messages again");
        }
        if self.failures > 0 {
            store.endpoint_failed(webhook, self.failures, now).await?;
        }
        Ok(())
    }
}

/// Stops a run whose messages fail one after the other: something is wrong that the next
/// ones would only repeat.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    attempts: usize,
    refused: usize,
}

impl Breaker {
    /// Attempts before a share means anything.
    const ENOUGH: usize = 20;

    pub(super) fn note(&mut self, state: PromptState) {
        self.attempts += 1;
        if matches!(state, PromptState::Refused | PromptState::Unknown) {
            self.refused += 1;
        }
    }

    /// More than half of enough attempts were refused for good or got lost.
    pub(super) fn is_open(self) -> bool {
        self.attempts >= Self::ENOUGH && 2 * self.refused > self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_when_more_than_half_of_enough_attempts_failed() {
        let noted = |failed: usize, fine: usize| {
            let mut breaker = Breaker::default();
            (0..failed).for_each(|_| breaker.note(PromptState::Refused));
            (0..fine).for_each(|_| breaker.note(PromptState::Sent));
            breaker.is_open()
        };
        assert!(!noted(19, 0), "too few to tell");
        assert!(!noted(10, 10), "half is not more than half");
        assert!(noted(11, 9));
    }
}
