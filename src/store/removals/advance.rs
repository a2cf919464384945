//! From a leased removal to its outcome. What is about to be asked of Xero is committed, for
//! good, before it is asked; together with what became of those that were asked before.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::removal::RemovalState;
use crate::store::bulk::Kind;
use crate::store::dialect::{Dialect, time_text};
use crate::store::prompts::{allow, pause_within};
use crate::store::{Error, Store, Tx, with_tx};

/// A leased removal that is about to be carried out.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub removal: Uuid,
    pub fence: i64,
    /// When it was last seen as planned.
    pub looked_at: DateTime<Utc>,
    /// Until when that holds, and anything may be removed at all.
    pub good_until: DateTime<Utc>,
}

/// A removal that was in one's hands, and where it goes from there.
#[derive(Clone, Debug)]
pub struct Ended {
    pub removal: Uuid,
    pub fence: i64,
    pub state: RemovalState,
    /// What the other side said, or why.
    pub outcome: Option<String>,
    /// Xero's name for the exchange.
    pub correlation: Option<String>,
    /// When a queued one may go.
    pub due_at: DateTime<Utc>,
    /// A call got no answer.
    pub is_lost: bool,
}

/// What came of [`Store::advance_removals`].
#[derive(Clone, Debug, Default)]
pub struct Advanced {
    /// May be asked of Xero now, and have to be.
    pub started: HashSet<Uuid>,
    /// Have to be looked at again first.
    pub stale: Vec<Uuid>,
    /// Not in these hands any more.
    pub lost: Vec<Uuid>,
    /// When the first of those may go for which the rate left no room.
    pub wait_until: Option<DateTime<Utc>>,
    /// The present pause, if there is one; nothing was started then.
    pub paused: Option<String>,
}

#[derive(Serialize)]
struct StartRecord {
    id: Uuid,
    fence: i64,
    looked: String,
}

#[derive(Serialize)]
struct EndRecord<'a> {
    id: Uuid,
    fence: i64,
    state: &'static str,
    outcome: Option<&'a str>,
    correlation: Option<&'a str>,
    due: String,
    settled: Option<String>,
    lost: i64,
    counts: bool,
}

impl Store {
    /// Writes down what became of removals and which are carried out next, in one commit.
    /// `clock` is asked once nobody else can write; `spacing` is the least time between two
    /// calls, for all workers together.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn advance_removals(
        &self,
        ended: &[Ended],
        starting: &[Start],
        owner: Uuid,
        lease: TimeDelta,
        clock: &(dyn Fn() -> DateTime<Utc> + Sync),
        spacing: Option<TimeDelta>,
    ) -> Result<Advanced, Error> {
        let mut tx = self.begin().await?;
        durably(&mut tx).await?;
        self.end_removals(&mut tx, ended, clock()).await?;
        let mut advanced = Advanced::default();
        if !starting.is_empty() {
            advanced.paused = pause_within(&mut tx).await?;
        }
        if starting.is_empty() || advanced.paused.is_some() {
            tx.commit().await?;
            return Ok(advanced);
        }
        let now = clock();
        let (mut good, stale): (Vec<Start>, Vec<Start>) =
            starting.iter().partition(|start| now < start.good_until);
        advanced.stale = stale.iter().map(|start| start.removal).collect();
        if let Some(spacing) = spacing {
            let (count, wait_until) = allow(&mut tx, CALLS, spacing, good.len(), now).await?;
            good.truncate(count);
            advanced.wait_until = wait_until;
        }
        advanced.started = self.start_removals(&mut tx, &good, owner, now, now + lease).await?;
        advanced.lost = good
            .iter()
            .map(|start| start.removal)
            .filter(|id| !advanced.started.contains(id))
            .collect();
        tx.commit().await?;
        Ok(advanced)
    }

    /// Takes one call of Xero's, for reading; or tells when there is room for one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn take_call(
        &self,
        spacing: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let mut tx = self.begin().await?;
        let (_, wait_until) = allow(&mut tx, CALLS, spacing, 1, now).await?;
        tx.commit().await?;
        Ok(wait_until)
    }

    async fn end_removals(
        &self,
        tx: &mut Tx,
        ended: &[Ended],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if ended.is_empty() {
            return Ok(());
        }
        let records: Vec<EndRecord<'_>> = ended.iter().map(|ended| ended.record(now)).collect();
        // A definite answer that comes after the lease ran out still settles it, unless the
        // list has done so meanwhile.
        let sql = format!(
            "UPDATE removals SET state = n.state, outcome = n.outcome, \
                correlation = COALESCE(n.correlation, removals.correlation), due_at = n.due, \
                settled_at = n.settled, lost = removals.lost + n.lost, lease_until = NULL, \
                day = CASE WHEN n.counts THEN removals.day ELSE NULL END \
             FROM {} WHERE removals.removal_id = n.id AND removals.fence = n.fence \
                AND removals.state IN ('leased', 'deleting', 'unknown') \
             RETURNING removals.connection_key, removals.state",
            Dialect::of(self).records(&[
                ("id", Kind::Uuid),
                ("fence", Kind::Int),
                ("state", Kind::Text),
                ("outcome", Kind::Text),
                ("correlation", Kind::Text),
                ("due", Kind::Time),
                ("settled", Kind::Time),
                ("lost", Kind::Int),
                ("counts", Kind::Bool),
            ])
        );
        let records = serde_json::to_string(&records).unwrap_or_default();
        let changed: Vec<(Uuid, String)> = with_tx!(&mut *tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(records).fetch_all(db).await
        })?;
        const ABSENT: &str = "UPDATE connections SET presence = 'removed', absent_since = $2 \
                              WHERE connection_key = $1";
        for (key, _) in changed.iter().filter(|(_, state)| state == "removed") {
            with_tx!(&mut *tx, db => {
                sqlx::query(ABSENT).bind(key).bind(now).execute(db).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    async fn start_removals(
        &self,
        tx: &mut Tx,
        starting: &[Start],
        owner: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<HashSet<Uuid>, Error> {
        if starting.is_empty() {
            return Ok(HashSet::new());
        }
        let records: Vec<StartRecord> = starting.iter().map(Start::record).collect();
        let sql = format!(
            "UPDATE removals SET state = 'deleting', attempts = attempts + 1, \
                intended_at = $3, lease_until = $4, looked_at = n.looked \
             FROM {} WHERE removals.removal_id = n.id AND removals.fence = n.fence \
                AND removals.state = 'leased' AND removals.lease_owner = $2 \
                AND removals.lease_until > $3 \
             RETURNING removals.removal_id",
            Dialect::of(self).records(&[
                ("id", Kind::Uuid),
                ("fence", Kind::Int),
                ("looked", Kind::Time),
            ])
        );
        let records = serde_json::to_string(&records).unwrap_or_default();
        let started: Vec<Uuid> = with_tx!(&mut *tx, db => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(records)
                .bind(owner)
                .bind(now)
                .bind(lease_until)
                .fetch_all(db)
                .await
        })?;
        Ok(started.into_iter().collect())
    }
}

/// The rate that all calls of Xero's connections share.
const CALLS: &str = "xero";

/// What this transaction commits outlasts a crash of the machine, whatever the server is set
/// to. SQLite is opened so in any case.
async fn durably(tx: &mut Tx) -> Result<(), Error> {
    if let Tx::Postgres(tx) = tx {
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut **tx).await?;
    }
    Ok(())
}

impl Start {
    fn record(&self) -> StartRecord {
        StartRecord { id: self.removal, fence: self.fence, looked: time_text(self.looked_at) }
    }
}

impl Ended {
    fn record(&self, now: DateTime<Utc>) -> EndRecord<'_> {
        EndRecord {
            id: self.removal,
            fence: self.fence,
            state: self.state.as_str(),
            outcome: self.outcome.as_deref(),
            correlation: self.correlation.as_deref(),
            due: time_text(self.due_at),
            settled: self.state.is_settled().then(|| time_text(now)),
            lost: i64::from(self.is_lost),
            counts: matches!(
                self.state,
                RemovalState::Removed | RemovalState::Unknown | RemovalState::SetAside
            ),
        }
    }
}
