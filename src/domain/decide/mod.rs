//! Deciding about one grant: who is prompted at which stage, which connections are removal
//! candidates, and what is held back and why. A pure function of the grant's facts, the
//! campaign and the time; caps come after it (`budget`).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::campaign::{Campaign, Channel, PerPerson, PromptPolicy, RemovalPolicy, Stage};
use super::connection::{Connection, Presence};
use super::grant::{ConnectionKey, Readiness};
use super::reason::{Code, Reason};
use super::recipient::{Exemptions, Party, Recipient, responsible};
use super::scopes::ScopeSet;
use super::told::{History, Told, Way};

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
    /// What a correction is sent as, once the deadline has had another date.
    pub correction: Option<&'a Stage>,
    /// The first complete scan: what it found was there from the start.
    pub founded_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// One recipient's line of a prompt: a connection that it would show.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptLine<'a> {
    pub stage: &'a Stage,
    pub party: Party,
    pub channel: Channel,
    pub connection: ConnectionKey,
    pub missing: ScopeSet,
    pub last_used_at: Option<DateTime<Utc>>,
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
}

/// Whether a connection still waits for its person and is seen by the scan.
fn is_awaiting(connection: &Connection) -> bool {
    connection.presence != Presence::Gone && connection.standing.readiness == Readiness::Awaiting
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

    /// Whether anything at all can be due now.
    #[must_use]
    pub fn something_may_be_due(&self) -> bool {
        !self.campaign.due_stages(self.now).is_empty()
            || self.correction.is_some()
            || self.removal_window_is_open()
    }

    /// Why a connection gets neither prompt nor removal, whatever the moment.
    fn bars(&self, connection: &Connection, parties: &[Party]) -> Vec<Reason> {
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
        if self.removal_window_is_open() {
            self.decide_removals(connections, &parties, past, &mut decision);
        }
        decision
    }

    fn decide_removals(
        &self,
        connections: &[Connection],
        parties: &[Party],
        past: &impl History,
        decision: &mut Decision<'a>,
    ) {
        let (Some(policy), Some((opens, _))) = (self.removal, self.removal_window()) else {
            return;
        };
        let mut holdouts: Vec<&Connection> =
            connections.iter().filter(|connection| is_awaiting(connection)).collect();
        holdouts.sort_by_key(|connection| (connection.facts.last_used_at, connection.key));
        let mut first_goes = false;
        for connection in holdouts {
            let told = past.told(connection, parties, self.campaign);
            let mut reasons = self.removal_bars(policy, connection, parties, told);
            if reasons.is_empty() && first_goes && policy.per_person == PerPerson::One {
                reasons.push(Code::PerPerson.into());
            }
            let not_before = told.promise.map_or(opens, |promise| promise.max(opens));
            if reasons.is_empty() && not_before > self.now {
                continue;
            }
            if reasons.is_empty() {
                first_goes = true;
                decision.removals.push(Candidate {
                    connection: connection.key,
                    not_before,
                    last_used_at: connection.facts.last_used_at,
                    reason: format!(
                        "{}, told at {} stages, promised {}",
                        connection.standing.class,
                        told.stages,
                        not_before.with_timezone(&self.campaign.zone).format("%Y-%m-%d")
                    ),
                });
            } else {
                decision.held_back.push(HeldBack {
                    connection: connection.key,
                    action: Action::Remove,
                    reasons,
                });
            }
        }
    }

    fn removal_bars(
        &self,
        policy: &RemovalPolicy,
        connection: &Connection,
        parties: &[Party],
        told: Told,
    ) -> Vec<Reason> {
        let mut reasons = self.bars(connection, parties);
        let standing = &connection.standing;
        let wanted = policy.min_prompts.unwrap_or(u32::MAX);
        let is_forgotten = parties.iter().any(|party| party.recipient.is_forgotten());
        let facts: [(bool, Code); 8] = [
            (connection.facts.id.is_none(), Code::NoConnectionId),
            (!connection.facts.is_organisation(), Code::NotAnOrganisation),
            (!policy.classes.contains(&standing.class), Code::ClassNotNamed),
            (standing.some_evidence_ready, Code::SomeEvidenceReady),
            (connection.covered && !policy.covered, Code::Covered),
            (!standing.reachable || self.all_suppressed(parties), Code::Unreachable),
            (is_forgotten, Code::Forgotten),
            (!told.final_notice, Code::NoFinalNotice),
        ];
        reasons.extend(facts.into_iter().filter(|(holds, _)| *holds).map(|(_, code)| code.into()));
        if told.stages < wanted {
            let text =
                format!("everyone responsible was told at {} of {wanted} stages", told.stages);
            reasons.push(Code::TooFewPrompts.because(text));
        }
        if told.promise.is_none() {
            reasons.push(Code::NoPromise.into());
        }
        reasons.extend(self.campaign.working.closed(self.campaign.zone, self.now));
        reasons
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

mod prompting;
#[cfg(test)]
mod tests;
