//! What others know of prompts: a batch of it is written in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::{ConnectionKey, GrantId};

use super::audit::append;
use super::dialect::{Words, with_words};
use super::prompts::{RECORDED, Recorded};
use super::settling::{HEAD, PromptHead, between};
use super::suppressions::Suppression;
use super::{Error, ScopeSets, Store, Tx, with_db, with_tx};

/// Who settled a prompt of which an import knew.
pub const BY: &str = "import";

/// How somebody else names a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The hexadecimal digits with which its id begins.
    Digits(String),
    /// The provider's id of the message.
    Reference(String),
    Stage {
        recipient: String,
        stage: String,
    },
}

/// A message that the host sent by its own means.
#[derive(Clone, Debug)]
pub struct HostSent {
    /// For a prompt that is not there yet.
    pub prompt: Uuid,
    pub recipient: String,
    pub stage: String,
    pub edition: i64,
    pub deadline: DateTime<Utc>,
    pub sent_at: DateTime<Utc>,
    pub run: Uuid,
    pub made_at: DateTime<Utc>,
}

/// A connection that a message of the host's showed.
#[derive(Clone, Debug)]
pub struct Shown {
    pub key: ConnectionKey,
    pub required: String,
    pub connected_at: Option<DateTime<Utc>>,
}

/// A batch that is being written.
pub struct OutcomeWriter {
    tx: Tx,
    now: DateTime<Utc>,
    acts: Vec<Act>,
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn outcome_writer(&self, now: DateTime<Utc>) -> Result<OutcomeWriter, Error> {
        Ok(OutcomeWriter { tx: self.begin().await?, now, acts: Vec::new() })
    }

    /// What each of these people is responsible for: the connections, not gone, of every
    /// grant with a row of theirs. Reads all people once.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn responsibilities(
        &self,
        recipients: &BTreeSet<String>,
        sets: &ScopeSets,
    ) -> Result<BTreeMap<String, Vec<Connection>>, Error> {
        if recipients.is_empty() {
            return Ok(BTreeMap::new());
        }
        const SQL: &str = "SELECT DISTINCT people.recipient, connections.grant_id FROM people \
            JOIN connections ON connections.connection_key = people.connection_key \
            WHERE connections.presence <> 'gone' AND people.recipient {words}";
        let statement = with_words(self, SQL);
        let words = Words(recipients.iter().cloned().collect());
        let found: Vec<(String, Uuid)> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(words).fetch_all(db).await
        })?;
        let grants: BTreeSet<GrantId> = found.iter().map(|(_, grant)| GrantId(*grant)).collect();
        let grants: Vec<GrantId> = grants.into_iter().collect();
        let mut by_grant: BTreeMap<GrantId, Vec<Connection>> = BTreeMap::new();
        for connection in self.connections_of_grants(&grants, sets).await? {
            if connection.is_listed() || connection.presence == Presence::Removed {
                by_grant.entry(connection.facts.grant).or_default().push(connection);
            }
        }
        let mut all: BTreeMap<String, Vec<Connection>> = BTreeMap::new();
        for (recipient, grant) in found {
            let connections = by_grant.get(&GrantId(grant)).into_iter().flatten().cloned();
            all.entry(recipient).or_default().extend(connections);
        }
        Ok(all)
    }
}

impl OutcomeWriter {
    /// # Errors
    /// The database did not confirm; nothing of the batch is written.
    pub async fn commit(mut self) -> Result<(), Error> {
        append(&mut self.tx, &self.acts).await?;
        self.tx.commit().await
    }

    /// The prompts that are named so, two at most. At a stage only the latest message counts.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn find(&mut self, named: &Named) -> Result<Vec<PromptHead>, Error> {
        let tx = &mut self.tx;
        Ok(match named {
            Named::Digits(digits) => {
                let Some((first, last)) = between(digits) else { return Ok(Vec::new()) };
                let statement = format!(
                    "SELECT {HEAD} FROM prompts WHERE prompt_id >= $1 AND prompt_id <= $2 LIMIT 2"
                );
                with_tx!(tx, db => {
                    sqlx::query_as(AssertSqlSafe(statement)).bind(first).bind(last).fetch_all(db).await
                })?
            }
            Named::Reference(reference) => {
                let statement = format!("SELECT {HEAD} FROM prompts WHERE reference = $1 LIMIT 2");
                with_tx!(tx, db => {
                    sqlx::query_as(AssertSqlSafe(statement)).bind(reference).fetch_all(db).await
                })?
            }
            Named::Stage { recipient, stage } => {
                let statement = format!(
                    "SELECT {HEAD} FROM prompts WHERE recipient = $1 AND stage = $2 \
                     AND channel IN ('email', 'host') ORDER BY edition DESC, channel LIMIT 1"
                );
                with_tx!(tx, db => {
                    sqlx::query_as(AssertSqlSafe(statement))
                        .bind(recipient)
                        .bind(stage)
                        .fetch_all(db)
                        .await
                })?
            }
        })
    }

    /// A prompt with an unknown outcome arrived; tells whether it was one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn arrived(&mut self, prompt: Uuid, at: DateTime<Utc>) -> Result<bool, Error> {
        const SQL: &str = "UPDATE prompts SET state = 'sent', \
            sent_at = COALESCE(sending_at, $2), settled_by = $3 \
            WHERE prompt_id = $1 AND state = 'unknown'";
        self.update(SQL, Kind::PromptArrived, prompt, at).await
    }

    /// A prompt came back for good; tells whether that is new.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn came_back(&mut self, prompt: Uuid, at: DateTime<Utc>) -> Result<bool, Error> {
        const SQL: &str = "UPDATE prompts SET bounced_at = $2, \
            settled_by = CASE WHEN state = 'unknown' THEN $3 ELSE settled_by END, \
            outcome = CASE WHEN state = 'unknown' THEN 'bounced' ELSE outcome END, \
            state = CASE WHEN state = 'unknown' THEN 'refused' ELSE state END \
            WHERE prompt_id = $1 AND bounced_at IS NULL \
            AND state IN ('sent', 'unknown', 'refused')";
        self.update(SQL, Kind::PromptBounced, prompt, at).await
    }

    async fn update(
        &mut self,
        statement: &'static str,
        kind: Kind,
        prompt: Uuid,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let statement = format!("{statement} RETURNING {RECORDED}");
        let changed: Option<Recorded> = with_tx!(&mut self.tx, db => {
            sqlx::query_as(AssertSqlSafe(statement))
                .bind(prompt)
                .bind(at)
                .bind(BY)
                .fetch_optional(db)
                .await
        })?;
        let act = |changed: &Recorded| changed.act(kind, self.now).by(BY).with("at", time(at));
        self.acts.extend(changed.as_ref().map(act));
        Ok(changed.is_some())
    }

    /// Tells whether the address was not suppressed before.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn suppress(
        &mut self,
        recipient: &str,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let suppression = Suppression {
            recipient: recipient.to_owned(),
            reason: reason.to_owned(),
            by: BY.to_owned(),
            added_at: at,
        };
        let is_new = suppression.insert(&mut self.tx).await?;
        if is_new {
            self.acts.push(Suppression { added_at: self.now, ..suppression }.act());
        }
        Ok(is_new)
    }

    /// Adds a message of the host's unless it is there; gives its id, and whether it is new.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn host_sent(&mut self, sent: &HostSent) -> Result<(Uuid, bool), Error> {
        const INSERT: &str = "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, \
            state, due_at, attempts, fence, is_notice, deadline, sent_at, run_id, made_at) \
            VALUES ($1, $2, $3, 'host', $4, 'sent', $6, 1, 0, $8, $5, $6, $7, $9) \
            ON CONFLICT DO NOTHING";
        const THERE: &str = "SELECT prompt_id FROM prompts WHERE recipient = $1 AND stage = $2 \
            AND channel = 'host' AND edition = $3";
        let tx = &mut self.tx;
        let written = with_tx!(tx, db => {
            sqlx::query(INSERT)
                .bind(sent.prompt)
                .bind(&sent.recipient)
                .bind(&sent.stage)
                .bind(sent.edition)
                .bind(sent.deadline)
                .bind(sent.sent_at)
                .bind(sent.run)
                .bind(true)
                .bind(sent.made_at)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        if written > 0 {
            let act = Act::new(Kind::PromptByHost, self.now)
                .run(sent.run)
                .about(sent.prompt)
                .person(&sent.recipient)
                .by(BY);
            self.acts.push(act.with("stage", sent.stage.as_str()).with("at", time(sent.sent_at)));
            return Ok((sent.prompt, true));
        }
        let there: Uuid = with_tx!(tx, db => {
            sqlx::query_scalar(THERE)
                .bind(&sent.recipient)
                .bind(&sent.stage)
                .bind(sent.edition)
                .fetch_one(db)
                .await
        })?;
        Ok((there, false))
    }

    /// Adds what a prompt showed and is not noted yet; counts it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn showed(&mut self, prompt: Uuid, shown: &[Shown]) -> Result<u64, Error> {
        const NOTED: &str = "SELECT connection_key FROM prompt_connections WHERE prompt_id = $1";
        const INSERT: &str = "INSERT INTO prompt_connections \
            (prompt_id, connection_key, required, connected_at) VALUES ($1, $2, $3, $4)";
        let tx = &mut self.tx;
        let noted: Vec<Uuid> =
            with_tx!(tx, db => sqlx::query_scalar(NOTED).bind(prompt).fetch_all(db).await)?;
        let mut fresh = 0;
        for one in shown.iter().filter(|one| !noted.contains(&one.key.0)) {
            with_tx!(tx, db => {
                sqlx::query(INSERT)
                    .bind(prompt)
                    .bind(one.key.0)
                    .bind(&one.required)
                    .bind(one.connected_at)
                    .execute(db)
                    .await
                    .map(|_| ())
            })?;
            fresh += 1;
        }
        Ok(fresh)
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
