//! From a leased removal to its outcome. What is about to be asked of Xero is committed, for
//! good, before it is asked; together with what became of those that were asked before.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind as Acted};
use crate::domain::grant::ConnectionKey;
use crate::domain::ids::ConnectionId;
use crate::domain::rate::{Allowed, Rate};
use crate::domain::removal::RemovalState;
use crate::store::audit;
use crate::store::bulk::Kind;
use crate::store::dialect::{Dialect, time_text};
use crate::store::presence;
use crate::store::prompts::pause_within;
use crate::store::rates::allow;
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
    /// What goes into the record; `None` where nothing was done.
    pub act: Option<Acted>,
}

/// Whose hands removals are in.
#[derive(Clone, Copy, Debug)]
pub struct Hands {
    pub owner: Uuid,
    pub run: Uuid,
    /// How long without a sign of life.
    pub lease: TimeDelta,
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
    /// When the others have their turn that are as good as those that were started.
    pub next_turn: Option<DateTime<Utc>>,
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
    /// Writes down what became of removals and which are carried out next, in one commit: of
    /// `starting`, in its order, as many as have their turn at the named pace of all workers
    /// together; without one, none. `clock` is asked once nobody else can write.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn advance_removals(
        &self,
        ended: &[Ended],
        starting: &[Start],
        hands: Hands,
        pace: Option<(&str, Rate)>,
        clock: &(dyn Fn() -> DateTime<Utc> + Sync),
    ) -> Result<Advanced, Error> {
        let mut tx = self.begin().await?;
        durably(&mut tx).await?;
        let mut acts = self.end_removals(&mut tx, ended, hands, clock()).await?;
        let mut advanced = Advanced::default();
        if !starting.is_empty() {
            advanced.paused = pause_within(&mut tx).await?;
        }
        if starting.is_empty() || advanced.paused.is_some() {
            audit::append(&mut tx, &acts).await?;
            tx.commit().await?;
            return Ok(advanced);
        }
        let now = clock();
        let (good, stale): (Vec<Start>, Vec<Start>) =
            starting.iter().partition(|start| now < start.good_until);
        advanced.stale = stale.iter().map(|start| start.removal).collect();
        let good = match pace {
            Some((name, rate)) if !good.is_empty() => {
                let Allowed { count, next } = allow(&mut tx, name, rate, good.len(), now).await?;
                advanced.next_turn = (count < good.len()).then_some(next);
                &good[..count]
            }
            _ => &[],
        };
        let started = self.start_removals(&mut tx, good, hands, now).await?;
        advanced.started = started.iter().map(|row| row.removal_id).collect();
        acts.extend(started.iter().map(|row| row.act(Acted::RemovalIntended, now).run(hands.run)));
        advanced.lost = good
            .iter()
            .map(|start| start.removal)
            .filter(|id| !advanced.started.contains(id))
            .collect();
        audit::append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(advanced)
    }

    /// A named person has looked at a connection whose removal was set aside: it may be tried
    /// again. Gives how many removals that was; none where there was nothing to lift.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn lift_set_aside(
        &self,
        id: ConnectionId,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<usize, Error> {
        // Nothing was removed, so that its day's caps have not been used by it after all.
        let sql = format!(
            "UPDATE removals SET state = 'queued', due_at = $2, day = NULL, settled_at = NULL, \
                lease_owner = NULL, lease_until = NULL, outcome = $3 \
             WHERE connection_id = $1 AND state = 'set_aside' RETURNING {CHANGED}"
        );
        let outcome = format!("{by} has looked at it: to be tried again");
        let mut tx = self.begin().await?;
        let lifted: Vec<Changed> = with_tx!(&mut tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.0).bind(at).bind(outcome).fetch_all(db).await
        })?;
        let act =
            |row: &Changed| row.act(Acted::RemovalSettled, at).by(by).with("as", "not-removed");
        audit::append(&mut tx, &lifted.iter().map(act).collect::<Vec<Act>>()).await?;
        tx.commit().await?;
        Ok(lifted.len())
    }

    async fn end_removals(
        &self,
        tx: &mut Tx,
        ended: &[Ended],
        hands: Hands,
        now: DateTime<Utc>,
    ) -> Result<Vec<Act>, Error> {
        if ended.is_empty() {
            return Ok(Vec::new());
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
             RETURNING {CHANGED}",
            Dialect::of(self).records(
                &[
                    ("id", Kind::Uuid),
                    ("fence", Kind::Int),
                    ("state", Kind::Text),
                    ("outcome", Kind::Text),
                    ("correlation", Kind::Text),
                    ("due", Kind::Time),
                    ("settled", Kind::Time),
                    ("lost", Kind::Int),
                    ("counts", Kind::Bool),
                ],
                records.len(),
            )
        );
        let records = serde_json::to_string(&records).unwrap_or_default();
        let changed: Vec<Changed> = with_tx!(&mut *tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(records).fetch_all(db).await
        })?;
        let is_removed = |row: &&Changed| row.state == RemovalState::Removed.as_str();
        let removed: Vec<ConnectionKey> = changed
            .iter()
            .filter(is_removed)
            .map(|row| ConnectionKey(row.connection_key))
            .collect();
        presence::remove(tx, &removed, now, hands.run).await?;
        let act = |row: &Changed| {
            let ended = ended.iter().find(|ended| ended.removal == row.removal_id)?;
            let act = row.act(ended.act?, now).run(hands.run).with("state", ended.state.as_str());
            Some(act.with("outcome", ended.outcome.clone()).with("xero", ended.correlation.clone()))
        };
        Ok(changed.iter().filter_map(act).collect())
    }

    async fn start_removals(
        &self,
        tx: &mut Tx,
        starting: &[Start],
        hands: Hands,
        now: DateTime<Utc>,
    ) -> Result<Vec<Changed>, Error> {
        if starting.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<StartRecord> = starting.iter().map(Start::record).collect();
        let sql = format!(
            "UPDATE removals SET state = 'deleting', attempts = attempts + 1, \
                intended_at = $3, lease_until = $4, looked_at = n.looked \
             FROM {} WHERE removals.removal_id = n.id AND removals.fence = n.fence \
                AND removals.state = 'leased' AND removals.lease_owner = $2 \
                AND removals.lease_until > $3 \
             RETURNING {CHANGED}",
            Dialect::of(self).records(
                &[("id", Kind::Uuid), ("fence", Kind::Int), ("looked", Kind::Time),],
                records.len(),
            )
        );
        let records = serde_json::to_string(&records).unwrap_or_default();
        Ok(with_tx!(&mut *tx, db => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(records)
                .bind(hands.owner)
                .bind(now)
                .bind(now + hands.lease)
                .fetch_all(db)
                .await
        })?)
    }
}

const CHANGED: &str = "removals.removal_id, removals.connection_key, removals.tenant_id, \
    removals.plan_id, removals.people, removals.state";

/// A removal that was changed just now.
#[derive(sqlx::FromRow)]
struct Changed {
    removal_id: Uuid,
    connection_key: Uuid,
    tenant_id: Uuid,
    plan_id: String,
    people: String,
    state: String,
}

impl Changed {
    fn act(&self, kind: Acted, now: DateTime<Utc>) -> Act {
        let people: serde_json::Value = serde_json::from_str(&self.people).unwrap_or_default();
        Act::new(kind, now)
            .about(self.connection_key)
            .with("removal", self.removal_id.to_string())
            .with("tenant", self.tenant_id.to_string())
            .with("plan", self.plan_id.clone())
            .with("people", people)
    }
}

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
