//! What comes next for one connection, and why: the answer of `explain`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::connection::{Connection, Presence};
use super::decide::{Action, Rules};
use super::grant::{Readiness, Unsettled};
use super::reason::{Code, Reason};
use super::recipient::responsible;
use super::scopes::ScopeSet;
use super::told::History;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    Prompt,
    Remove,
    Nothing,
}

/// The next thing to happen, as far as it is known now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    pub action: NextAction,
    pub at: Option<DateTime<Utc>>,
    pub reasons: Vec<Reason>,
}

impl Next {
    fn nothing(reasons: Vec<Reason>) -> Self {
        Self { action: NextAction::Nothing, at: None, reasons }
    }
}

impl Rules<'_> {
    /// What comes next for `connection`, one of its grant's `connections`.
    #[must_use]
    pub fn next(
        &self,
        connection: &Connection,
        connections: &[Connection],
        held: ScopeSet,
        unsettled: Option<Unsettled>,
        past: &impl History,
    ) -> Next {
        match connection.presence {
            Presence::Gone => return Next::nothing(vec![Code::Gone.into()]),
            Presence::Removed => return self.after_removal(connection, past),
            Presence::Present | Presence::RowBad => {}
        }
        match connection.standing.readiness {
            Readiness::Ready => return Next::nothing(vec![Code::AlreadyReady.into()]),
            Readiness::Unaffected => return Next::nothing(vec![Code::Unaffected.into()]),
            Readiness::Unknown => {
                return Next::nothing(vec![match unsettled {
                    Some(Unsettled::EvidenceDiffers) => Code::EvidenceDiffers.into(),
                    Some(Unsettled::UserDisagrees) => Code::UserDisagrees.into(),
                    Some(Unsettled::OtherClient) => Code::OtherClient.into(),
                    Some(Unsettled::NoEvidence) | None => Code::NoEvidence.into(),
                }]);
            }
            Readiness::Awaiting => {}
        }
        let decision = self.decide(connections, held, past);
        let own = |action| {
            decision
                .held_back
                .iter()
                .find(|held| held.connection == connection.key && held.action == action)
                .map(|held| held.reasons.clone())
        };
        if let Some(line) = decision.prompts.iter().find(|line| line.connection == connection.key) {
            let mut reasons =
                vec![Code::StageDue.because(format!("stage {} is due", line.stage.name))];
            reasons.extend(self.switched_off());
            return Next { action: NextAction::Prompt, at: Some(self.now), reasons };
        }
        if let Some(mut reasons) = own(Action::Prompt) {
            reasons.extend(self.switched_off());
            return Next {
                action: NextAction::Prompt,
                at: self.next_opening(connections, &reasons),
                reasons,
            };
        }
        if let Some(reasons) = own(Action::Remove) {
            return Next { action: NextAction::Remove, at: None, reasons };
        }
        if decision.removals.iter().any(|candidate| candidate.connection == connection.key) {
            let mut reasons = vec![Code::RemovalDue.into()];
            reasons.extend(self.removal_switched_off());
            return Next { action: NextAction::Remove, at: Some(self.now), reasons };
        }
        let removal = self.removal_ahead(connection, connections, past);
        let prompt = self.ahead(connection);
        match removal {
            Some(removal) if prompt.at.is_none_or(|at| removal.at < Some(at)) => removal,
            _ => prompt,
        }
    }

    /// A removal that comes due later, if nothing changes.
    fn removal_ahead(
        &self,
        connection: &Connection,
        connections: &[Connection],
        past: &impl History,
    ) -> Option<Next> {
        let (_, closes) = self.removal_window()?;
        let decision = self.removals_by(connections, past, closes);
        let candidate =
            decision.removals.iter().find(|candidate| candidate.connection == connection.key)?;
        let day = candidate.not_before.with_timezone(&self.campaign.zone).format("%Y-%m-%d");
        let ahead = format!("not before {day}, the latest that somebody was promised");
        let mut reasons = vec![Code::RemovalAhead.because(ahead)];
        reasons.extend(self.removal_switched_off());
        Some(Next { action: NextAction::Remove, at: Some(candidate.not_before), reasons })
    }

    fn removal_switched_off(&self) -> Option<Reason> {
        let enabled = self.removal.is_some_and(|policy| policy.enabled);
        (!enabled).then(|| Code::SwitchedOff.because("[removal] enabled is false"))
    }

    /// What people are still told of a removal.
    fn after_removal(&self, connection: &Connection, past: &impl History) -> Next {
        match self.next_follow_up(connection, past) {
            None => Next::nothing(vec![Code::Removed.into()]),
            Some((stage, at)) => {
                let day = at.with_timezone(&self.campaign.zone).format("%Y-%m-%d");
                let ahead = format!("{} is due on {day}, unless the tenant is back", stage.name);
                let mut reasons = vec![Code::Removed.into(), Code::StageAhead.because(ahead)];
                reasons.extend(self.switched_off());
                Next { action: NextAction::Prompt, at: Some(at), reasons }
            }
        }
    }

    fn switched_off(&self) -> Option<Reason> {
        (!self.prompts.enabled).then(|| Code::SwitchedOff.because("[prompts] enabled is false"))
    }

    /// When somebody responsible is at work again, if that is all that is waited for.
    fn next_opening(
        &self,
        connections: &[Connection],
        reasons: &[Reason],
    ) -> Option<DateTime<Utc>> {
        let passes = |reason: &Reason| {
            matches!(
                reason.code,
                Code::Holiday | Code::NotAWorkingDay | Code::OutsideHours | Code::SwitchedOff
            )
        };
        if !reasons.iter().all(passes) {
            return None;
        }
        responsible(connections)
            .iter()
            .filter_map(|party| {
                let zone = party.zone.unwrap_or(self.campaign.zone);
                self.campaign.working.next_opening(zone, self.now)
            })
            .min()
    }

    fn ahead(&self, connection: &Connection) -> Next {
        let joined_later = !self.campaign.due_stages(self.now).is_empty()
            && self.due_stages(connection).is_empty();
        let Some(stage) = self.campaign.next_stage(self.now) else {
            return Next::nothing(vec![Code::NothingLeft.into()]);
        };
        let opens = self.campaign.opens(stage);
        let day = opens.with_timezone(&self.campaign.zone).format("%Y-%m-%d");
        let mut reasons =
            vec![Code::StageAhead.because(format!("stage {} opens on {day}", stage.name))];
        if joined_later {
            reasons.push(Code::JoinedLater.into());
        }
        if connection.standing.manual {
            reasons.push(Code::Manual.into());
        }
        reasons.extend(self.switched_off());
        Next { action: NextAction::Prompt, at: Some(opens), reasons }
    }
}
