//! The second step of planning: one prompt for each recipient, stage and channel, most urgent
//! first, and removals by least use, each against its caps.

use std::collections::HashMap;
use std::io;

use uuid::Uuid;

use crate::domain::budget::{Budget, PromptBudget};
use crate::domain::decide::{Action, HeldBack};
use crate::domain::grant::ConnectionKey;
use crate::domain::ramp;
use crate::domain::reason::{Code, Reason};
use crate::domain::scopes::ScopeSet;
use crate::domain::win_back::is_win_back;
use crate::jobs::scan::Error;
use crate::jobs::sorter::{Groups, Sorter};
use crate::report::plan::{HeldBackEntry, List, Plan};

use super::Planning;
use super::record::{Held, Line, Removal, Work, decode, encode, hold};

impl Planning<'_> {
    pub(super) async fn cap_prompts(
        &self,
        lines: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        work: &mut List,
    ) -> Result<(), Error> {
        let mut by_urgency = Sorter::default();
        let mut groups = Groups::of(lines.finish()?)?;
        while let Some((name, records)) = groups.next_group()? {
            let lines: Vec<Line> =
                records.iter().map(|record| decode(record)).collect::<io::Result<_>>()?;
            let last_used = lines.iter().filter_map(|line| line.last_used).max();
            let signalled = lines.iter().any(|line| line.signalled);
            let Some(prompt) = together(lines) else { continue };
            encode(&prompt, buffer)?;
            let urgency = self.urgency(prompt.stage, signalled, last_used, name);
            by_urgency.push(urgency, buffer)?;
        }
        let usage = self.store.prompt_usage(self.today()).await?;
        let mut budget = PromptBudget::new(self.rules.prompts, 0, usage.all_today());
        // What is told of removals comes first, and is all that may meet another mail to the
        // same person.
        let mut told: HashMap<String, u64> = HashMap::new();
        let mut sorted = by_urgency.finish()?;
        let mut record = Vec::new();
        while sorted.next(&mut record)?.is_some() {
            let prompt: Work = decode(&record)?;
            let stage = self.rules.stage_name(prompt.stage);
            let planned = told.get(&prompt.recipient).copied().unwrap_or_default();
            let mails = (prompt.channel == "email").then_some(prompt.mails + planned);
            match budget.take(stage, usage.of_stage(stage), mails) {
                Ok(()) => {
                    if mails.is_some() && is_win_back(stage) {
                        *told.entry(prompt.recipient.clone()).or_default() += 1;
                    }
                    work.push(&prompt)?;
                }
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

    /// What follows a removal and later stages first, then those for whom something fails
    /// already, then those who used the product last: they have most to lose.
    fn urgency(&self, stage: usize, signalled: bool, last_used: Option<i64>, name: u128) -> u128 {
        let rank = self.rules.campaign.stages.len().saturating_sub(stage) as u128;
        let unused = u64::MAX - last_used.map_or(0, |micros| micros.max(0).unsigned_abs());
        rank << 120 | u128::from(!signalled) << 119 | u128::from(unused) << 55 | name >> 73
    }

    pub(super) async fn cap_removals(
        &self,
        removals: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        let Some(policy) = self.rules.removal else { return Ok(()) };
        let usage = self.store.removal_usage(self.today()).await?;
        let ramp = ramp::step(policy, &usage.days, self.rules.now);
        // Of those that were there in the morning: what went since was one of them.
        let present = self.present + usage.today;
        let mut budget = Budget::of_removals(policy, present, (0, usage.today), &ramp);
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

/// One prompt of all lines that have stage, channel and recipient in common.
fn together(lines: Vec<Line>) -> Option<Work> {
    let missing = lines.iter().fold(ScopeSet::EMPTY, |all, line| all.union(line.missing));
    let connections = lines.iter().map(|line| line.connection).collect();
    let mut grants: Vec<u128> = lines.iter().map(|line| line.grant).collect();
    grants.sort_unstable();
    grants.dedup();
    let first = lines.into_iter().next()?;
    let Line { stage, wave, channel, recipient, mails, .. } = first;
    Some(Work { stage, wave, channel, recipient, connections, missing, grants, mails })
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
