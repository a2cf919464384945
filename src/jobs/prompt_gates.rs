//! What stops all prompts of a run: everything that holds is said at once, and stands in the
//! plan.

use std::collections::BTreeSet;

use crate::config::Step;
use crate::domain::confirmation::Subject;
use crate::domain::reason::Code;
use crate::report::plan::{BlockedBy, Plan};

use super::confirming;
use super::exit::Exit;
use super::failure::Failure;
use super::outside::Asked;
use super::preflight::{Finding, Preflight};
use super::prompt_step::PromptStep;
use super::run::{Finished, Setting};
use super::weather;

/// Whether nothing may be sent.
pub(super) fn is_blocked(plan: &Plan) -> bool {
    plan.blocked_by.iter().any(|gate| gate.step == Step::Prompt.as_str())
}

/// Whether nothing would be sent anyway, for reasons that are nobody's mistake.
fn is_at_rest(plan: &Plan) -> bool {
    plan.blocked_by.iter().any(|gate| {
        gate.step == Step::Prompt.as_str()
            && matches!(gate.code, Code::SwitchedOff | Code::FirstScan | Code::Paused)
    })
}

impl Setting<'_> {
    /// Looks at everything that prompts rely on. Gives what asks whether the links lead
    /// anywhere, where anybody gets one.
    pub(super) async fn gates_of_prompts(
        &self,
        step: &PromptStep<'_>,
        channels: &BTreeSet<String>,
        finished: &mut Finished,
    ) -> Result<Option<Asked>, Failure> {
        if !self.config.prompts.enabled {
            return Ok(None);
        }
        let store = &step.workplace.store;
        if let Some(pause) = store.pause_in_force().await? {
            let text = format!("paused by {}: {}", pause.by, pause.reason);
            self.block(Code::Paused, text, finished);
        }
        if let Some(moved) = step.workplace.home_moved().await? {
            let remedy = "if nothing was sent from another since, worker confirm database";
            self.block(Code::DatabaseMoved, format!("{}: {remedy}", moved.text), finished);
        }
        if !self.dry_run
            && let Some(text) = weather::differing(step.workplace.ahead(self.clock).await?)
        {
            self.block(Code::ClockDiffers, text, finished);
        }
        // Files go to nobody: they are for looking at before anybody vouches for anything.
        if channels.iter().all(|channel| channel == "file") {
            return Ok(None);
        }
        let word = confirming::link_word(store, self.config).await?;
        if let Some(lacks) = word.lacks(Subject::Link) {
            self.block(Code::NotConfirmed, lacks, finished);
        }
        // Nobody is asked anything where nothing would be sent.
        let asked = match self.dry_run || is_blocked(&finished.plan) {
            true => None,
            false => match step.workplace.asked(self.config) {
                Ok(asked) => Some(asked),
                Err(finding) => {
                    self.block_on(finding, finished);
                    return Ok(None);
                }
            },
        };
        let preflight =
            Preflight { store, config: self.config, now: self.clock.now(), asked: asked.as_ref() };
        let own = store.own_required_sets().await?;
        for finding in preflight.check(&own).await? {
            self.block_on(finding, finished);
        }
        Ok(asked)
    }

    fn block_on(&self, finding: Finding, finished: &mut Finished) {
        self.block(finding.code, format!("{}: {}", finding.text, finding.remedy), finished);
    }

    /// Notes that nothing is sent, and why.
    pub(super) fn block(&self, code: Code, text: String, finished: &mut Finished) {
        let gate = BlockedBy { step: Step::Prompt.as_str(), code, text };
        if self.dry_run || code == Code::Paused || is_at_rest(&finished.plan) {
            tracing::info!(code = code.as_str(), "nothing is sent: {}", gate.text);
        } else {
            tracing::error!(code = code.as_str(), "nothing is sent: {}", gate.text);
            finished.exit = finished.exit.and(Exit::Stopped);
        }
        finished.plan.blocked_by.push(gate);
    }
}
