//! The judge: he goes by the events alone.

use std::collections::BTreeSet;

use chrono::{NaiveTime, TimeDelta};

use super::{CREATED, DEADLINES, Done, LEASE, Message, STAGES, Story, day, key};
use crate::domain::connection::Presence;
use crate::domain::example::at;
use crate::domain::grant::{ConnectionKey, Readiness};
use crate::domain::removal::RemovalState;

const WAIT_DAYS: i64 = 7;

impl Story {
    /// May this connection be removed now, by all that happened?
    fn may_go(&self, number: usize) -> bool {
        let held = &self.connections[number];
        let now = self.now();
        let deadline = at(DEADLINES[self.deadline]);
        let opens = deadline.date_naive() - chrono::Days::new(30);
        let in_window = now >= opens.and_time(NaiveTime::MIN).and_utc() && now < deadline;
        let hour = now.time();
        let at_work = hour >= NaiveTime::from_hms_opt(6, 0, 0).unwrap()
            && hour < NaiveTime::from_hms_opt(18, 0, 0).unwrap();
        let evidence = held.presence == Presence::Present
            && held.readiness == Readiness::Awaiting
            && self.classes.contains(&held.class)
            && !held.some_evidence_ready;
        let one_of_ours = held.organisation
            && !held.manual
            && (self.covered_too || !held.covered)
            && (if self.list_was_read { held.listed } else { held.has_id });
        let exempt = self.exempt == Some(number) && !self.exempt_is_over;
        let reachable = self.people.iter().any(|one| !self.suppressed.contains(one));
        let in_plan = self.planned.as_ref().is_none_or(|planned| planned.contains(&number));
        in_window
            && at_work
            && evidence
            && one_of_ours
            && !exempt
            && reachable
            && in_plan
            && self.was_told(number)
            && !self.was_removed_or_may_be(number)
            && !self.waits_for_another(number)
    }

    /// What a message is worth for a connection as it is now.
    fn counts(&self, message: &Message, number: usize) -> bool {
        message.shows == number
            && message.arrived
            && message.counts
            && message.deadline == self.deadline
            && self.is_the_one(message, number)
            // The larger set contains the smaller one.
            && message.required >= self.required
    }

    /// Whether the connection is the one that was told of: the one with the date that the
    /// message names, and not made after it as far as Xero knows.
    fn is_the_one(&self, message: &Message, number: usize) -> bool {
        let held = &self.connections[number];
        let made = held.made.filter(|_| self.list_was_read && held.listed);
        if made == Some(message.created) {
            return true;
        }
        let is_later = made.is_some_and(|made| at(CREATED[made]) > day(message.sent));
        message.created == held.created && !is_later
    }

    fn was_told(&self, number: usize) -> bool {
        let of = |who: usize, stage: usize| {
            self.messages.iter().any(|message| {
                message.to == who && message.stage == stage && self.counts(message, number)
            })
        };
        let all_at = |stage: usize| self.people.iter().all(|who| of(*who, stage));
        let stages = (0..STAGES.len()).filter(|stage| all_at(*stage)).count();
        let promises = || {
            let counted = self.messages.iter().filter(|message| self.counts(message, number));
            counted.filter_map(|message| Some((message.to, message.promises?)))
        };
        let all_promised = self.people.iter().all(|who| promises().any(|(to, _)| to == *who));
        let latest = promises().map(|(_, promised)| promised).max();
        stages >= self.min_prompts as usize
            && all_at(2)
            && all_promised
            && latest.is_some_and(|latest| day(latest) <= self.now())
    }

    fn was_removed_or_may_be(&self, number: usize) -> bool {
        self.done.iter().filter(|done| done.tenant == number).any(|done| match done.state {
            RemovalState::Removed | RemovalState::Deleting | RemovalState::Unknown => true,
            RemovalState::Leased => day(done.day) + LEASE > self.now(),
            // Of a stranger's connection these say nothing about this one.
            RemovalState::SetAside => done.own,
            RemovalState::Queued => done.own && day(done.day) + LEASE > self.now(),
            RemovalState::Gone | RemovalState::Dropped => false,
        })
    }

    fn waits_for_another(&self, number: usize) -> bool {
        let awaited = |done: &Done| match done.state {
            RemovalState::Removed => {
                !done.returned && day(done.day) + TimeDelta::days(WAIT_DAYS) > self.now()
            }
            RemovalState::Deleting | RemovalState::Unknown => true,
            RemovalState::Leased => day(done.day) + LEASE > self.now(),
            _ => false,
        };
        let is_other = |done: &&Done| !(done.own && done.tenant == number);
        self.one_each
            && self.done.iter().filter(is_other).any(|done| done.same_person && awaited(done))
    }

    pub(super) fn judged(&self) -> BTreeSet<ConnectionKey> {
        let mut may: Vec<usize> =
            (0..self.connections.len()).filter(|number| self.may_go(*number)).collect();
        may.sort_by_key(|number| (self.connections[*number].used, *number));
        if self.one_each {
            may.truncate(1);
        }
        may.into_iter().map(key).collect()
    }
}
