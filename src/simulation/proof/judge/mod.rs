//! The judge: holds what reached the world against the promises. It goes by what the world
//! knows, never by what the worker wrote down.

mod messages;
mod removals;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::ids::TenantId;
use crate::domain::scopes::ScopeSet;
use crate::simulation::witness::Witness;

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
    /// Workers in that run.
    pub workers: u32,
    /// The most connections that the host has listed so far.
    pub connections: usize,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Judge {
    handed: usize,
    taken: usize,
    prompts: BTreeMap<Uuid, String>,
    stages: BTreeSet<(String, String, u32)>,
    suppressed: BTreeSet<String>,
    tenants: BTreeSet<TenantId>,
    per_run: BTreeMap<u64, u32>,
    per_day: BTreeMap<NaiveDate, u32>,
    removals_per_run: BTreeMap<u64, u32>,
    removals_per_day: BTreeMap<NaiveDate, u32>,
    addresses: BTreeMap<(String, NaiveDate), u32>,
    bounced: BTreeSet<Uuid>,
    /// What was in force when a message went out: the deadline, and the required scopes.
    named: BTreeMap<Uuid, (DateTime<Utc>, ScopeSet)>,
    /// Messages of each stage on each day.
    of_stage: BTreeMap<String, BTreeMap<NaiveDate, u32>>,
    /// Days on which a process died, which may have sent something for all that it knows.
    died: BTreeSet<NaiveDate>,
    /// Calls of the present run that came to nothing.
    vain: Vain,
    /// Days on which a removal was asked for.
    asking: BTreeSet<NaiveDate>,
    heard: usize,
}

/// What a run called for in vain.
#[derive(Default)]
struct Vain {
    run: u64,
    /// Removals without an answer, one after the other, that no list has told of since.
    lost: u32,
    /// Removals that are to be asked for later.
    later: u32,
}

pub(super) type Verdict = Result<(), Broken>;

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

    /// Somebody is suppressed.
    pub(super) fn suppress(&mut self, address: String) {
        self.suppressed.insert(address);
    }

    /// Whoever was suppressed is let out again.
    pub(super) fn lift(&mut self) {
        self.suppressed.clear();
    }

    /// The worker's process died.
    pub(super) fn died(&mut self, at: DateTime<Utc>, config: &Config) {
        self.died.insert(at.with_timezone(&config.campaign.zone).date_naive());
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
        let heard = std::mem::replace(&mut self.heard, witness.heard.len());
        witness.heard[heard..].iter().try_for_each(|(at, heard)| self.hears(*at, *heard, force))
    }

    /// What nobody but the worker sees has changed by a scan that it had to refuse.
    pub(super) fn unchanged(at: DateTime<Utc>, before: u64, after: u64) -> Verdict {
        if before == after {
            return Ok(());
        }
        let what = format!("{before} connections were present, then {after}: half an inventory");
        broken("only on evidence", at, what)
    }

    /// Drawing up a plan reached the world.
    pub(super) fn planned(
        at: DateTime<Utc>,
        before: (usize, usize),
        after: (usize, usize),
    ) -> Verdict {
        if before == after {
            return Ok(());
        }
        broken("a dry run does nothing", at, "a plan was drawn up, and something went out")
    }

    fn day(force: &InForce<'_>, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&force.config.campaign.zone).date_naive()
    }
}
