//! Which connections of a grant may be removed, and everything that stands against the others.

use super::{
    Action, Candidate, Code, Connection, DateTime, Decision, HeldBack, History, Party, PerPerson,
    Reason, RemovalPolicy, Rules, Utc, is_awaiting,
};
use crate::domain::recipient::responsible;
use crate::domain::removal::{self, InXero, barred_by};
use crate::domain::told::Told;

/// Up to when removals are decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What may go at this moment.
    Now,
    /// What comes due by then, whatever the hour: for a plan that holds for days.
    By(DateTime<Utc>),
}

impl<'a> Rules<'a> {
    /// The removals that come due by a time, and what is held back by more than the hour.
    #[must_use]
    pub fn removals_by(
        &self,
        connections: &[Connection],
        past: &impl History,
        by: DateTime<Utc>,
    ) -> Decision<'a> {
        let mut decision = Decision::default();
        let parties = responsible(connections);
        self.decide_removals(connections, &parties, past, Reach::By(by), &mut decision);
        decision
    }

    /// The removals that may go at this moment, and what is held back.
    #[must_use]
    pub fn removals_now(&self, connections: &[Connection], past: &impl History) -> Decision<'a> {
        let mut decision = Decision::default();
        let parties = responsible(connections);
        self.decide_removals(connections, &parties, past, Reach::Now, &mut decision);
        decision
    }

    /// Whether anything can be removed by a time.
    #[must_use]
    pub fn removal_window_opens_by(&self, by: DateTime<Utc>) -> bool {
        self.removal_window().is_some_and(|(opens, closes)| opens <= by && self.now < closes)
    }

    pub(super) fn decide_removals(
        &self,
        connections: &[Connection],
        parties: &[Party],
        past: &impl History,
        reach: Reach,
        decision: &mut Decision<'a>,
    ) {
        let (Some(policy), Some((opens, closes))) = (self.removal, self.removal_window()) else {
            return;
        };
        let by = match reach {
            Reach::Now => self.now,
            Reach::By(by) => by,
        };
        if !self.removal_window_opens_by(by) {
            return;
        }
        let mut holdouts: Vec<&Connection> =
            connections.iter().filter(|connection| is_awaiting(connection)).collect();
        holdouts.sort_by_key(|connection| (connection.facts.last_used_at, connection.key));
        let mut first_goes = false;
        for connection in holdouts {
            let told = past.told(connection, parties, self.campaign);
            let mut reasons = self.removal_bars(policy, connection, parties, told, past);
            if reach == Reach::Now {
                reasons.extend(self.campaign.working.closed(self.campaign.zone, self.now));
            }
            if reasons.is_empty() && first_goes && policy.per_person == PerPerson::One {
                reasons.push(Code::PerPerson.into());
            }
            let not_before = told.promise.map_or(opens, |promise| promise.max(opens));
            if reasons.is_empty() && (not_before > by || not_before >= closes) {
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
        past: &impl History,
    ) -> Vec<Reason> {
        let mut reasons = self.bars(connection, parties);
        let standing = &connection.standing;
        let wanted = policy.min_prompts.unwrap_or(u32::MAX);
        let in_xero = past.in_xero(connection);
        let has_id = connection.facts.id.is_some() || in_xero.listed().is_some();
        let is_forgotten = parties.iter().any(|party| party.recipient.is_forgotten());
        let facts: [(bool, Code); 10] = [
            (!has_id, Code::NoConnectionId),
            (has_id && in_xero == InXero::Absent, Code::NotListed),
            (!connection.facts.is_organisation(), Code::NotAnOrganisation),
            (!policy.classes.contains(&standing.class), Code::ClassNotNamed),
            (standing.some_evidence_ready, Code::SomeEvidenceReady),
            (connection.covered && !policy.covered, Code::Covered),
            (!standing.reachable || self.all_suppressed(parties), Code::Unreachable),
            (is_forgotten, Code::Forgotten),
            (!told.final_notice, Code::NoFinalNotice),
            (
                self.planned.is_some_and(|planned| !planned.contains(&connection.key)),
                Code::NotInPlan,
            ),
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
        let candidate = removal::Candidate {
            connection: connection.key,
            tenant: connection.facts.tenant,
            grant: connection.facts.grant,
            people: &[],
        };
        reasons.extend(barred_by(past.removals(connection), policy, candidate, self.now));
        reasons
    }
}
