//! Deciding about one grant: who is prompted at which stage, which connections are removal
//! candidates, and what is held back and why. A pure function of the grant's facts, the
//! campaign and the time; caps come after it (`budget`).

use chrono::{DateTime, Utc};

use super::campaign::{Campaign, Channel, PerPerson, PromptPolicy, RemovalPolicy, Stage};
use super::connection::{Connection, Presence};
use super::grant::{ConnectionKey, Readiness};
use super::reason::{Code, Reason};
use super::recipient::{Exemptions, Party, Recipient, responsible};
use super::scopes::ScopeSet;

/// What every decision of a run is made by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub campaign: &'a Campaign,
    pub prompts: &'a PromptPolicy,
    pub removal: Option<&'a RemovalPolicy>,
    pub exemptions: &'a Exemptions,
    /// The first complete scan: what it found was there from the start.
    pub founded_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// What people responsible for a connection have been told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Stages at which everyone responsible was told.
    pub stages: u32,
    pub final_notice: bool,
    /// The earliest removal date that somebody was told.
    pub promise: Option<DateTime<Utc>>,
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
    /// The stage that is due for a connection; `None` when none has opened, or when the
    /// connection was found after it had and waits for the next.
    #[must_use]
    pub fn due_stage(&self, connection: &Connection) -> Option<&'a Stage> {
        let stage = self.campaign.due_stage(self.now)?;
        let joined_later = connection.first_seen_at > self.founded_at
            && connection.first_seen_at > self.campaign.opens(stage);
        (stage.is_final || !joined_later).then_some(stage)
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
        self.campaign.due_stage(self.now).is_some() || self.removal_window_is_open()
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
    /// it settled on, `told` says what people were told of each.
    #[must_use]
    pub fn decide(
        &self,
        connections: &[Connection],
        held: ScopeSet,
        told: impl Fn(ConnectionKey) -> Told,
    ) -> Decision<'a> {
        let parties = responsible(connections);
        let mut decision = Decision::default();
        self.decide_prompts(connections, &parties, held, &mut decision);
        if self.removal_window_is_open() {
            self.decide_removals(connections, &parties, told, &mut decision);
        }
        decision
    }

    fn decide_prompts(
        &self,
        connections: &[Connection],
        parties: &[Party],
        held: ScopeSet,
        decision: &mut Decision<'a>,
    ) {
        let due: Vec<(&Connection, &'a Stage, Vec<Reason>)> = connections
            .iter()
            .filter(|connection| is_awaiting(connection))
            .filter_map(|connection| Some((connection, self.due_stage(connection)?)))
            .map(|(connection, stage)| (connection, stage, self.bars(connection, parties)))
            .collect();
        // A practice is shown beside an organisation, never alone.
        let organisation_goes = due
            .iter()
            .any(|(connection, _, bars)| bars.is_empty() && connection.facts.is_organisation());
        for (connection, stage, mut reasons) in due {
            if reasons.is_empty() && !organisation_goes {
                reasons.push(Code::NotAnOrganisation.into());
            }
            let ways = ways(stage, parties);
            if ways.is_empty() {
                reasons.push(Code::Unreachable.into());
            }
            if !reasons.is_empty() {
                decision.held_back.push(HeldBack {
                    connection: connection.key,
                    action: Action::Prompt,
                    reasons,
                });
                continue;
            }
            for (party, channel) in ways {
                let zone = party.zone.unwrap_or(self.campaign.zone);
                let reasons: Vec<Reason> = [
                    self.campaign.working.closed(zone, self.now),
                    self.not_let_out(&party.recipient, &channel),
                ]
                .into_iter()
                .flatten()
                .collect();
                if reasons.is_empty() {
                    decision.prompts.push(PromptLine {
                        stage,
                        party: party.clone(),
                        channel,
                        connection: connection.key,
                        missing: self.missing(connection, held),
                        last_used_at: connection.facts.last_used_at,
                    });
                } else {
                    hold_back(&mut decision.held_back, connection.key, reasons);
                }
            }
        }
    }

    fn not_let_out(&self, recipient: &Recipient, channel: &Channel) -> Option<Reason> {
        if self.prompts.only_to.is_empty() || *channel == Channel::File {
            return None;
        }
        let address = recipient.address()?.key();
        let lets_out = |pattern: &String| match pattern.strip_prefix('*') {
            Some(end) => address.ends_with(end),
            None => address == pattern,
        };
        (!self.prompts.only_to.iter().any(lets_out)).then(|| Code::OnlyTo.into())
    }

    fn decide_removals(
        &self,
        connections: &[Connection],
        parties: &[Party],
        told: impl Fn(ConnectionKey) -> Told,
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
            let told = told(connection.key);
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
        let facts: [(bool, Code); 7] = [
            (connection.facts.id.is_none(), Code::NoConnectionId),
            (!connection.facts.is_organisation(), Code::NotAnOrganisation),
            (!policy.classes.contains(&standing.class), Code::ClassNotNamed),
            (standing.some_evidence_ready, Code::SomeEvidenceReady),
            (connection.covered && !policy.covered, Code::Covered),
            (!standing.reachable, Code::Unreachable),
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

/// Whom a stage reaches, and how: e-mail and files need an address, webhooks do not.
fn ways(stage: &Stage, parties: &[Party]) -> Vec<(Party, Channel)> {
    let reaches = |party: &Party, channel: &Channel| match channel {
        Channel::Email | Channel::File => party.recipient.address().is_some(),
        Channel::Webhook(_) => true,
    };
    parties
        .iter()
        .flat_map(|party| stage.channels.iter().map(move |channel| (party, channel)))
        .filter(|(party, channel)| reaches(party, channel))
        .map(|(party, channel)| (party.clone(), channel.clone()))
        .collect()
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
mod tests;
