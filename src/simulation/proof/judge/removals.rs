//! What was removed, against the promises.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{InForce, Judge, Vain, Verdict, broken};
use crate::domain::campaign::RemovalPolicy;
use crate::domain::win_back::is_win_back;
use crate::simulation::witness::{Handed, Heard, Taken};

/// Those that may be under way when a run stops.
const UNDER_WAY: u32 = 4;
/// Calls without an answer, one after the other, that stop it.
const LOST: u32 = 3;
/// Calls that are to be made later, which stop it.
const LATER: u32 = 1;

impl Judge {
    /// A call was answered, or not.
    pub(super) fn hears(
        &mut self,
        at: DateTime<Utc>,
        heard: Heard,
        force: &InForce<'_>,
    ) -> Verdict {
        if self.vain.run != force.run {
            self.vain = Vain { run: force.run, ..Vain::default() };
        }
        let vain = &mut self.vain;
        match heard {
            // What became of the others, a list tells.
            Heard::Answer | Heard::List => vain.lost = 0,
            Heard::Nothing => vain.lost += 1,
            Heard::Later => vain.later += 1,
            Heard::NoList => {}
        }
        let (lost, later) = (vain.lost, vain.later);
        if !matches!(heard, Heard::List | Heard::NoList) {
            self.asking.insert(Self::day(force, at));
        }
        if lost > force.workers * (LOST + UNDER_WAY) {
            return broken("bounded", at, format!("{lost} calls in a row were lost"));
        }
        if later > force.workers * (LATER + UNDER_WAY) {
            return broken("bounded", at, format!("{later} calls, and Xero said later"));
        }
        Ok(())
    }

    /// Of a day, no more than its share of all and its step of the ramp.
    fn of_day(&self, policy: &RemovalPolicy, day: NaiveDate, force: &InForce<'_>) -> u32 {
        let share = policy.max_percent.map_or(100.0, |percent| percent.min(100.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count"
        )]
        let share = (force.connections as f64 * share / 100.0).floor() as u32;
        let before: BTreeSet<&NaiveDate> =
            self.asking.range(..day).chain(self.died.range(..day)).collect();
        let steps = policy.ramp.get(..=before.len()).and_then(|steps| steps.iter().max().copied());
        let most = policy.max_per_day.unwrap_or(u32::MAX);
        most.min(share).min(steps.unwrap_or(u32::MAX))
    }

    pub(super) fn removal(
        &mut self,
        taken: &Taken,
        handed: &[Handed],
        force: &InForce<'_>,
    ) -> Verdict {
        let at = taken.at;
        let connection = taken.connection.to_string();
        let Some(policy) = &force.config.removal else {
            return broken("off until written to be on", at, connection);
        };
        let campaign = &force.config.campaign;
        let opens =
            policy.opens_days_before.map(|days| campaign.day_from_deadline(-i64::from(days)));
        if force.is_first {
            return broken("no effects before a second scan", at, connection);
        }
        if force.is_paused {
            return broken("nothing while paused", at, connection);
        }
        if !taken.is_known || taken.is_manual {
            return broken("only on evidence", at, connection);
        }
        if !taken.is_awaited || taken.has_ready_token {
            return broken("never who is ready", at, connection);
        }
        if taken.is_covered && !policy.covered {
            return broken("never whose colleague is ready", at, connection);
        }
        if at >= campaign.deadline || opens.is_none_or(|opens| at < opens) {
            return broken("only in the window", at, connection);
        }
        if !self.tenants.insert(taken.tenant) {
            return broken("no tenant twice", at, taken.tenant.to_string());
        }
        let minute = at - TimeDelta::seconds(60);
        if taken.listed_at.is_none_or(|seen| seen < minute)
            || taken.looked_at.is_none_or(|seen| seen < minute)
        {
            return broken("looked at again right before", at, connection);
        }
        for person in &taken.responsible {
            let Some(address) = person else {
                return broken("never un-notified", at, "somebody responsible has no address");
            };
            if force.exempt.get(address).is_some_and(|until| at < *until) {
                return broken("never who is exempt", at, connection);
            }
            self.was_told(taken, address, handed, force)?;
        }
        let day = Self::day(force, at);
        let count = |map: &mut u32| {
            *map += 1;
            *map
        };
        let in_run = count(self.removals_per_run.entry(force.run).or_default());
        let in_day = count(self.removals_per_day.entry(day).or_default());
        if policy.max_per_run.is_some_and(|most| in_run > most)
            || in_day > self.of_day(policy, day, force)
        {
            return broken(
                "bounded",
                at,
                format!("{in_run} removals in one run, {in_day} on {day}"),
            );
        }
        Ok(())
    }

    fn was_told(
        &self,
        taken: &Taken,
        address: &str,
        handed: &[Handed],
        force: &InForce<'_>,
    ) -> Verdict {
        let at = taken.at;
        let Some(policy) = &force.config.removal else { return Ok(()) };
        let told: Vec<&Handed> = handed
            .iter()
            .filter(|it| {
                it.is_taken
                    && it.at <= at
                    && it.address.as_deref() == Some(address)
                    && it.tells.connections.contains(&taken.key)
                    && !self.bounced.contains(&it.prompt)
                    && self.still_holds(it, taken, force)
                    && !is_win_back(&it.tells.stage)
            })
            .collect();
        let stages: BTreeSet<&str> = told.iter().map(|it| it.tells.stage.as_str()).collect();
        let wanted = policy.min_prompts.unwrap_or_default() as usize;
        if stages.len() < wanted {
            return broken(
                "never un-notified",
                at,
                format!("{address} was told at {stages:?} only"),
            );
        }
        let promises: Vec<DateTime<Utc>> =
            told.iter().filter_map(|it| it.tells.removal_from).collect();
        if promises.is_empty() {
            return broken("never un-notified", at, format!("{address} had no final notice"));
        }
        if let Some(latest) = promises.iter().find(|latest| at < **latest) {
            return broken("never early", at, format!("{address} was promised {latest}"));
        }
        Ok(())
    }

    /// A notice counts only for what it named.
    fn still_holds(&self, it: &Handed, taken: &Taken, force: &InForce<'_>) -> bool {
        let campaign = &force.config.campaign;
        self.named.get(&it.prompt).is_some_and(|(deadline, required)| {
            *deadline <= campaign.deadline
                && required.is_superset(campaign.required)
                && it.at >= taken.made_at
        })
    }
}
