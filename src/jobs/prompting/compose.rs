//! What the prompts of a plan say, from the facts as they are now: every grant is decided
//! about anew, so that somebody who has become ready meanwhile is told nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::delivery::render::{RenderError, Renderer};
use crate::domain::campaign::Channel;
use crate::domain::composing::About;
use crate::domain::connection::Connection;
use crate::domain::decide::{CORRECTION, Decision, Rules};
use crate::domain::digest::Digest;
use crate::domain::grant::GrantId;
use crate::domain::told::Past;
use crate::domain::win_back::is_win_back;
use crate::jobs::planning::Work;
use crate::jobs::winning_back::Away;
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
    pub fn stage(&self, work: &Work) -> &'a str {
        self.rules.stage_name(work.stage)
    }

    /// The id of the prompt of a recipient, stage, channel and edition: the same for the same
    /// link secret, wherever it is made.
    #[must_use]
    pub fn id(&self, work: &Work) -> Uuid {
        let (edition, wave) = (self.edition.to_string(), work.wave.to_string());
        let mut named =
            vec![self.client_id, &edition, self.stage(work), &work.channel, &work.recipient];
        if is_win_back(self.stage(work)) {
            named.push(&wave);
        }
        self.renderer.prompt_id(&named)
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
        let away = Away::of(self.store, &ids, &sets).await?;
        let past = self.store.past_but_for(self.edition, &away.grants, self.owner).await?;
        let grants: HashMap<GrantId, &[Connection]> = away
            .grants
            .iter()
            .filter_map(|grant| Some((grant.first()?.facts.grant, grant.as_slice())))
            .collect();
        let mut made = Vec::with_capacity(works.len());
        for (id, work) in works {
            let mut about = Vec::new();
            for grant in &work.grants {
                let grant = GrantId(Uuid::from_u128(*grant));
                let Some(connections) = grants.get(&grant) else { continue };
                let held = settled.get(&grant).copied().unwrap_or_default();
                let decision = match is_win_back(self.stage(work)) {
                    true => self.rules.win_back(connections, &away.here, held, &past),
                    false => self.rules.decide(&listed(connections), held, &past),
                };
                self.lines(work, decision, connections, &mut about);
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
        decision: Decision<'c>,
        connections: &[Connection],
        about: &mut Vec<About<'c>>,
    ) {
        let stage = self.stage(work);
        for line in decision.prompts {
            if line.stage.name == stage
                && line.wave == work.wave
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

fn listed(connections: &[Connection]) -> Vec<Connection> {
    connections.iter().filter(|connection| connection.is_listed()).cloned().collect()
}
