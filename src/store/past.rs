//! The past that decisions are made on: who was told what, and which prompts there are.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::ConnectionKey;
use crate::domain::recipient::responsible;
use crate::domain::scopes::ScopeText;
use crate::domain::told::{Mark, Past, PromptState, Telling};
use crate::domain::win_back::STAGES;

use super::audit::append;
use super::bulk;
use super::dialect::{Dialect, Ids, Words};
use super::erasing::Aliases;
use super::{Error, Store, with_db, with_tx};

#[derive(sqlx::FromRow)]
struct TellingRow {
    connection_key: Uuid,
    recipient: String,
    stage: String,
    deadline: DateTime<Utc>,
    required: String,
    connected_at: Option<DateTime<Utc>>,
    removal_from: Option<DateTime<Utc>>,
    is_notice: bool,
    sent_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct MarkRow {
    recipient: String,
    stage: String,
    channel: String,
    edition: i64,
    wave: i64,
    state: String,
    due_at: DateTime<Utc>,
    lease_until: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    bounced_at: Option<DateTime<Utc>>,
    day: Option<String>,
    lease_owner: Option<Uuid>,
}

const MARK: &str = "p.recipient, p.stage, p.channel, p.edition, p.wave, p.state, p.due_at, \
     p.lease_until, p.deadline, p.bounced_at, p.day, p.lease_owner";

/// A message that showed a removed connection.
#[derive(sqlx::FromRow)]
struct FollowedRow {
    connection_key: Uuid,
    #[sqlx(flatten)]
    mark: MarkRow,
}

impl Store {
    /// The number of the deadline's present edition; a changed deadline becomes a new one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn edition(&self, deadline: DateTime<Utc>, now: DateTime<Utc>) -> Result<i64, Error> {
        const LAST: &str = "SELECT number, deadline FROM editions ORDER BY number DESC LIMIT 1";
        // The same number twice is the same change, found by two workers.
        const ADD: &str = "INSERT INTO editions (number, deadline, since) VALUES ($1, $2, $3) \
            ON CONFLICT (number) DO NOTHING";
        let last: Option<(i64, DateTime<Utc>)> =
            with_db!(self, db => sqlx::query_as(LAST).fetch_optional(db).await)?;
        let number = match last {
            Some((number, known)) if known == deadline => return Ok(number),
            Some((number, _)) => number + 1,
            None => 1,
        };
        let mut tx = self.begin().await?;
        let added = with_tx!(&mut tx, db => {
            let added = sqlx::query(ADD).bind(number).bind(deadline).bind(now).execute(db).await;
            added.map(|done| done.rows_affected())
        })?;
        if added > 0 {
            let act = Act::new(Kind::EditionBegun, now).about(number);
            append(&mut tx, &[act.with("deadline", deadline.to_rfc3339())]).await?;
        }
        tx.commit().await?;
        Ok(number)
    }

    /// The present edition, as far as the database knows; 0 when no run has begun one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn known_edition(&self) -> Result<i64, Error> {
        const SQL: &str = "SELECT COALESCE(max(number), 0) FROM editions";
        Ok(with_db!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await)?)
    }

    /// Whether there is any prompt at all.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn has_prompts(&self) -> Result<bool, Error> {
        const SQL: &str = "SELECT count(*) FROM (SELECT 1 FROM prompts LIMIT 1) AS found";
        let count: i64 = with_db!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await)?;
        Ok(count > 0)
    }

    /// The past of these grants' connections and of everyone responsible for them.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn past(&self, edition: i64, grants: &[Vec<Connection>]) -> Result<Past, Error> {
        self.past_but_for(edition, grants, None).await
    }

    /// The same but for what each connection was shown as: all that prompts are decided by, and
    /// not enough for removals.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn past_prompts(
        &self,
        edition: i64,
        grants: &[Vec<Connection>],
    ) -> Result<Past, Error> {
        self.past_without_tellings(edition, grants, None).await.map(|(past, _)| past)
    }

    /// The same as whoever holds the leases of `owner` sees it: those prompts are open.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn past_but_for(
        &self,
        edition: i64,
        grants: &[Vec<Connection>],
        owner: Option<Uuid>,
    ) -> Result<Past, Error> {
        let connections = grants.iter().flatten().map(|connection| connection.key.0).collect();
        let (mut past, aliases) = self.past_without_tellings(edition, grants, owner).await?;
        for mut row in self.tellings(connections).await? {
            aliases.resolve(&mut row.recipient);
            past.add_telling(ConnectionKey(row.connection_key), row.into_telling()?);
        }
        Ok(past)
    }

    async fn past_without_tellings(
        &self,
        edition: i64,
        grants: &[Vec<Connection>],
        owner: Option<Uuid>,
    ) -> Result<(Past, Aliases), Error> {
        let recipients: BTreeSet<String> = grants
            .iter()
            .flat_map(|grant| responsible(grant))
            .map(|party| party.recipient.key())
            .collect();
        let mut past = Past::new(edition);
        let aliases = self.aliases(&recipients).await?;
        let names = aliases.with(recipients);
        for mut row in self.marks(names).await? {
            aliases.resolve(&mut row.recipient);
            past.add_mark(row.seen_by(owner)?);
        }
        let removed = |connection: &&Connection| connection.presence == Presence::Removed;
        let removed: Vec<Uuid> =
            grants.iter().flatten().filter(removed).map(|connection| connection.key.0).collect();
        if !removed.is_empty() {
            for FollowedRow { connection_key, mut mark } in self.followed(removed).await? {
                aliases.resolve(&mut mark.recipient);
                past.add_followed(ConnectionKey(connection_key), mark.seen_by(owner)?);
            }
        }
        for removal in self.past_removals(grants, owner).await? {
            past.add_removal(removal);
        }
        if let Some(listed) = self.listed(grants).await? {
            past.set_listed(listed);
        }
        Ok((past, aliases))
    }

    async fn tellings(&self, connections: Vec<Uuid>) -> Result<Vec<TellingRow>, Error> {
        let sql = format!(
            "SELECT c.connection_key, p.recipient, p.stage, p.deadline, c.required, \
                c.connected_at, c.removal_from, p.is_notice, \
                COALESCE(p.sent_at, p.made_at) AS sent_at \
             FROM {} WHERE p.state = 'sent' AND p.bounced_at IS NULL AND p.deadline IS NOT NULL",
            Dialect::of(self).shown_with_prompts()
        );
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(connections)).fetch_all(db).await
        })?)
    }

    /// What people were told of removed connections at the stages that follow removals.
    async fn followed(&self, connections: Vec<Uuid>) -> Result<Vec<FollowedRow>, Error> {
        let stages = STAGES.map(|stage| format!("'{stage}'")).join(", ");
        let sql = format!(
            "SELECT c.connection_key, {MARK} FROM {} WHERE p.stage IN ({stages})",
            Dialect::of(self).shown_with_prompts()
        );
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(connections)).fetch_all(db).await
        })?)
    }

    async fn marks(&self, recipients: Vec<String>) -> Result<Vec<MarkRow>, Error> {
        let of_each = Dialect::of(self).of_each("prompts", "recipient", bulk::Kind::Text, "p");
        let sql = format!("SELECT {MARK} FROM {of_each}");
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Words(recipients)).fetch_all(db).await
        })?)
    }
}

impl TellingRow {
    fn into_telling(self) -> Result<Telling, Error> {
        let ScopeText { set, unknown, .. } = ScopeText::read(&self.required);
        if !unknown.is_empty() {
            return Err(Error::inconsistent("prompt_connections", "required", self.required));
        }
        Ok(Telling {
            recipient: self.recipient,
            stage: self.stage,
            deadline: self.deadline,
            required: set,
            connected_at: self.connected_at,
            sent_at: self.sent_at,
            removal_from: self.removal_from,
            is_notice: self.is_notice,
        })
    }
}

impl MarkRow {
    /// A mark as whoever holds the leases of `owner` sees it: those prompts are open.
    fn seen_by(self, owner: Option<Uuid>) -> Result<Mark, Error> {
        let is_own = owner.is_some() && self.lease_owner == owner;
        let mut mark = self.into_mark()?;
        if is_own && mark.state == PromptState::Leased {
            mark.until = DateTime::<Utc>::MIN_UTC;
        }
        Ok(mark)
    }

    fn into_mark(self) -> Result<Mark, Error> {
        let state = PromptState::parse(&self.state)
            .ok_or_else(|| Error::inconsistent("prompts", "state", self.state))?;
        let until = match state {
            PromptState::Leased | PromptState::Sending => self.lease_until,
            _ => None,
        };
        Ok(Mark {
            recipient: self.recipient,
            stage: self.stage,
            channel: self.channel,
            edition: self.edition,
            wave: self.wave,
            state,
            until: until.unwrap_or(self.due_at),
            deadline: self.deadline,
            bounced: self.bounced_at.is_some(),
            day: self.day.and_then(|day| day.parse().ok()),
        })
    }
}
