//! What was handed over, against the promises.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use super::{InForce, Judge, Verdict, broken};
use crate::domain::win_back::is_win_back;
use crate::simulation::witness::Handed;

impl Judge {
    pub(super) fn message(&mut self, handed: &Handed, force: &InForce<'_>) -> Verdict {
        let at = handed.at;
        // What tells a webhook of a state has no stage.
        if handed.tells.stage.is_empty() {
            return Ok(());
        }
        let stage = handed.tells.stage.as_str();
        if force.is_first {
            return broken("no effects before a second scan", at, stage);
        }
        if force.is_paused {
            return broken("nothing while paused", at, stage);
        }
        if !handed.is_vouched {
            let what = format!("{stage}: Xero was not asked, or does not accept what is required");
            return broken("the link is right before anyone gets it", at, what);
        }
        if handed.is_page_down {
            return broken("the link is right before anyone gets it", at, stage);
        }
        let known = self.prompts.get(&handed.prompt).cloned();
        if known.as_ref().is_some_and(|sha256| *sha256 != handed.sha256)
            && handed.channel != "email"
        {
            return broken("every delivery has the same body", at, stage);
        }
        let campaign = &force.config.campaign;
        self.named.insert(handed.prompt, (campaign.deadline, campaign.required));
        self.ramp(stage, at, handed.is_taken && known.is_none(), force)?;
        let Some(address) = &handed.address else {
            self.prompts.insert(handed.prompt, handed.sha256.clone());
            return Ok(());
        };
        if handed.is_leaking {
            return broken("no message shows another person's data", at, address.as_str());
        }
        if !handed.is_awaited && !is_win_back(stage) {
            return broken("only on evidence", at, format!("{address} has nothing to consent to"));
        }
        if self.suppressed.contains(address) {
            return broken("never to a suppressed address", at, address.as_str());
        }
        if force.exempt.get(address).is_some_and(|until| at < *until) {
            return broken("never to whom is exempt", at, address.as_str());
        }
        if handed.is_refused {
            self.suppressed.insert(address.clone());
        }
        if !handed.is_taken {
            return Ok(());
        }
        if known.is_some() {
            return broken("once", at, format!("{stage} to {address} a second time"));
        }
        self.prompts.insert(handed.prompt, handed.sha256.clone());
        let told = (address.clone(), stage.to_owned(), force.edition);
        if !is_win_back(stage) && !self.stages.insert(told) {
            return broken("once", at, format!("{stage} to {address} under another id"));
        }
        self.caps(address, stage, at, force)
    }

    fn caps(
        &mut self,
        address: &str,
        stage: &str,
        at: DateTime<Utc>,
        force: &InForce<'_>,
    ) -> Verdict {
        let day = Self::day(force, at);
        let prompts = &force.config.prompts;
        let count = |map: &mut u32| {
            *map += 1;
            *map
        };
        let in_run = count(self.per_run.entry(force.run).or_default());
        let in_day = count(self.per_day.entry(day).or_default());
        let to_address = count(self.addresses.entry((address.to_owned(), day)).or_default());
        if prompts.max_per_run.is_some_and(|most| in_run > most) {
            return broken("bounded", at, format!("{in_run} messages in one run"));
        }
        if prompts.max_per_day.is_some_and(|most| in_day > most) {
            return broken("bounded", at, format!("{in_day} messages on {day}"));
        }
        if !is_win_back(stage) && to_address > prompts.max_per_address_per_day {
            return broken("bounded", at, format!("{to_address} messages to {address} on {day}"));
        }
        Ok(())
    }

    /// Of a stage, no more on its first days than the ramp has for them.
    fn ramp(
        &mut self,
        stage: &str,
        at: DateTime<Utc>,
        is_new: bool,
        force: &InForce<'_>,
    ) -> Verdict {
        if is_win_back(stage) {
            return Ok(());
        }
        let day = Self::day(force, at);
        let days = self.of_stage.entry(stage.to_owned()).or_default();
        let on_day = days.entry(day).or_default();
        // A day on which it was only tried is a day of the ramp, too.
        *on_day += u32::from(is_new);
        let on_day = *on_day;
        let before: BTreeSet<&NaiveDate> =
            days.range(..day).map(|(day, _)| day).chain(self.died.range(..day)).collect();
        let step = before.len();
        if force.config.prompts.ramp.get(step).is_some_and(|most| on_day > *most) {
            let what = format!("{on_day} messages of {stage} on its day {}", step + 1);
            return broken("bounded", at, what);
        }
        Ok(())
    }
}
