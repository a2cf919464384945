//! What people have been told so far, and which prompts there are already: the past that
//! decisions are made on.

mod made;
mod mark;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::campaign::{Campaign, Channel, Stage};
use super::connection::Connection;
use super::grant::ConnectionKey;
use super::recipient::{Party, Recipient};
use super::removal::{InXero, Listed, PastRemoval};
use super::scopes::ScopeSet;

pub use made::Made;
pub use mark::{Mark, PromptState, Way};

/// A prompt that showed a connection to somebody, was taken, and has not bounced since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    pub recipient: String,
    pub stage: String,
    /// The deadline that it named.
    pub deadline: DateTime<Utc>,
    /// The scopes that it asked for.
    pub required: ScopeSet,
    /// When the connection was made, as far as was known then.
    pub connected_at: Option<DateTime<Utc>>,
    pub sent_at: DateTime<Utc>,
    /// The removal date that it promised, if it named one.
    pub removal_from: Option<DateTime<Utc>>,
    /// It counts: it went by mail, through the host, or to a webhook that is a notice.
    pub is_notice: bool,
}

/// The channel of messages that the host sent by its own means and told us of.
pub const HOST: &str = "host";

/// What people responsible for a connection have been told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Stages at which everyone responsible was told.
    pub stages: u32,
    pub final_notice: bool,
    /// The latest removal date that somebody was told, once everyone was told one.
    pub promise: Option<DateTime<Utc>>,
}

/// The past of some grants.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The number of the deadline's present edition.
    pub edition: i64,
    tellings: BTreeMap<ConnectionKey, Vec<Telling>>,
    marks: BTreeMap<String, Vec<Mark>>,
    /// The messages that showed removed connections at the stages that follow removals.
    followed: BTreeMap<ConnectionKey, Vec<Mark>>,
    removals: Vec<PastRemoval>,
    /// Xero's own list, once a good one was read.
    listed: Option<BTreeMap<ConnectionKey, Listed>>,
}

/// What decisions ask about the past.
pub trait History {
    fn told(&self, connection: &Connection, parties: &[Party], campaign: &Campaign) -> Told;
    fn way(
        &self,
        recipient: &Recipient,
        stage: &Stage,
        channel: &Channel,
        now: DateTime<Utc>,
    ) -> Way;
    /// The message by which somebody is told of a removed connection at a stage that follows
    /// removals, and what is open to it: each tells of a removal once.
    fn follow_up_way(
        &self,
        connection: ConnectionKey,
        recipient: &Recipient,
        stage: &Stage,
        channel: &Channel,
        now: DateTime<Utc>,
    ) -> (i64, Way);
    /// The channels by which somebody was told another deadline, and at no stage since.
    fn misinformed(&self, recipient: &Recipient, deadline: DateTime<Utc>) -> Vec<Channel>;
    /// How many prompts have shown a connection to somebody.
    fn shown(&self, connection: ConnectionKey, recipient: &str) -> usize;
    /// The removals that may bar a connection's, and perhaps others.
    fn removals(&self, connection: &Connection) -> &[PastRemoval];
    /// The connection in Xero's own list.
    fn in_xero(&self, connection: &Connection) -> InXero;
}

impl Past {
    #[must_use]
    pub fn new(edition: i64) -> Self {
        Self { edition, ..Self::default() }
    }

    pub fn add_telling(&mut self, connection: ConnectionKey, telling: Telling) {
        self.tellings.entry(connection).or_default().push(telling);
    }

    pub fn add_mark(&mut self, mark: Mark) {
        self.marks.entry(mark.recipient.clone()).or_default().push(mark);
    }

    pub fn add_followed(&mut self, connection: ConnectionKey, mark: Mark) {
        self.followed.entry(connection).or_default().push(mark);
    }

    pub fn add_removal(&mut self, removal: PastRemoval) {
        self.removals.push(removal);
    }

    /// Takes Xero's own list, in place of one from before.
    pub fn set_listed(&mut self, listed: BTreeMap<ConnectionKey, Listed>) {
        self.listed = Some(listed);
    }

    /// How many mails somebody has had on a day.
    #[must_use]
    pub fn mails_on(&self, recipient: &str, day: NaiveDate) -> u64 {
        let email = Channel::Email.to_string();
        let marks = self.marks.get(recipient).into_iter().flatten();
        marks.filter(|mark| mark.channel == email && mark.day == Some(day)).count() as u64
    }

    /// The deadline that somebody was told last by a channel.
    #[must_use]
    pub fn told_before(&self, recipient: &str, channel: &Channel) -> Option<DateTime<Utc>> {
        let channel = channel.to_string();
        let marks = self.marks.get(recipient).into_iter().flatten();
        marks
            .filter(|mark| mark.channel == channel && mark.state == PromptState::Sent)
            .filter(|mark| mark.edition < self.edition)
            .max_by_key(|mark| mark.edition)
            .and_then(|mark| mark.deadline)
    }

    fn marks(&self, recipient: &Recipient) -> &[Mark] {
        self.marks.get(&recipient.key()).map_or(&[], Vec::as_slice)
    }

    /// What was told of a connection and still holds: for these very scopes, this deadline
    /// and this connection.
    fn valid<'a>(
        &'a self,
        connection: &'a Connection,
        campaign: &'a Campaign,
    ) -> impl Iterator<Item = &'a Telling> {
        let required = connection.facts.required.unwrap_or(campaign.required).deciding();
        let made = Made::of(connection, self.in_xero(connection));
        self.tellings.get(&connection.key).into_iter().flatten().filter(move |telling| {
            telling.is_notice
                && telling.deadline == campaign.deadline
                && made.is_as_told(telling)
                && telling.required.is_superset(required)
        })
    }
}

impl History for Past {
    fn told(&self, connection: &Connection, parties: &[Party], campaign: &Campaign) -> Told {
        let valid: Vec<&Telling> = self.valid(connection, campaign).collect();
        let to = |party: &Party| {
            let key = party.recipient.key();
            valid.iter().filter(move |telling| telling.recipient == key)
        };
        let stages = parties
            .iter()
            .map(|party| to(party).map(|telling| telling.stage.as_str()).collect())
            .reduce(|all: BTreeSet<&str>, own| all.intersection(&own).copied().collect())
            .unwrap_or_default();
        let is_final = |telling: &&&Telling| {
            campaign.stages.iter().any(|stage| stage.is_final && stage.name == telling.stage)
        };
        let everyone =
            |holds: &dyn Fn(&Party) -> bool| !parties.is_empty() && parties.iter().all(holds);
        let all_promised =
            everyone(&|party| to(party).any(|telling| telling.removal_from.is_some()));
        Told {
            stages: u32::try_from(stages.len()).unwrap_or(u32::MAX),
            final_notice: everyone(&|party| to(party).any(|telling| is_final(&telling))),
            promise: valid
                .iter()
                .filter_map(|telling| telling.removal_from)
                .max()
                .filter(|_| all_promised),
        }
    }

    fn way(
        &self,
        recipient: &Recipient,
        stage: &Stage,
        channel: &Channel,
        now: DateTime<Utc>,
    ) -> Way {
        let channel = channel.to_string();
        let of_stage = |mark: &&Mark| mark.stage == stage.name && mark.channel == channel;
        let marks = || self.marks(recipient).iter().filter(of_stage);
        let went = |mark: &Mark| {
            matches!(mark.state, PromptState::Sent | PromptState::Sending | PromptState::Unknown)
                && !mark.bounced
        };
        // What the host sent by its own means went to the same mailbox.
        let by_host = |mark: &Mark| {
            mark.channel == HOST
                && mark.stage == stage.name
                && (mark.edition == self.edition || !stage.is_final)
                && went(mark)
        };
        if channel == "email" && self.marks(recipient).iter().any(by_host) {
            return Way::Done;
        }
        if let Some(mark) = marks().find(|mark| mark.edition == self.edition) {
            return mark.way(now);
        }
        // Under another deadline it may be going out this very moment.
        let in_flight = |way: &Way| *way == Way::InFlight;
        if let Some(way) = marks().map(|mark| mark.way(now)).find(in_flight) {
            return way;
        }
        // A new deadline moves the stages that are still to come; what it makes void, only the
        // final notice and the correction tell anew.
        let tells_anew = stage.is_final || stage.name == super::decide::CORRECTION;
        if !tells_anew && marks().any(went) { Way::Done } else { Way::Open }
    }

    fn follow_up_way(
        &self,
        connection: ConnectionKey,
        recipient: &Recipient,
        stage: &Stage,
        channel: &Channel,
        now: DateTime<Utc>,
    ) -> (i64, Way) {
        let (recipient, channel) = (recipient.key(), channel.to_string());
        let is_own = |mark: &&Mark| {
            let same_way = mark.channel == channel || mark.channel == HOST && channel == "email";
            mark.recipient == recipient && mark.stage == stage.name && same_way
        };
        let followed = || self.followed.get(&connection).into_iter().flatten().filter(is_own);
        // The last one that told of this very removal, or was about to.
        if let Some(mark) = followed().max_by_key(|mark| (mark.edition, mark.wave)) {
            return (mark.wave, mark.way(now));
        }
        let marks = || self.marks.get(&recipient).into_iter().flatten().filter(is_own);
        let is_open = |mark: &&Mark| {
            mark.edition == self.edition
                && mark.channel == channel
                && matches!(mark.state, PromptState::Queued | PromptState::Leased)
        };
        match marks().filter(is_open).min_by_key(|mark| mark.wave) {
            Some(mark) => (mark.wave, mark.way(now)),
            None => (marks().map(|mark| mark.wave + 1).max().unwrap_or(0), Way::Open),
        }
    }

    fn misinformed(&self, recipient: &Recipient, deadline: DateTime<Utc>) -> Vec<Channel> {
        let marks = self.marks(recipient);
        let went = |mark: &&Mark| mark.state == PromptState::Sent && !mark.bounced;
        let mut channels: Vec<Channel> = Vec::new();
        for mark in marks.iter().filter(went) {
            let told_now = |other: &Mark| {
                other.channel == mark.channel
                    && other.edition == self.edition
                    && other.stage != super::decide::CORRECTION
                    && matches!(
                        other.state,
                        PromptState::Sent | PromptState::Sending | PromptState::Unknown
                    )
            };
            let is_other = mark.deadline.is_some_and(|named| named != deadline);
            if let Some(channel) = Channel::parse(&mark.channel)
                && is_other
                && mark.edition < self.edition
                && !marks.iter().any(told_now)
                && !channels.contains(&channel)
            {
                channels.push(channel);
            }
        }
        channels
    }

    fn shown(&self, connection: ConnectionKey, recipient: &str) -> usize {
        let of = self.tellings.get(&connection).into_iter().flatten();
        of.filter(|telling| telling.recipient == recipient).count()
    }

    fn removals(&self, _: &Connection) -> &[PastRemoval] {
        &self.removals
    }

    fn in_xero(&self, connection: &Connection) -> InXero {
        let Some(listed) = &self.listed else { return InXero::Unread };
        listed.get(&connection.key).map_or(InXero::Absent, |listed| InXero::Listed(*listed))
    }
}

#[cfg(test)]
mod tests;
