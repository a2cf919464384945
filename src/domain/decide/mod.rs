//! Deciding about one grant: who is prompted at which stage, which connections are removal
//! candidates, and what is held back and why. A pure function of the grant's facts, the
//! campaign and the time; caps come after it (`budget`).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::campaign::{Campaign, Channel, PerPerson, PromptPolicy, RemovalPolicy, Stage};
use super::connection::{Connection, Presence};
use super::grant::{ConnectionKey, Readiness};
use super::reason::{Code, Reason};
use super::recipient::{Exemptions, Party, Recipient, responsible};
use super::scopes::ScopeSet;
use super::told::{History, Way};
use super::win_back::FollowUp;

use removing::Reach;

/// The stage that is none: what tells those who were told another deadline the new one.
pub const CORRECTION: &str = "correction";

/// What every decision of a run is made by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub campaign: &'a Campaign,
    pub prompts: &'a PromptPolicy,
    pub removal: Option<&'a RemovalPolicy>,
    pub exemptions: &'a Exemptions,
    /// Normalised addresses that are never written to.
    pub suppressed: &'a BTreeSet<String>,
    /// Who is passed over where a stage holds a share back: a secret of the database.
    pub hold_back_key: &'a [u8],
    /// What a correction is sent as, once the deadline has had another date.
    pub correction: Option<&'a Stage>,
    /// What follows a removal.
    pub win_back: &'a [FollowUp],
    /// What the approved plan removes; nothing else goes then.
    pub planned: Option<&'a BTreeSet<ConnectionKey>>,
    /// The first complete scan: what it found was there from the start.
    pub founded_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// One recipient's line of a prompt: a connection that it would show.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptLine<'a> {
    pub stage: &'a Stage,
    /// Which of the messages of a stage that goes out as often as there are removals.
    pub wave: i64,
    pub party: Party,
    pub channel: Channel,
    pub connection: ConnectionKey,
    pub missing: ScopeSet,
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the connection was made, as far as is known: a notice counts for no other.
    pub connected_at: Option<DateTime<Utc>>,
    /// How many prompts have shown it to them before.
    pub shown: usize,
}

/// A connection that may be removed as far as its own facts go.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub connection: ConnectionKey,
    pub not_before: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub reason: String,
}

/// What does not happen to a connection although it is due.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldBack {
    pub connection: ConnectionKey,
    pub action: Action,
    pub reasons: Vec<Reason>,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Prompt,
    Remove,
}

/// All that is decided about a grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision<'a> {
    pub prompts: Vec<PromptLine<'a>>,
    pub removals: Vec<Candidate>,
    pub held_back: Vec<HeldBack>,
    /// The zones of those who would be prompted now if anybody were at work there: nothing else
    /// holds them back.
    pub waits_in: Vec<Tz>,
}

/// The name of the stage at a place in the order of all ([`Rules::place`]).
#[must_use]
pub fn stage_name<'a>(campaign: &'a Campaign, win_back: &'a [FollowUp], place: usize) -> &'a str {
    if let Some(stage) = campaign.stages.get(place) {
        return &stage.name;
    }
    let follow_up = place.checked_sub(campaign.stages.len() + 1).and_then(|at| win_back.get(at));
    follow_up.map_or(CORRECTION, |follow_up| &follow_up.stage.name)
}

/// Whether a connection still waits for its person and is seen by the scan.
fn is_awaiting(connection: &Connection) -> bool {
    connection.presence.counts() && connection.standing.readiness == Readiness::Awaiting
}

impl<'a> Rules<'a> {
    /// The stages that are due for a connection, the one to be told first in front; none
    /// when none has opened, or when the connection was found after it had and waits for the
    /// next.
    pub(super) fn due_stages(&self, connection: &Connection) -> Vec<&'a Stage> {
        let joined_later = |stage: &Stage| {
            connection.first_seen_at > self.founded_at
                && connection.first_seen_at > self.campaign.opens(stage)
        };
        let mut stages = self.campaign.due_stages(self.now);
        stages.retain(|stage| stage.is_final || !joined_later(stage));
        stages
    }

    /// When holdouts may be removed: from, and up to the deadline.
    #[must_use]
    pub fn removal_window(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let days = self.removal?.opens_days_before?;
        Some((self.campaign.day_from_deadline(-i64::from(days)), self.campaign.deadline))
    }

    #[must_use]
    pub fn removal_window_is_open(&self) -> bool {
        self.removal_window().is_some_and(|(from, until)| from <= self.now && self.now < until)
    }

    /// The place of a stage in the order of all: the campaign's, the correction, and those that
    /// follow a removal.
    #[must_use]
    pub fn place(&self, stage: &Stage) -> usize {
        let stages = &self.campaign.stages;
        let of_campaign = stages.iter().position(|one| one == stage);
        let of_removal = || {
            let place = self.win_back.iter().position(|one| one.stage == *stage)?;
            Some(stages.len() + 1 + place)
        };
        of_campaign.or_else(of_removal).unwrap_or(stages.len())
    }

    /// The name of the stage at a place.
    #[must_use]
    pub fn stage_name(&self, place: usize) -> &'a str {
        stage_name(self.campaign, self.win_back, place)
    }

    /// Whether anything at all can be due now.
    #[must_use]
    pub fn something_may_be_due(&self) -> bool {
        !self.campaign.due_stages(self.now).is_empty()
            || self.correction.is_some()
            || self.removal_window_is_open()
    }

    /// Why a connection gets neither prompt nor removal, whatever the moment.
    pub(super) fn bars(&self, connection: &Connection, parties: &[Party]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if connection.presence == Presence::RowBad {
            reasons.push(Code::RowBad.into());
        }
        if connection.standing.manual {
            reasons.push(Code::Manual.into());
        }
        if let Some((until, reason)) = self.exemptions.of(connection, parties) {
            let day = until.with_timezone(&self.campaign.zone).format("%Y-%m-%d %H:%M");
            reasons.push(Code::Exempt.because(format!("exempt until {day}: {reason}")));
        }
        reasons
    }

    /// What is missing of the connection's required scopes in what its grant holds.
    #[must_use]
    pub fn missing(&self, connection: &Connection, held: ScopeSet) -> ScopeSet {
        held.missing(connection.facts.required.unwrap_or(self.campaign.required))
    }

    /// Decides about one grant. `connections` are all of it that are present, `held` is what
    /// it settled on, `past` what was told of it before.
    #[must_use]
    pub fn decide(
        &self,
        connections: &[Connection],
        held: ScopeSet,
        past: &impl History,
    ) -> Decision<'a> {
        let parties = responsible(connections);
        let mut decision = Decision::default();
        self.decide_prompts(connections, &parties, held, past, &mut decision);
        self.decide_removals(connections, &parties, past, Reach::Now, &mut decision);
        decision
    }
}

/// Adds reasons to a connection's held-back prompt, each code once.
pub fn hold_back(held_back: &mut Vec<HeldBack>, connection: ConnectionKey, reasons: Vec<Reason>) {
    let known = held_back
        .iter_mut()
        .find(|held| held.connection == connection && held.action == Action::Prompt);
    match known {
        Some(held) => {
            for reason in reasons {
                if held.reasons.iter().all(|known| known.code != reason.code) {
                    held.reasons.push(reason);
                }
            }
        }
        None => held_back.push(HeldBack { connection, action: Action::Prompt, reasons }),
    }
}

#[cfg(test)]
mod histories;
mod prompting;
mod removing;
#[cfg(test)]
mod tests;
