//! The second step of planning: one prompt for each recipient, stage and channel, most urgent
//! first, and removals by least use, each against its caps.

use std::io;

use uuid::Uuid;

use crate::domain::budget::{Budget, Used};
use crate::domain::decide::{Action, HeldBack};
use crate::domain::grant::ConnectionKey;
use crate::domain::reason::{Code, Reason};
use crate::domain::scopes::ScopeSet;
use crate::jobs::sorter::{Groups, Sorter};
use crate::report::plan::{HeldBackEntry, Plan, PromptEntry};

use super::Planning;
use super::record::{Held, Line, Prompt, Removal, decode, encode, hold};

impl Planning<'_> {
    pub(super) fn cap_prompts(
        &self,
        lines: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> io::Result<()> {
        let mut by_urgency = Sorter::default();
        let mut groups = Groups::of(lines.finish()?)?;
        while let Some((name, records)) = groups.next_group()? {
            let lines: Vec<Line> =
                records.iter().map(|record| decode(record)).collect::<io::Result<_>>()?;
            let last_used = lines.iter().filter_map(|line| line.last_used).max();
            let missing = lines.iter().fold(ScopeSet::EMPTY, |all, line| all.union(line.missing));
            let connections = lines.iter().map(|line| line.connection).collect();
            let Some(first) = lines.into_iter().next() else { continue };
            let prompt = Prompt {
                stage: first.stage,
                channel: first.channel,
                recipient: first.recipient,
                connections,
                missing,
            };
            encode(&prompt, buffer)?;
            by_urgency.push(self.urgency(prompt.stage, last_used, name), buffer)?;
        }
        let mut budget = Budget::of_prompts(self.rules.prompts, Used::default());
        let mut sorted = by_urgency.finish()?;
        let mut record = Vec::new();
        while sorted.next(&mut record)?.is_some() {
            let prompt: Prompt = decode(&record)?;
            let is_mail = matches!(prompt.channel.as_str(), "email" | "file");
            let spent = if is_mail && self.rules.prompts.max_per_address_per_day == 0 {
                Err(vec![Code::MaxPerAddressPerDay.into()])
            } else {
                budget.take()
            };
            match spent {
                Ok(()) => plan.prompts.push(&self.entry(prompt))?,
                Err(reasons) => {
                    for shown in prompt.connections {
                        let key = Uuid::from_u128(shown.key);
                        let connection = ConnectionKey(key);
                        let reasons = reasons.clone();
                        let back = HeldBack { connection, action: Action::Prompt, reasons };
                        hold(held, buffer, back, shown.is_id.then_some(key))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Later stages first, then those who used the product last: they have most to lose.
    fn urgency(&self, stage: usize, last_used: Option<i64>, name: u128) -> u128 {
        let rank = self.rules.campaign.stages.len().saturating_sub(stage) as u128;
        let unused = u64::MAX - last_used.map_or(0, |micros| micros.max(0).unsigned_abs());
        rank << 120 | u128::from(unused) << 56 | name >> 72
    }

    fn entry(&self, prompt: Prompt) -> PromptEntry {
        let stage = &self.rules.campaign.stages[prompt.stage];
        let since = self.rules.campaign.opens(stage).with_timezone(&self.rules.campaign.zone);
        let count = prompt.connections.len();
        let mut connections: Vec<String> =
            prompt.connections.iter().map(|shown| Uuid::from_u128(shown.key).to_string()).collect();
        connections.sort_unstable();
        PromptEntry {
            stage: stage.name.clone(),
            recipient: self.naming.name(&prompt.recipient),
            channel: prompt.channel,
            connections,
            message_sha256: None,
            reason: format!(
                "stage {} is due since {}; {count} connection{} await{} {}",
                stage.name,
                since.format("%Y-%m-%d"),
                if count == 1 { "" } else { "s" },
                if count == 1 { "s" } else { "" },
                prompt.missing
            ),
        }
    }

    pub(super) fn cap_removals(
        &self,
        removals: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> io::Result<()> {
        let Some(policy) = self.rules.removal else { return Ok(()) };
        let mut budget = Budget::of_removals(policy, self.present, Used::default());
        let mut sorted = removals.finish()?;
        let mut record = Vec::new();
        while sorted.next(&mut record)?.is_some() {
            let removal: Removal = decode(&record)?;
            match budget.take() {
                Ok(()) => plan.removals.push(&removal.entry)?,
                Err(reasons) => {
                    let connection = ConnectionKey(removal.connection);
                    let back = HeldBack { connection, action: Action::Remove, reasons };
                    hold(held, buffer, back, Some(removal.connection))?;
                }
            }
        }
        Ok(())
    }
}

/// One entry for each connection and action, with every reason once.
pub(super) fn list_held_back(held: Sorter, plan: &mut Plan) -> io::Result<()> {
    let mut groups = Groups::of(held.finish()?)?;
    while let Some((key, records)) = groups.next_group()? {
        let records: Vec<Held> =
            records.iter().map(|record| decode(record)).collect::<io::Result<_>>()?;
        for (action, is_removal) in [(Action::Prompt, false), (Action::Remove, true)] {
            let mut reasons: Vec<Reason> = Vec::new();
            let of_action = records.iter().filter(|held| held.is_removal == is_removal);
            for (position, text) in of_action.flat_map(|held| &held.reasons) {
                let Some(code) = Code::ALL.get(*position) else { continue };
                if reasons.iter().all(|known| known.code != *code) {
                    reasons.push(code.because(text.clone()));
                }
            }
            if !reasons.is_empty() {
                plan.held_back.push(&HeldBackEntry {
                    connection_id: records.iter().find_map(|held| held.id).map(|id| id.to_string()),
                    connection_key: Uuid::from_u128(key).to_string(),
                    action,
                    reasons,
                })?;
            }
        }
    }
    Ok(())
}
