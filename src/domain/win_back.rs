//! What people are told after a removal: that it happened and how to come back, a reminder, a
//! last word; and at once, when their consent and the removal crossed. Each is told once for
//! each removal, in messages of its own, until the tenant is back.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::calendar::midnight;
use super::campaign::{Campaign, Channel, RemovalPolicy, Stage, StageDay};
use super::connection::{Connection, Presence};
use super::decide::{Action, Decision, HeldBack, PromptLine, Rules, hold_back};
use super::reason::Reason;
use super::recipient::{Party, responsible};
use super::removal::{PastRemoval, RemovalState};
use super::scopes::ScopeSet;
use super::told::{History, Made, Way};

/// The stages that follow a removal, which are also the names of their templates.
pub const CROSSED: &str = "crossed";
pub const REMOVED: &str = "removed";
pub const REMINDER: &str = "removed-reminder";
pub const LAST: &str = "removed-last";

/// In the order in which they are told.
pub const STAGES: [&str; 4] = [CROSSED, REMOVED, REMINDER, LAST];

/// Days after the removal on which people are told, where nothing else is written.
pub const DAYS: [u32; 3] = [0, 7, 21];

/// Whether a stage follows a removal.
#[must_use]
pub fn is_win_back(stage: &str) -> bool {
    STAGES.contains(&stage)
}

/// A message that follows a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    pub stage: Stage,
    /// After the day of the removal.
    pub days: u32,
}

/// All of them, by the ways of the final notice: who was told of a removal there looks there.
#[must_use]
pub fn follow_ups(campaign: &Campaign, removal: Option<&RemovalPolicy>) -> Vec<FollowUp> {
    let final_stage = campaign.stages.iter().find(|stage| stage.is_final);
    let channels: Vec<Channel> =
        final_stage.map(|stage| stage.channels.clone()).unwrap_or_default();
    let [at_once, reminder, last] = removal.map_or(DAYS, |policy| policy.win_back_days);
    STAGES
        .into_iter()
        .zip([0, at_once, reminder, last])
        .map(|(name, days)| FollowUp {
            stage: Stage {
                name: name.to_owned(),
                day: StageDay::After(days),
                channels: channels.clone(),
                template: name.to_owned(),
                is_final: false,
                hold_back_percent: 0,
            },
            days,
        })
        .collect()
}

/// Who was removed before this and is not back has had all there is to say: the day of the
/// last message is over.
#[must_use]
pub fn lost_before(follow_ups: &[FollowUp], now: DateTime<Utc>) -> DateTime<Utc> {
    let last = follow_ups.last().map_or(0, |follow_up| follow_up.days);
    now - TimeDelta::days(i64::from(last) + 1)
}

/// A removal that people may have to be told of.
#[derive(Clone, Copy, Debug)]
struct Away<'r> {
    removal: &'r PastRemoval,
    removed_at: DateTime<Utc>,
}

impl<'r> Away<'r> {
    /// The removal of a connection, unless it has come back, whatever its scopes.
    fn of(connection: &Connection, past: &'r impl History) -> Option<Self> {
        if connection.presence != Presence::Removed {
            return None;
        }
        let removal = past.removals(connection).iter().find(|removal| {
            removal.connection == connection.key
                && removal.state == RemovalState::Removed
                && removal.returned_at.is_none()
                && removal.back_at.is_none()
        })?;
        Some(Self { removal, removed_at: removal.settled_at? })
    }
}

/// What is still to be told somebody of one removal, now or once it is possible.
struct Course<'a, 'p> {
    stage: &'a Stage,
    party: &'p Party,
    channel: Channel,
    wave: i64,
    way: Way,
}

impl<'a> Rules<'a> {
    /// When a message about a removal is due.
    #[must_use]
    pub fn follows_at(&self, follow_up: &FollowUp, removed_at: DateTime<Utc>) -> DateTime<Utc> {
        let zone = self.campaign.zone;
        let day = removed_at.with_timezone(&zone).date_naive();
        let due = day.checked_add_days(Days::new(follow_up.days.into())).unwrap_or(day);
        // The day itself has begun before the removal.
        midnight(zone, due).max(removed_at)
    }

    /// What people are told of one grant's removed connections. `connections` are all of it
    /// that the host lists or that were removed, `here` everybody who still stands in the
    /// inventory: nobody else is written to.
    #[must_use]
    pub fn win_back(
        &self,
        connections: &[Connection],
        here: &BTreeSet<String>,
        held: ScopeSet,
        past: &impl History,
    ) -> Decision<'a> {
        let mut decision = Decision::default();
        let mut parties = responsible(connections);
        parties.retain(|party| here.contains(&party.recipient.key()));
        for connection in connections {
            let Some(away) = Away::of(connection, past) else { continue };
            let courses = self.follow_up_courses(connection, away, &parties, past);
            if courses.is_empty() {
                continue;
            }
            let bars = self.bars(connection, &parties);
            if !bars.is_empty() {
                let (connection, action) = (connection.key, Action::Prompt);
                decision.held_back.push(HeldBack { connection, action, reasons: bars });
                continue;
            }
            for course in courses {
                let reasons = self.follow_up_stops(&course);
                if !reasons.is_empty() {
                    decision.waits_in.extend(self.waits_in(course.party, &reasons));
                    hold_back(&mut decision.held_back, connection.key, reasons);
                    continue;
                }
                decision.prompts.push(PromptLine {
                    stage: course.stage,
                    wave: course.wave,
                    party: course.party.clone(),
                    channel: course.channel,
                    connection: connection.key,
                    missing: self.missing(connection, held),
                    last_used_at: connection.facts.last_used_at,
                    connected_at: Made::of(connection, past.in_xero(connection)).at(),
                    shown: past.shown(connection.key, &course.party.recipient.key()),
                });
            }
        }
        decision
    }

    /// What comes next for a removed connection of which people are still told.
    pub(super) fn next_follow_up(
        &self,
        connection: &Connection,
        past: &impl History,
    ) -> Option<(&'a Stage, DateTime<Utc>)> {
        let away = Away::of(connection, past)?;
        let ahead = self.win_back.iter().filter(|follow_up| follow_up.stage.name != CROSSED);
        ahead
            .map(|follow_up| (&follow_up.stage, self.follows_at(follow_up, away.removed_at)))
            .find(|(_, at)| *at > self.now)
    }

    fn follow_up_courses<'p>(
        &self,
        connection: &Connection,
        away: Away<'_>,
        parties: &'p [Party],
        past: &impl History,
    ) -> Vec<Course<'a, 'p>> {
        let stages = self.due_follow_ups(away);
        let mut courses = Vec::new();
        for party in parties {
            let of_stage = |stage: &&'a Stage| {
                let reaches = |channel: &&Channel| channel.reaches(party);
                let course = |channel: &Channel| {
                    let (wave, way) = past.follow_up_way(
                        connection.key,
                        &party.recipient,
                        stage,
                        channel,
                        self.now,
                    );
                    Course { stage, party, channel: channel.clone(), wave, way }
                };
                let mut left: Vec<Course<'a, 'p>> =
                    stage.channels.iter().filter(reaches).map(course).collect();
                left.retain(|course| course.way != Way::Done);
                left
            };
            courses.extend(
                stages.iter().map(of_stage).find(|left| !left.is_empty()).unwrap_or_default(),
            );
        }
        courses
    }

    /// The answer to a crossing first; else the last message whose day has come, since one that
    /// was missed collapses into it. Who was told of the crossing is told of the removal by that.
    fn due_follow_ups(&self, away: Away<'_>) -> Vec<&'a Stage> {
        let has_crossed = away.removal.crossed_at.is_some();
        let opened = |follow_up: &&'a FollowUp| {
            follow_up.stage.name != CROSSED
                && self.follows_at(follow_up, away.removed_at) <= self.now
        };
        let crossed = self.win_back.iter().find(|follow_up| follow_up.stage.name == CROSSED);
        let current = self.win_back.iter().rfind(opened);
        let mut stages: Vec<&Stage> =
            crossed.filter(|_| has_crossed).map(|follow_up| &follow_up.stage).into_iter().collect();
        let is_said = |stage: &str| has_crossed && stage == REMOVED;
        stages.extend(
            current.map(|follow_up| &follow_up.stage).filter(|stage| !is_said(&stage.name)),
        );
        stages
    }

    /// A consent and a removal that crossed are answered at any hour: its sender is at work.
    fn follow_up_stops(&self, course: &Course<'a, '_>) -> Vec<Reason> {
        let mut reasons = self.stops(course.stage, course.party, &course.channel, course.way);
        if course.stage.name == CROSSED {
            reasons.retain(|reason| !reason.code.is_of_hours());
        }
        reasons
    }
}

#[cfg(test)]
mod tests;
