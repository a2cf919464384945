//! What the prompts of a plan say, from the facts as they are now: every grant is decided
//! about anew, so that somebody who has become ready meanwhile is told nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::delivery::render::{RenderError, Renderer};
use crate::domain::campaign::{Campaign, Channel};
use crate::domain::composing::About;
use crate::domain::connection::Connection;
use crate::domain::decide::{CORRECTION, Rules};
use crate::domain::digest::Digest;
use crate::domain::grant::GrantId;
use crate::domain::told::Past;
use crate::jobs::planning::Work;
use crate::store::{self, Store};

use super::parcel::Parcel;

/// Connections that a mail shows: a list that can still be read.
pub const SHOWN_BY_MAIL: usize = 100;
/// A webhook's receiver is a program, and its body has to stay within what servers take.
const SHOWN_BY_WEBHOOK: usize = 1000;

/// What composing needs.
#[derive(Clone, Copy)]
pub struct Composer<'a> {
    pub store: &'a Store,
    pub rules: Rules<'a>,
    pub edition: i64,
    pub renderer: &'a Renderer,
    pub client_id: &'a str,
    /// Whose leases are open; `None` where nothing is leased, as in a dry run.
    pub owner: Option<Uuid>,
}

/// A prompt with what it says.
pub struct Composed {
    pub digest: Digest,
    pub parcel: Parcel,
}

/// What came of composing one prompt.
pub enum Made {
    Message(Box<Composed>),
    /// Nothing is left to tell.
    Nothing,
    Failed(RenderError),
}

impl<'a> Composer<'a> {
    /// The name of a piece of work's stage.
    #[must_use]
    pub fn stage<'w>(&'w self, work: &Work) -> &'w str {
        stage_name(self.rules.campaign, work)
    }

    /// The id of the prompt of a recipient, stage, channel and edition: the same for the same
    /// link secret, wherever it is made.
    #[must_use]
    pub fn id(&self, work: &Work) -> Uuid {
        let edition = self.edition.to_string();
        self.renderer.prompt_id(&[
            self.client_id,
            &edition,
            self.stage(work),
            &work.channel,
            &work.recipient,
        ])
    }

    /// Composes each piece of work under its id.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn compose(&self, works: &[(Uuid, &Work)]) -> Result<Vec<Made>, store::Error> {
        let mut ids: Vec<GrantId> = works
            .iter()
            .flat_map(|(_, work)| &work.grants)
            .map(|grant| GrantId(Uuid::from_u128(*grant)))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let sets = self.store.scope_sets().await?;
        let settled = self.store.settled_scopes(&ids, &sets).await?;
        let mut grants: HashMap<GrantId, Vec<Connection>> = HashMap::new();
        for connection in self.store.connections_of_grants(&ids, &sets).await? {
            if connection.is_listed() {
                grants.entry(connection.facts.grant).or_default().push(connection);
            }
        }
        let groups: Vec<Vec<Connection>> = grants.values().cloned().collect();
        let past = self.store.past_but_for(self.edition, &groups, self.owner).await?;
        let mut made = Vec::with_capacity(works.len());
        for (id, work) in works {
            let mut about = Vec::new();
            for grant in &work.grants {
                let grant = GrantId(Uuid::from_u128(*grant));
                let Some(connections) = grants.get(&grant) else { continue };
                let held = settled.get(&grant).copied().unwrap_or_default();
                self.lines(work, connections, held, &past, &mut about);
            }
            made.push(self.make(*id, work, about, &past));
            // A long list of them must not keep what is being sent from going on.
            tokio::task::yield_now().await;
        }
        Ok(made)
    }

    /// The lines of one grant that this piece of work is about.
    fn lines<'c>(
        &'c self,
        work: &Work,
        connections: &[Connection],
        held: crate::domain::scopes::ScopeSet,
        past: &Past,
        about: &mut Vec<About<'c>>,
    ) {
        let stage = self.stage(work);
        for line in self.rules.decide(connections, held, past).prompts {
            if line.stage.name == stage
                && line.party.recipient.key() == work.recipient
                && line.channel.to_string() == work.channel
                && let Some(connection) = connections.iter().find(|one| one.key == line.connection)
            {
                about.push(About { line, connection: connection.clone() });
            }
        }
    }

    fn make(&self, id: Uuid, work: &Work, about: Vec<About<'_>>, past: &Past) -> Made {
        let Some(channel) = Channel::parse(&work.channel) else { return Made::Nothing };
        let most = match channel {
            Channel::Email | Channel::File => SHOWN_BY_MAIL,
            Channel::Webhook(_) => SHOWN_BY_WEBHOOK,
        };
        let before: Option<DateTime<Utc>> = match self.stage(work) {
            CORRECTION => past.told_before(&work.recipient, &channel),
            _ => None,
        };
        match self.rules.digest(id, about, before, most) {
            Some(digest) => self.parcel(&channel, digest),
            None => Made::Nothing,
        }
    }

    /// The message of a digest.
    #[must_use]
    pub fn parcel(&self, channel: &Channel, digest: Digest) -> Made {
        match Parcel::new(self.renderer, channel, &digest) {
            Ok(parcel) => Made::Message(Box::new(Composed { digest, parcel })),
            Err(error) => Made::Failed(error),
        }
    }
}

fn stage_name<'c>(campaign: &'c Campaign, work: &Work) -> &'c str {
    campaign.stages.get(work.stage).map_or(CORRECTION, |stage| &stage.name)
}
