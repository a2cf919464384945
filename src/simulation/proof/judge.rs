//! The judge: holds what reached the world against the promises. It goes by what the world
//! knows, never by what the worker wrote down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::ids::TenantId;
use crate::domain::win_back::is_win_back;
use crate::simulation::witness::{Handed, Taken, Witness};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub promise: &'static str,
    pub at: DateTime<Utc>,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at {}", self.promise, self.what, self.at)
    }
}

/// What is in force while a step is judged.
pub(super) struct InForce<'a> {
    pub config: &'a Config,
    /// How often the deadline has moved.
    pub edition: u32,
    pub is_paused: bool,
    pub is_first: bool,
    pub exempt: &'a BTreeMap<String, DateTime<Utc>>,
    pub run: u64,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Judge {
    handed: usize,
    taken: usize,
    prompts: BTreeMap<Uuid, String>,
    stages: BTreeSet<(String, String, u32)>,
    refused: BTreeSet<String>,
    tenants: BTreeSet<TenantId>,
    per_run: BTreeMap<u64, u32>,
    per_day: BTreeMap<NaiveDate, u32>,
    removals_per_run: BTreeMap<u64, u32>,
    removals_per_day: BTreeMap<NaiveDate, u32>,
    addresses: BTreeMap<(String, NaiveDate), u32>,
    bounced: BTreeSet<Uuid>,
}

type Verdict = Result<(), Broken>;

fn broken(promise: &'static str, at: DateTime<Utc>, what: impl Into<String>) -> Verdict {
    Err(Broken { promise, at, what: what.into() })
}

impl Judge {
    /// Messages that were judged.
    pub(super) fn messages_seen(&self) -> usize {
        self.handed
    }

    /// Removals that were judged.
    pub(super) fn removals_seen(&self) -> usize {
        self.taken
    }

    /// Messages came back.
    pub(super) fn bounce(&mut self, prompts: impl IntoIterator<Item = Uuid>) {
        self.bounced.extend(prompts);
    }

    /// Judges what was seen since the last time.
    pub(super) fn judge(&mut self, witness: &Witness, force: &InForce<'_>) -> Verdict {
        let (handed, taken) = (self.handed, self.taken);
        (self.handed, self.taken) = (witness.handed.len(), witness.taken.len());
        for handed in &witness.handed[handed..] {
            self.message(handed, force)?;
        }
        for at in taken..witness.taken.len() {
            self.removal(&witness.taken[at], &witness.handed, force)?;
        }
        Ok(())
    }

    fn day(force: &InForce<'_>, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&force.config.campaign.zone).date_naive()
    }

    fn message(&mut self, handed: &Handed, force: &InForce<'_>) -> Verdict {
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
        if handed.is_page_down {
            return broken("the link is right before anyone gets it", at, stage);
        }
        let known = self.prompts.get(&handed.prompt);
        if known.is_some_and(|sha256| *sha256 != handed.sha256) && handed.channel != "email" {
            return broken("every delivery has the same body", at, stage);
        }
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
        if self.refused.contains(address) {
            return broken("never to a suppressed address", at, address.as_str());
        }
        if force.exempt.get(address).is_some_and(|until| at < *until) {
            return broken("never to whom is exempt", at, address.as_str());
        }
        if handed.is_refused {
            self.refused.insert(address.clone());
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

    fn removal(&mut self, taken: &Taken, handed: &[Handed], force: &InForce<'_>) -> Verdict {
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
        if !taken.is_awaited {
            return broken("never who is ready", at, connection);
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
            || policy.max_per_day.is_some_and(|most| in_day > most)
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
}
