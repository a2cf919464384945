//! Takes in what others know of messages: deliveries, bounces, complaints, and what the host
//! sent by its own means. Taking in the same twice changes nothing.

mod bounce;
mod claim;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain::address::Address;
use crate::domain::campaign::Campaign;
use crate::domain::connection::Connection;
use crate::domain::grant::Readiness;
use crate::domain::told::HOST;
use crate::domain::win_back::is_win_back;
use crate::store::outcomes::{HostSent, Named, OutcomeWriter, Shown};
use crate::store::settling::PromptHead;
use crate::store::{self, ScopeSets, Store};

use claim::{About, Bounce, Claim, Fault, Says};
use reading::{Content, Line};

/// Why nothing could be taken in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("these are no outcomes: {0}")]
    Form(String),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Lines, or messages.
    pub read: u64,
    /// Something was learnt from them.
    pub applied: u64,
    /// Known before, or of no consequence.
    pub unchanged: u64,
    /// Messages that are no report on one of ours.
    pub foreign: u64,
    pub bad: u64,
    /// The first of the bad ones.
    pub problems: Vec<Problem>,
}

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub place: String,
    pub reason: String,
}

/// Problems that are told one by one.
const MAX_PROBLEMS: usize = 100;

/// What an import depends on.
pub struct Import<'a> {
    pub store: &'a Store,
    pub campaign: &'a Campaign,
    pub now: DateTime<Utc>,
    /// Stands in for a run.
    pub id: Uuid,
}

/// What a batch needs of the database to tell what the host sent.
struct Known {
    responsibilities: BTreeMap<String, Vec<Connection>>,
    /// The deadline's present edition; `None` where the host sent nothing.
    edition: Option<i64>,
}

impl Import<'_> {
    /// Takes in a file, or a Maildir.
    ///
    /// # Errors
    /// It cannot be read, or the database cannot be used; what was taken in before stays.
    pub async fn run(&self, path: &Path) -> Result<Summary, Error> {
        let (send, mut batches) = mpsc::channel(2);
        let path = path.to_owned();
        let reader = tokio::task::spawn_blocking(move || {
            reading::read(&path, |batch| send.blocking_send(batch).is_ok())
        });
        let sets = self.store.scope_sets().await?;
        let mut summary = Summary::default();
        while let Some(batch) = batches.recv().await {
            self.take_in(batch, &sets, &mut summary).await?;
        }
        match reader.await {
            Ok(ended) => ended?,
            Err(error) => return Err(Error::Form(error.to_string())),
        }
        Ok(summary)
    }

    /// Takes in that mails came back for good: each prompt, with the time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn came_back(&self, prompts: &[(Uuid, DateTime<Utc>)]) -> Result<Summary, Error> {
        let line = |(prompt, at): &(Uuid, DateTime<Utc>)| Line {
            place: prompt.to_string(),
            content: Content::Claim(Claim {
                about: About::Prompt(Named::Digits(prompt.simple().to_string())),
                says: Says::Bounced(Bounce::Hard),
                at: Some(*at),
            }),
        };
        let sets = self.store.scope_sets().await?;
        let mut summary = Summary::default();
        self.take_in(prompts.iter().map(line).collect(), &sets, &mut summary).await?;
        Ok(summary)
    }

    async fn take_in(
        &self,
        batch: Vec<Line>,
        sets: &ScopeSets,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let senders: BTreeSet<String> = batch
            .iter()
            .filter_map(|line| match &line.content {
                Content::Claim(Claim {
                    about: About::Stage { address, .. },
                    says: Says::Sent { .. },
                    ..
                }) => Some(address.key().to_owned()),
                _ => None,
            })
            .collect();
        let known = Known {
            responsibilities: self.store.responsibilities(&senders, sets).await?,
            edition: match senders.is_empty() {
                true => None,
                false => Some(self.store.edition(self.campaign.deadline, self.now).await?),
            },
        };
        let mut writer = self.store.outcome_writer(self.now).await?;
        for line in batch {
            summary.read += 1;
            let fault = match line.content {
                Content::Claim(claim) => match self.apply(&mut writer, claim, &known).await? {
                    Ok(true) => {
                        summary.applied += 1;
                        continue;
                    }
                    Ok(false) => {
                        summary.unchanged += 1;
                        continue;
                    }
                    Err(fault) => fault,
                },
                Content::Foreign => {
                    summary.foreign += 1;
                    continue;
                }
                Content::Bad(fault) => fault,
            };
            summary.bad += 1;
            if summary.problems.len() < MAX_PROBLEMS {
                summary.problems.push(Problem { place: line.place, reason: fault.to_string() });
            }
        }
        writer.commit().await?;
        Ok(())
    }

    /// Applies one claim; tells whether anything is new.
    async fn apply(
        &self,
        writer: &mut OutcomeWriter,
        claim: Claim,
        known: &Known,
    ) -> Result<Result<bool, Fault>, store::Error> {
        let at = claim.at.unwrap_or(self.now);
        let named = match (claim.about, &claim.says) {
            (About::Stage { address, stage }, Says::Sent { connections }) => {
                return self.host_sent(writer, &address, stage, connections, at, known).await;
            }
            (About::Stage { address, stage }, _) => {
                Named::Stage { recipient: address.key().to_owned(), stage }
            }
            (About::Prompt(named), _) => named,
        };
        let found = writer.find(&named).await?;
        let [head] = &found[..] else {
            return Ok(Err(Fault::new(match found.len() {
                0 => "there is no such prompt in this database",
                _ => "it may be any of several prompts",
            })));
        };
        if matches!(head.state.as_str(), "queued" | "leased" | "sending") {
            return Ok(Err(Fault::new(format!(
                "the prompt is {}: it has not gone out",
                head.state
            ))));
        }
        let new = match claim.says {
            Says::Delivered if head.state == "refused" && head.bounced_at.is_none() => {
                return Ok(Err(Fault::new("the prompt was refused: it cannot have arrived")));
            }
            Says::Delivered => writer.arrived(head.prompt_id, at).await?,
            Says::Bounced(Bounce::Soft) => false,
            Says::Bounced(bounce) => {
                let new = writer.came_back(head.prompt_id, at).await?;
                // Only what is new suppresses: an address that somebody let out again since
                // stays so when the same file is taken in once more.
                if new && bounce == Bounce::Hard && is_address(head) {
                    writer.suppress(&head.recipient, "bounced", at).await?;
                }
                new
            }
            Says::Complained => {
                let arrived = writer.arrived(head.prompt_id, at).await?;
                let suppressed =
                    is_address(head) && writer.suppress(&head.recipient, "complained", at).await?;
                arrived || suppressed
            }
            Says::Sent { .. } => false,
        };
        Ok(Ok(new))
    }

    /// A message that the host sent: from now on the person has been told.
    async fn host_sent(
        &self,
        writer: &mut OutcomeWriter,
        address: &Address,
        stage: String,
        named: &[Uuid],
        at: DateTime<Utc>,
        known: &Known,
    ) -> Result<Result<bool, Fault>, store::Error> {
        let follows = is_win_back(&stage);
        if follows && named.is_empty() {
            return Ok(Err(Fault::new(
                "connection_ids is missing: a message that follows a removal tells of that one only",
            )));
        }
        if !follows && !self.campaign.stages.iter().any(|known| known.name == stage) {
            return Ok(Err(Fault::new("stage is no stage of the campaign")));
        }
        if at > self.now {
            return Ok(Err(Fault::new("at is yet to come")));
        }
        let theirs =
            known.responsibilities.get(address.key()).map(Vec::as_slice).unwrap_or_default();
        let is_named = |connection: &Connection| {
            let id = connection.facts.id.map(|id| id.0);
            named.iter().any(|named| *named == connection.key.0 || Some(*named) == id)
        };
        let shown: Vec<&Connection> = if named.is_empty() {
            let is_shown = |connection: &&Connection| {
                connection.presence.counts()
                    && connection.standing.readiness == Readiness::Awaiting
                    && !connection.standing.manual
            };
            theirs.iter().filter(is_shown).collect()
        } else {
            theirs.iter().filter(|connection| is_named(connection)).collect()
        };
        if shown.len() < named.len() {
            return Ok(Err(Fault::new(
                "connection_ids names one that this person is not responsible for",
            )));
        }
        let recipient = address.key().to_owned();
        let before = Named::Stage { recipient: recipient.clone(), stage: stage.clone() };
        if shown.is_empty() {
            // Who has become ready since was told all the same, if this was known before.
            let before = writer.find(&before).await?;
            return Ok(match before.iter().any(|head| head.channel == HOST) {
                true => Ok(false),
                false => Err(Fault::new("nothing of this person's awaits a consent")),
            });
        }
        let name = format!("{recipient}\n{stage}");
        let sent = HostSent {
            prompt: Uuid::new_v5(&self.id, name.as_bytes()),
            recipient,
            stage,
            edition: known.edition.unwrap_or(1),
            deadline: self.campaign.deadline,
            sent_at: at,
            run: self.id,
            made_at: self.now,
        };
        let (prompt, is_new) = writer.host_sent(&sent).await?;
        if !is_new && named.is_empty() {
            return Ok(Ok(false));
        }
        let shown: Vec<Shown> = shown
            .into_iter()
            .map(|connection| Shown {
                key: connection.key,
                required: connection.facts.required.unwrap_or(self.campaign.required).canonical(),
                connected_at: connection.facts.connected_at,
            })
            .collect();
        let added = writer.showed(prompt, &shown).await?;
        Ok(Ok(is_new || added > 0))
    }
}

/// Without an address a recipient is a grant, which no mail server knows.
fn is_address(head: &PromptHead) -> bool {
    head.recipient.contains('@')
}
