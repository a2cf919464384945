//! Who is prompted about a grant's connections, at which stage and by which ways.

use chrono_tz::Tz;

use crate::domain::hold_back::is_held_back;

use super::{
    Action, Campaign, Channel, Code, Connection, Decision, HeldBack, History, Party, PromptLine,
    Reason, Recipient, Rules, ScopeSet, Stage, Way, hold_back, is_awaiting,
};
use crate::domain::told::Made;

/// One recipient, one channel, and the stage that is open to it or stopped.
struct Course<'a, 'p> {
    stage: &'a Stage,
    party: &'p Party,
    channel: Channel,
    way: Way,
}

impl<'a> Rules<'a> {
    pub(super) fn decide_prompts(
        &self,
        connections: &[Connection],
        parties: &[Party],
        held: ScopeSet,
        past: &impl History,
        decision: &mut Decision<'a>,
    ) {
        let due: Vec<(&Connection, Vec<&'a Stage>, Vec<Reason>)> = connections
            .iter()
            .filter(|connection| is_awaiting(connection))
            .map(|connection| (connection, self.due_stages(connection)))
            .filter(|(_, stages)| !stages.is_empty() || self.correction.is_some())
            .map(|(connection, stages)| (connection, stages, self.bars(connection, parties)))
            .collect();
        // A practice is shown beside an organisation, never alone.
        let organisation_goes = due
            .iter()
            .any(|(connection, _, bars)| bars.is_empty() && connection.facts.is_organisation());
        for (connection, stages, mut reasons) in due {
            if reasons.is_empty() && !organisation_goes {
                reasons.push(Code::NotAnOrganisation.into());
            }
            let reaches_somebody =
                stages.last().is_none_or(|stage| parties.iter().any(|party| reached(stage, party)));
            if !reaches_somebody {
                reasons.push(Code::Unreachable.into());
            }
            let courses = self.courses(&stages, parties, past);
            if !reasons.is_empty() {
                // What has been done is not held back.
                if !reaches_somebody || !courses.is_empty() {
                    let connection = connection.key;
                    let action = Action::Prompt;
                    decision.held_back.push(HeldBack { connection, action, reasons });
                }
                continue;
            }
            for course in courses {
                let reasons = self.stops(course.stage, course.party, &course.channel, course.way);
                if reasons.is_empty() {
                    decision.prompts.push(PromptLine {
                        stage: course.stage,
                        wave: 0,
                        party: course.party.clone(),
                        channel: course.channel,
                        connection: connection.key,
                        missing: self.missing(connection, held),
                        last_used_at: connection.facts.last_used_at,
                        connected_at: Made::of(connection, past.in_xero(connection)).at(),
                        shown: past.shown(connection.key, &course.party.recipient.key()),
                    });
                } else {
                    decision.waits_in.extend(self.waits_in(course.party, &reasons));
                    hold_back(&mut decision.held_back, connection.key, reasons);
                }
            }
        }
    }

    /// What is still to be done for each of the people, now or once it is possible.
    fn courses<'p>(
        &self,
        stages: &[&'a Stage],
        parties: &'p [Party],
        past: &impl History,
    ) -> Vec<Course<'a, 'p>> {
        let mut courses = Vec::new();
        for party in parties {
            let of_stage = |stage: &&'a Stage| {
                let reaches = |channel: &&Channel| channel.reaches(party);
                let course = |channel: &Channel| Course {
                    stage,
                    party,
                    channel: channel.clone(),
                    way: past.way(&party.recipient, stage, channel, self.now),
                };
                let mut left: Vec<Course<'a, 'p>> =
                    stage.channels.iter().filter(reaches).map(course).collect();
                left.retain(|course| course.way != Way::Done);
                left
            };
            let left = stages.iter().map(of_stage).find(|left| !left.is_empty());
            let left = left.unwrap_or_default();
            // A prompt that goes names the new date by itself.
            if left.is_empty() {
                courses.extend(self.correction(party, past));
            }
            courses.extend(left);
        }
        courses
    }

    fn correction<'p>(&self, party: &'p Party, past: &impl History) -> Vec<Course<'a, 'p>> {
        let Some(stage) = self.correction.filter(|_| self.now < self.campaign.deadline) else {
            return Vec::new();
        };
        past.misinformed(&party.recipient, self.campaign.deadline)
            .into_iter()
            .filter(|channel| channel.reaches(party))
            .map(|channel| {
                let way = past.way(&party.recipient, stage, &channel, self.now);
                Course { stage, party, channel, way }
            })
            .filter(|course| course.way != Way::Done)
            .collect()
    }

    /// Why somebody is not written to now.
    pub(in crate::domain) fn stops(
        &self,
        stage: &Stage,
        party: &Party,
        channel: &Channel,
        way: Way,
    ) -> Vec<Reason> {
        let zone = party.zone.unwrap_or(self.campaign.zone);
        let way = match way {
            Way::Open | Way::Done => None,
            Way::Later(at) => Some(Code::RetryLater.because(format!(
                "it was refused for now and is tried again from {}",
                at.with_timezone(&zone).format("%Y-%m-%d %H:%M")
            ))),
            Way::InFlight => Some(Code::InFlight.into()),
            Way::Unknown => Some(Code::OutcomeUnknown.into()),
            Way::Refused => Some(Code::Refused.into()),
            Way::Bounced => Some(Code::Bounced.into()),
        };
        let recipient = &party.recipient;
        let suppressed = *channel == Channel::Email && self.is_suppressed(recipient);
        [
            way,
            suppressed.then(|| Code::Suppressed.into()),
            is_held_back(self.hold_back_key, &recipient.key(), stage)
                .then(|| Code::HoldBack.into()),
            self.campaign.working.closed(zone, self.now),
            self.not_let_out(recipient, channel),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Where somebody is at whose hours all of this ends.
    pub(in crate::domain) fn waits_in(&self, party: &Party, reasons: &[Reason]) -> Option<Tz> {
        let is_of_hours = reasons.iter().all(|reason| reason.code.is_of_hours());
        is_of_hours.then(|| party.zone.unwrap_or(self.campaign.zone))
    }

    fn is_suppressed(&self, recipient: &Recipient) -> bool {
        recipient.address().is_some_and(|address| self.suppressed.contains(address.key()))
    }

    /// Whether nobody with an address may be written to.
    pub(super) fn all_suppressed(&self, parties: &[Party]) -> bool {
        parties.iter().all(|party| {
            party.recipient.address().is_none() || self.is_suppressed(&party.recipient)
        })
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
}

impl Channel {
    /// E-mail and files need an address, webhooks do not; who was forgotten has no way.
    pub(in crate::domain) fn reaches(&self, party: &Party) -> bool {
        match self {
            _ if party.recipient.is_forgotten() => false,
            Self::Email | Self::File => party.recipient.address().is_some(),
            Self::Webhook(_) => true,
        }
    }
}

fn reached(stage: &Stage, party: &Party) -> bool {
    stage.channels.iter().any(|channel| channel.reaches(party))
}

impl Campaign {
    /// How a correction goes out: as a stage of its own, by whatever ways people were told.
    #[must_use]
    pub fn correction() -> Stage {
        Stage {
            name: super::CORRECTION.to_owned(),
            day: crate::domain::campaign::StageDay::Before(0),
            channels: Vec::new(),
            template: super::CORRECTION.to_owned(),
            is_final: false,
            hold_back_percent: 0,
        }
    }
}
