//! Finding the news: over all connections that webhooks were asked to show, in pages.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::delivery::payload::StateChange;
use crate::domain::connection::Connection;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::recipient::{Exemptions, responsible};
use crate::store::announcements::{Announcement, Shown, Word};
use crate::store::{self, ScopeSets, Store};

use super::news;

/// What finding needs.
pub(super) struct Finder<'a> {
    pub store: &'a Store,
    pub exemptions: &'a Exemptions,
    pub clock: &'a dyn Clock,
    pub cancel: &'a CancellationToken,
    /// Whether a webhook stands in the configuration: nothing is kept for others.
    pub is_known: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Finder<'_> {
    /// Queues all news; tells how many there were.
    pub(super) async fn run(&self) -> Result<u64, store::Error> {
        let sets = self.store.scope_sets().await?;
        let mut after = None;
        let mut found = 0;
        loop {
            // What was not found yet is found by the next run.
            if self.cancel.is_cancelled() {
                return Ok(found);
            }
            // Who is exempt is known to the rules only, so that all are looked at.
            let page = self.store.next_shown(after, !self.exemptions.is_empty()).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.connection);
            found += self.page(&page, &sets).await?;
        }
    }

    async fn page(&self, page: &[Shown], sets: &ScopeSets) -> Result<u64, store::Error> {
        let exempt = self.exempt(page, sets).await?;
        let states: HashMap<ConnectionKey, _> = page
            .iter()
            .filter_map(|shown| {
                Some((shown.connection, news::state(shown, exempt.contains(&shown.connection))?))
            })
            .collect();
        let keys: Vec<ConnectionKey> = states.keys().copied().collect();
        let mut words = self.store.last_words(&keys).await?;
        words.retain(|word| {
            (self.is_known)(&word.webhook)
                && states.get(&word.connection).is_some_and(|state| news::is_news(word, *state))
        });
        let mut keys: Vec<ConnectionKey> = words.iter().map(|word| word.connection).collect();
        keys.dedup();
        let connections = self.store.connections_by_key(&keys, sets).await?;
        let by_key: HashMap<ConnectionKey, &Connection> =
            connections.iter().map(|connection| (connection.key, connection)).collect();
        let now = self.clock.now();
        let told = |word: &Word| {
            let state = *states.get(&word.connection)?;
            let facts = &by_key.get(&word.connection)?.facts;
            let change = StateChange {
                state,
                connection: facts.id,
                tenant: facts.tenant,
                account: facts.account.clone(),
                grant: facts.grant,
                at: now,
            };
            Some(Announcement {
                id: news::id(word, state),
                webhook: word.webhook.clone(),
                connection: word.connection,
                what: state.as_str(),
                body: String::from_utf8(change.to_bytes()).ok()?,
            })
        };
        let announcements: Vec<Announcement> = words.iter().filter_map(told).collect();
        self.store.add_announcements(&announcements, now).await
    }

    /// Which of these are exempt. Everybody responsible for the grant can be.
    async fn exempt(
        &self,
        page: &[Shown],
        sets: &ScopeSets,
    ) -> Result<Vec<ConnectionKey>, store::Error> {
        if self.exemptions.is_empty() {
            return Ok(Vec::new());
        }
        let waits = |shown: &&Shown| news::state(shown, false).is_none();
        let keys: Vec<ConnectionKey> =
            page.iter().filter(waits).map(|shown| shown.connection).collect();
        let own = self.store.connections_by_key(&keys, sets).await?;
        let mut grants: Vec<GrantId> = own.iter().map(|one| one.facts.grant).collect();
        grants.dedup();
        let mut all = self.store.connections_of_grants(&grants, sets).await?;
        all.retain(Connection::is_listed);
        let exempt = all
            .chunk_by(|one, other| one.facts.grant == other.facts.grant)
            .flat_map(|grant| {
                let parties = responsible(grant);
                let is_exempt =
                    move |one: &&Connection| self.exemptions.of(one, &parties).is_some();
                grant.iter().filter(is_exempt).map(|one| one.key)
            })
            .collect();
        Ok(exempt)
    }
}
