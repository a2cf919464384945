//! From a leased prompt to its outcome. What is about to be handed over is committed
//! together with the outcomes of what came back meanwhile: one commit serves both.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::grant::ConnectionKey;
use crate::domain::rate::{Allowed, Rate};
use crate::domain::told::PromptState;
use crate::store::audit::append;
use crate::store::bulk::{self, Amount, Cell, Statement, Target, fill};
use crate::store::dialect::{Dialect, Ids, time_text};
use crate::store::rates::allow;
use crate::store::{Error, Store, Tx, with_tx};

use super::lease::pause;
use super::record::{RECORDED, Recorded};

/// What may be made up for after a moment in which no message was ready.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// A leased prompt that is about to be handed over.
#[derive(Clone, Debug)]
pub struct Start {
    pub prompt: Uuid,
    pub fence: i64,
    /// It counts as telling.
    pub is_notice: bool,
    pub digest: String,
    pub message_sha256: String,
    pub template_sha256: String,
    pub shown: Vec<Shown>,
}

/// A connection that the message shows, with what it is told for.
#[derive(Clone, Debug)]
pub struct Shown {
    pub connection: ConnectionKey,
    /// Scope names in order, one space between them.
    pub required: String,
    pub connected_at: Option<DateTime<Utc>>,
    pub removal_from: Option<DateTime<Utc>>,
}

/// A prompt that was in one's hands, and where it goes from there.
#[derive(Clone, Debug)]
pub struct Ended {
    pub prompt: Uuid,
    pub fence: i64,
    pub state: PromptState,
    /// It was handed over, or tried to be.
    pub attempted: bool,
    /// What the other side said.
    pub outcome: Option<String>,
    /// The other side's name for the message.
    pub reference: Option<String>,
    /// When a queued one may go.
    pub due_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct StartRecord<'a> {
    id: Uuid,
    fence: i64,
    notice: bool,
    digest: &'a str,
    message: &'a str,
    template: &'a str,
}

const START_RECORD: [(&str, bulk::Kind); 6] = [
    ("id", bulk::Kind::Uuid),
    ("fence", bulk::Kind::Int),
    ("notice", bulk::Kind::Bool),
    ("digest", bulk::Kind::Text),
    ("message", bulk::Kind::Text),
    ("template", bulk::Kind::Text),
];

#[derive(Serialize)]
struct EndRecord<'a> {
    id: Uuid,
    fence: i64,
    state: &'static str,
    outcome: Option<&'a str>,
    reference: Option<&'a str>,
    due: String,
    sent: Option<String>,
}

const END_RECORD: [(&str, bulk::Kind); 7] = [
    ("id", bulk::Kind::Uuid),
    ("fence", bulk::Kind::Int),
    ("state", bulk::Kind::Text),
    ("outcome", bulk::Kind::Text),
    ("reference", bulk::Kind::Text),
    ("due", bulk::Kind::Time),
    ("sent", bulk::Kind::Time),
];

/// A prompt that was just begun to be handed over.
#[derive(sqlx::FromRow)]
struct Begun {
    #[sqlx(flatten)]
    head: Recorded,
    /// With this one.
    attempts: i64,
}

const SHOWN: Target = Target {
    table: "prompt_connections",
    columns: &[
        ("prompt_id", bulk::Kind::Uuid),
        ("connection_key", bulk::Kind::Uuid),
        ("required", bulk::Kind::Text),
        ("connected_at", bulk::Kind::Time),
        ("removal_from", bulk::Kind::Time),
    ],
    key: None,
    keep: &[],
};

impl Store {
    /// Writes down what came back and what goes out next, in one commit. `allowance` is the
    /// least time between two messages of the named kind, for all workers together. Gives
    /// the prompts that may be handed over now; the others are not in these hands any more,
    /// or have to wait until the time given.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn advance_prompts(
        &self,
        ended: &[Ended],
        starting: &[Start],
        owner: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        allowance: Option<(&str, TimeDelta)>,
    ) -> Result<Advanced, Error> {
        let mut tx = self.begin().await?;
        let mut acts = self.end(&mut tx, ended, now).await?;
        let (count, wait_until) = match allowance {
            Some((name, space)) if !starting.is_empty() => {
                let allowed =
                    allow(&mut tx, name, Rate { space, slack: SLACK }, starting.len(), now);
                let Allowed { count, next } = allowed.await?;
                (count, (count < starting.len()).then_some(next))
            }
            _ => (starting.len(), None),
        };
        let wanted = starting.len();
        let starting = &starting[..count];
        let heads = self.start(&mut tx, starting, owner, now, lease_until).await?;
        let started: HashSet<Uuid> = heads.iter().map(|head| head.prompt_id).collect();
        let paused = if started.len() < wanted { pause(&mut tx).await? } else { None };
        acts.extend(heads.iter().filter_map(|head| {
            let start = starting.iter().find(|start| start.prompt == head.prompt_id)?;
            Some(start.act(head, now))
        }));
        append(&mut tx, &acts).await?;
        tx.commit().await?;
        // In a pause nobody has taken them: they are given back.
        let lost = match paused {
            Some(_) => Vec::new(),
            None => {
                let ids = starting.iter().map(|start| start.prompt);
                ids.filter(|id| !started.contains(id)).collect()
            }
        };
        Ok(Advanced { started, lost, wait_until, paused })
    }

    /// Gives what is to be recorded of it.
    async fn end(
        &self,
        tx: &mut Tx,
        ended: &[Ended],
        now: DateTime<Utc>,
    ) -> Result<Vec<Act>, Error> {
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<EndRecord<'_>> = ended.iter().map(|ended| ended.record(now)).collect();
        // A definite answer that comes after the lease ran out still settles it: nobody else
        // can have had it meanwhile, since the fence would have moved on.
        let sql = format!(
            "UPDATE prompts SET state = n.state, outcome = n.outcome, reference = n.reference, \
                due_at = n.due, sent_at = n.sent, lease_until = NULL, \
                day = CASE WHEN n.state = 'queued' THEN NULL ELSE day END \
             FROM {} WHERE prompts.prompt_id = n.id AND prompts.fence = n.fence \
                AND prompts.state IN ('leased', 'sending', 'unknown') \
             RETURNING {RECORDED}",
            Dialect::of(self).records(&END_RECORD, records.len())
        );
        let records = json(&records);
        let heads: Vec<Recorded> = with_tx!(tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(records).fetch_all(db).await
        })?;
        let act = |head: &Recorded| {
            let ended = ended.iter().find(|ended| ended.prompt == head.prompt_id)?;
            Some(head.act(ended.kind()?, now))
        };
        Ok(heads.iter().filter_map(act).collect())
    }

    async fn start(
        &self,
        tx: &mut Tx,
        starting: &[Start],
        owner: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, Error> {
        if starting.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<StartRecord<'_>> = starting.iter().map(Start::record).collect();
        // State and lease are one expression, so that no planner looks a handful of rows up
        // among all that are leased. A pause is seen here too: each statement is a way to the
        // server and back, while as many messages wait as may be in flight.
        let sql = format!(
            "UPDATE prompts SET state = 'sending', attempts = attempts + 1, sending_at = $3, \
                lease_until = $4, is_notice = n.notice, digest = n.digest, \
                message_sha256 = n.message, template_sha256 = n.template, \
                deadline = (SELECT deadline FROM editions WHERE number = prompts.edition) \
             FROM {} WHERE prompts.prompt_id = n.id AND prompts.fence = n.fence \
                AND prompts.lease_owner = $2 \
                AND CASE WHEN prompts.lease_until > $3 THEN prompts.state END = 'leased' \
                AND NOT EXISTS (SELECT 1 FROM pauses WHERE resumed_at IS NULL) \
             RETURNING {RECORDED}, prompts.attempts",
            Dialect::of(self).records(&START_RECORD, records.len())
        );
        let records = json(&records);
        let begun: Vec<Begun> = with_tx!(&mut *tx, db => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(records)
                .bind(owner)
                .bind(now)
                .bind(lease_until)
                .fetch_all(db)
                .await
        })?;
        let dialect = Dialect::of(self);
        let mut statements = Vec::new();
        let again = begun.iter().filter(|begun| begun.attempts > 1);
        let again: Vec<Uuid> = again.map(|begun| begun.head.prompt_id).collect();
        if !again.is_empty() {
            let before = "DELETE FROM prompt_connections WHERE prompt_id {ids}";
            statements.push(Statement::about(dialect, before, Ids(again))?);
        }
        let heads: Vec<Recorded> = begun.into_iter().map(|begun| begun.head).collect();
        let started: HashSet<Uuid> = heads.iter().map(|head| head.prompt_id).collect();
        let shown = starting
            .iter()
            .filter(|start| started.contains(&start.prompt))
            .flat_map(|start| start.shown.iter().flat_map(|shown| shown.cells(start.prompt)));
        let mut shown: Vec<Cell> = shown.collect();
        fill(dialect, &SHOWN, Amount::All, &mut shown, &mut statements)?;
        for statement in statements {
            statement.run(tx).await?;
        }
        Ok(heads)
    }
}

/// What came of [`Store::advance_prompts`].
#[derive(Clone, Debug, Default)]
pub struct Advanced {
    /// May be handed over, and has to be.
    pub started: HashSet<Uuid>,
    /// Not in these hands any more.
    pub lost: Vec<Uuid>,
    /// When the first of those may go for which the rate left no room.
    pub wait_until: Option<DateTime<Utc>>,
    /// The present pause, if there is one; nothing was started then.
    pub paused: Option<String>,
}

impl Start {
    fn act(&self, head: &Recorded, now: DateTime<Utc>) -> Act {
        head.act(Kind::PromptSending, now)
            .with("message_sha256", self.message_sha256.as_str())
            .with("connections", self.shown.len())
    }

    fn record(&self) -> StartRecord<'_> {
        StartRecord {
            id: self.prompt,
            fence: self.fence,
            notice: self.is_notice,
            digest: &self.digest,
            message: &self.message_sha256,
            template: &self.template_sha256,
        }
    }
}

impl Shown {
    fn cells(&self, prompt: Uuid) -> [Cell; SHOWN.columns.len()] {
        [
            Cell::Uuid(Some(prompt)),
            Cell::Uuid(Some(self.connection.0)),
            Cell::Text(Some(self.required.clone().into())),
            Cell::Time(self.connected_at),
            Cell::Time(self.removal_from),
        ]
    }
}

impl Ended {
    /// What it is in the record; nothing for what was only given back.
    fn kind(&self) -> Option<Kind> {
        match self.state {
            PromptState::Sent => Some(Kind::PromptSent),
            PromptState::Refused => Some(Kind::PromptRefused),
            PromptState::Unknown => Some(Kind::PromptUnknown),
            PromptState::Queued if self.attempted => Some(Kind::PromptPutOff),
            PromptState::Queued | PromptState::Leased | PromptState::Sending => None,
        }
    }

    fn record(&self, now: DateTime<Utc>) -> EndRecord<'_> {
        EndRecord {
            id: self.prompt,
            fence: self.fence,
            state: self.state.as_str(),
            outcome: self.outcome.as_deref(),
            reference: self.reference.as_deref(),
            due: time_text(self.due_at),
            sent: (self.state == PromptState::Sent).then(|| time_text(now)),
        }
    }
}

fn json(records: &impl Serialize) -> String {
    serde_json::to_string(records).unwrap_or_default()
}
