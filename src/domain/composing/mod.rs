//! From decisions about grants to what one person is told: which connections a prompt shows,
//! in which order, and which dates it names.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::calendar::{instant, midnight};
use super::campaign::{Campaign, RemovalPolicy};
use super::connection::Connection;
use super::consent::scopes_to_ask;
use super::decide::{PromptLine, Rules};
use super::digest::{Digest, DigestConnection, DigestGrant};
use super::grant::GrantId;
use super::ids::UserId;
use super::recipient::Party;
use super::win_back::is_win_back;

/// How long a link lasts that goes out after the deadline, or after a removal.
pub const LATE_LINK: TimeDelta = TimeDelta::days(60);

/// One connection that a prompt is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub line: PromptLine<'a>,
    pub connection: Connection,
}

impl Rules<'_> {
    /// What a prompt tells its recipient: of `about`, all of one stage, recipient and
    /// channel, the `most` most urgent. `before` is the deadline that they were told last,
    /// for a correction. `None` when there is nothing to tell.
    #[must_use]
    pub fn digest(
        &self,
        prompt: Uuid,
        mut about: Vec<About<'_>>,
        before: Option<DateTime<Utc>>,
        most: usize,
    ) -> Option<Digest> {
        // Who was cut off last time comes first, then what was used last: most is lost there.
        about.sort_by(|one, other| {
            let used = |about: &About<'_>| about.line.last_used_at;
            (one.line.shown.cmp(&other.line.shown))
                .then_with(|| used(other).cmp(&used(one)))
                .then_with(|| {
                    one.connection.facts.tenant_name.cmp(&other.connection.facts.tenant_name)
                })
                .then_with(|| one.connection.key.cmp(&other.connection.key))
        });
        let not_shown = about.len().saturating_sub(most) as u64;
        about.truncate(most);
        let stage = about.first()?.line.stage;
        let party = united(&about)?;
        let zone = party.zone.unwrap_or(self.campaign.zone);
        let dated = self.dated(zone);
        let mut grants: Vec<(GrantId, Vec<&About<'_>>)> = Vec::new();
        for one in &about {
            let grant = one.connection.facts.grant;
            match grants.iter_mut().find(|(known, _)| *known == grant) {
                Some((_, of_grant)) => of_grant.push(one),
                None => grants.push((grant, vec![one])),
            }
        }
        Some(Digest {
            prompt,
            stage: stage.name.clone(),
            template: stage.template.clone(),
            is_final: stage.is_final,
            recipient: party.recipient.key(),
            address: party.recipient.address().map(|address| address.given().to_owned()),
            name: party.name,
            locale: party.locale,
            zone,
            dated,
            deadline: self.campaign.deadline,
            deadline_before: before.filter(|before| *before != self.campaign.deadline),
            removal_from: self.removal_from(zone).filter(|_| stage.is_final),
            links_until: self.links_until(&stage.name, dated),
            grants: grants.into_iter().map(|(grant, about)| self.consent(grant, &about)).collect(),
            not_shown,
        })
    }

    /// Until when a link works that goes out at `dated`.
    #[must_use]
    pub fn links_until(&self, stage: &str, dated: DateTime<Utc>) -> DateTime<Utc> {
        if is_win_back(stage) || self.now >= self.campaign.deadline {
            return dated + LATE_LINK;
        }
        self.campaign.deadline
    }

    /// One consent: what it has to ask for, whatever it is for.
    fn consent(&self, grant: GrantId, about: &[&About<'_>]) -> DigestGrant {
        let own_sets = about.iter().map(|one| one.connection.facts.required);
        let scopes = scopes_to_ask(self.campaign.required, own_sets);
        // A grant without a known user is its connection's own.
        let own = about.iter().any(|one| one.connection.key.0 == grant.0);
        DigestGrant {
            grant,
            user: (!own).then_some(UserId(grant.0)),
            scopes: scopes.canonical(),
            connections: about.iter().map(|one| self.shown(one)).collect(),
        }
    }

    fn shown(&self, about: &About<'_>) -> DigestConnection {
        let facts = &about.connection.facts;
        DigestConnection {
            key: about.connection.key,
            id: facts.id,
            tenant: facts.tenant,
            tenant_name: facts.tenant_name.clone(),
            account: facts.account.clone(),
            missing: about.line.missing.canonical(),
            required: facts.required.unwrap_or(self.campaign.required).canonical(),
            connected_at: about.line.connected_at,
        }
    }

    /// The first working minute of the recipient's day, or that day's 00:00 where it has not
    /// come yet.
    fn dated(&self, zone: Tz) -> DateTime<Utc> {
        let day = self.now.with_timezone(&zone).date_naive();
        let opens = instant(zone, day.and_time(self.campaign.working.from));
        if opens <= self.now { opens } else { instant(zone, day.and_time(NaiveTime::MIN)) }
    }

    /// The earliest removal that a final notice of today can promise.
    #[must_use]
    pub fn removal_from(&self, zone: Tz) -> Option<DateTime<Utc>> {
        removal_from(self.campaign, self.removal?, zone, self.now)
    }
}

/// The earliest removal that a final notice sent at `now` can promise: 00:00 of the first day
/// in `zone` by which the notice has lasted, in whole days from its sending, and the window is
/// open. `None` where nothing is removed, or the deadline comes first.
#[must_use]
pub fn removal_from(
    campaign: &Campaign,
    policy: &RemovalPolicy,
    zone: Tz,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if !policy.enabled {
        return None;
    }
    let opens = campaign.day_from_deadline(-i64::from(policy.opens_days_before?));
    let today = now.with_timezone(&zone).date_naive();
    // The day of the sending is not whole, so the notice ends with the day after its last.
    let after_notice = today.checked_add_days(Days::new(u64::from(policy.min_notice_days?) + 1))?;
    let opening = opens.with_timezone(&zone).date_naive();
    let in_window = if midnight(zone, opening) < opens { opening.succ_opt()? } else { opening };
    Some(midnight(zone, after_notice.max(in_window))).filter(|from| *from < campaign.deadline)
}

/// The recipient, with what any of the rows knows of them.
fn united(about: &[About<'_>]) -> Option<Party> {
    let mut parties = about.iter().map(|one| &one.line.party);
    let mut party = parties.next()?.clone();
    for other in parties {
        party.zone = party.zone.or(other.zone);
        party.name = party.name.take().or_else(|| other.name.clone());
        party.locale = party.locale.take().or_else(|| other.locale.clone());
    }
    Some(party)
}

#[cfg(test)]
mod tests;
