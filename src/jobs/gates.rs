//! What keeps whole steps from having effects, as far as the configuration and the day tell.

use crate::config::{Job, Source, Step};
use crate::domain::reason::Code;
use crate::report::plan::BlockedBy;

use super::run::Setting;

impl Setting<'_> {
    /// All at once.
    pub(super) fn gates(&self, job: &Job, is_first: bool) -> Vec<BlockedBy> {
        let config = self.config;
        let prompts_enabled = config.prompts.enabled;
        let removal_enabled = config.removal.as_ref().is_some_and(|removal| removal.enabled);
        let is_live = matches!(config.inventory.source, Source::Sql { .. } | Source::Table);
        let gates = [
            (Step::Prompt, !prompts_enabled, Code::SwitchedOff),
            (Step::Prompt, is_first, Code::FirstScan),
            (Step::Remove, !removal_enabled, Code::SwitchedOff),
            (Step::Remove, is_first, Code::FirstScan),
            (Step::Remove, !is_live, Code::InventoryNotLive),
            (Step::Remove, config.app.client_secret.is_none(), Code::NoXeroCredentials),
            (Step::Remove, self.clock.now() >= config.campaign.deadline, Code::DeadlinePassed),
        ];
        gates
            .into_iter()
            .filter(|(step, holds, _)| *holds && job.steps.contains(step))
            .map(|(step, _, code)| BlockedBy {
                step: step.as_str(),
                code,
                text: code.text().into(),
            })
            .collect()
    }
}
