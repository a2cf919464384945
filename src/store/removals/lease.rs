//! Taking removals into one's hands, as far as what happened before and the caps let through.
//! One worker leases at a time, prompts or removals, so that the caps hold for all of them
//! together.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind as Acted};
use crate::domain::grant::ConnectionKey;
use crate::domain::reason::Reason;
use crate::domain::removal::{PastRemoval, Planned, RemovalState};
use crate::store::audit;
use crate::store::bulk::{Amount, Cell, Kind, Target, fill};
use crate::store::dialect::{Dialect, Ids, with_ids};
use crate::store::home::count_effects;
use crate::store::leases::is_over;
use crate::store::prompts::{leasing_lock, pause_within};
use crate::store::{Error, Store, Tx, with_tx};

use super::usage::{day_text, used_today};
use super::{COLUMNS, Row};

/// A removal that is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub removal: Uuid,
    pub connection: ConnectionKey,
    pub plan: String,
    pub planned: Planned,
}

/// By whom, until when, and on whose account.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub owner: Uuid,
    pub until: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// The campaign's day.
    pub day: NaiveDate,
    /// How long what becomes of a removal concerns the next one of the same person.
    pub wait: TimeDelta,
    pub run: Uuid,
}

/// A removal in one's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    pub removal: Uuid,
    pub connection: ConnectionKey,
    pub planned: Planned,
    pub fence: i64,
    /// Calls before that got no answer.
    pub lost: i64,
}

/// What came of wanting to lease.
#[derive(Clone, Debug, Default)]
pub struct Leasing {
    pub leased: Vec<Leased>,
    /// What was held back, each with the reasons.
    pub held_back: Vec<(Wanted, Vec<Reason>)>,
    /// The present pause, if there is one; nothing was leased then.
    pub paused: Option<String>,
}

const REMOVALS: Target = Target {
    table: "removals",
    columns: &[
        ("removal_id", Kind::Uuid),
        ("connection_key", Kind::Uuid),
        ("connection_id", Kind::Uuid),
        ("tenant_id", Kind::Uuid),
        ("grant_id", Kind::Uuid),
        ("plan_id", Kind::Text),
        ("planned", Kind::Text),
        ("people", Kind::Text),
        ("state", Kind::Text),
        ("due_at", Kind::Time),
        ("attempts", Kind::Int),
        ("lost", Kind::Int),
        ("fence", Kind::Int),
        ("settled_at", Kind::Time),
        ("outcome", Kind::Text),
        ("run_id", Kind::Uuid),
        ("made_at", Kind::Time),
    ],
    key: None,
    keep: &[],
};

impl Row {
    fn may_be_leased(&self, now: DateTime<Utc>) -> bool {
        match RemovalState::parse(&self.state) {
            Some(RemovalState::Queued) => self.due_at <= now,
            Some(RemovalState::Leased) => self.lease_until.is_none_or(|until| until <= now),
            _ => false,
        }
    }
}

impl Store {
    /// Leases what is wanted, in its order, as far as `lets` lets each through: it is given a
    /// removal, what is used up today, and the other removals that may bar it.
    ///
    /// # Errors
    /// The run is over, or the database cannot be used.
    pub async fn lease_removals(
        &self,
        wanted: Vec<Wanted>,
        lease: Lease,
        mut lets: impl FnMut(&Wanted, u64, &[PastRemoval]) -> Result<(), Vec<Reason>>,
    ) -> Result<Leasing, Error> {
        let mut tx = self.begin().await?;
        leasing_lock(&mut tx).await?;
        if is_over(&mut tx, lease.run).await? {
            return Err(Error::RunOver);
        }
        let mut leasing = Leasing { paused: pause_within(&mut tx).await?, ..Leasing::default() };
        if leasing.paused.is_some() {
            tx.rollback().await?;
            return Ok(leasing);
        }
        let mut today = used_today(&mut tx, lease.day).await?;
        let rows = self.concerning(&mut tx, &wanted, &lease).await?;
        let mut past = Past::of(&rows)?;
        let (mut fresh, mut ids) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let row = rows.iter().find(|row| row.removal_id == wanted.removal);
            if row.is_some_and(|row| !row.may_be_leased(lease.now)) {
                continue;
            }
            // What is known of it does not bar itself.
            let own = past.take(wanted.removal);
            if let Err(reasons) = lets(&wanted, today, &past.removals) {
                if let Some(own) = own {
                    past.put(wanted.removal, own);
                }
                leasing.held_back.push((wanted, reasons));
                continue;
            }
            today += 1;
            if row.is_none() {
                fresh.extend(cells(&wanted, RemovalState::Queued, None, lease.run, lease.now));
            }
            past.put(wanted.removal, wanted.in_hand(lease.until));
            ids.push(wanted.removal);
            leasing.leased.push(Leased {
                removal: wanted.removal,
                connection: wanted.connection,
                planned: wanted.planned,
                fence: row.map_or(0, |row| row.fence) + 1,
                lost: row.map_or(0, |row| row.lost),
            });
        }
        self.add(&mut tx, fresh).await?;
        if !ids.is_empty() {
            let sql = with_ids(
                self,
                "UPDATE removals SET state = 'leased', lease_owner = $2, lease_until = $3, \
                    day = $4, run_id = $5, fence = fence + 1 WHERE removal_id {ids}",
            );
            with_tx!(&mut tx, db => {
                sqlx::query(AssertSqlSafe(sql))
                    .bind(Ids(ids))
                    .bind(lease.owner)
                    .bind(lease.until)
                    .bind(day_text(lease.day))
                    .bind(lease.run)
                    .execute(db)
                    .await
                    .map(|_| ())
            })?;
        }
        // As with prompts: a database that was restored from before this knows less than was
        // done (`store::home`).
        let count =
            if leasing.leased.is_empty() { None } else { Some(count_effects(&mut tx).await?) };
        if count == Some(1) {
            self.keep_count(0).await?;
        }
        tx.commit().await?;
        if let Some(count) = count {
            self.keep_count(count).await?;
        }
        Ok(leasing)
    }

    /// Writes down that a plan was wrong about these connections; what is known of one
    /// already stays as it is, unless it only waits.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn drop_removals(
        &self,
        dropped: &[(Wanted, String)],
        run: Uuid,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        if dropped.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        leasing_lock(&mut tx).await?;
        let ids: Vec<Uuid> = dropped.iter().map(|(wanted, _)| wanted.removal).collect();
        let known: Vec<Row> = self.rows_within(&mut tx, "removal_id {ids}", ids).await?;
        let mut fresh = Vec::new();
        let mut acts = Vec::new();
        for (wanted, why) in dropped {
            let changed = match known.iter().find(|row| row.removal_id == wanted.removal) {
                None => {
                    let dropped = RemovalState::Dropped;
                    fresh.extend(cells(wanted, dropped, Some(why.clone()), run, now));
                    1
                }
                Some(_) => {
                    const SQL: &str = "UPDATE removals SET state = 'dropped', day = NULL, \
                        outcome = $2, settled_at = $3 WHERE removal_id = $1 AND state = 'queued'";
                    with_tx!(&mut tx, db => {
                        sqlx::query(SQL)
                            .bind(wanted.removal)
                            .bind(why)
                            .bind(now)
                            .execute(db)
                            .await
                            .map(|done| done.rows_affected())
                    })?
                }
            };
            if changed > 0 {
                acts.push(wanted.dropped(why, run, now));
            }
        }
        self.add(&mut tx, fresh).await?;
        audit::append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(acts.len() as u64)
    }

    async fn add(&self, tx: &mut Tx, mut cells: Vec<Cell>) -> Result<(), Error> {
        let mut statements = Vec::new();
        fill(Dialect::of(self), &REMOVALS, Amount::All, &mut cells, &mut statements)?;
        for statement in statements {
            statement.run(tx).await?;
        }
        Ok(())
    }

    /// The removals that say anything about whether these may be leased.
    async fn concerning(
        &self,
        tx: &mut Tx,
        wanted: &[Wanted],
        lease: &Lease,
    ) -> Result<Vec<Row>, Error> {
        let sql = with_ids(
            self,
            &format!(
                "SELECT {COLUMNS} FROM removals WHERE tenant_id {{ids}} \
                    OR state IN ('leased', 'deleting', 'unknown') \
                    OR (state = 'removed' AND settled_at > $2)"
            ),
        );
        let tenants = wanted.iter().map(|wanted| wanted.planned.tenant_id.0).collect();
        Ok(with_tx!(tx, db => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(Ids(tenants))
                .bind(lease.now - lease.wait)
                .fetch_all(db)
                .await
        })?)
    }

    async fn rows_within(
        &self,
        tx: &mut Tx,
        condition: &str,
        ids: Vec<Uuid>,
    ) -> Result<Vec<Row>, Error> {
        let sql = with_ids(self, &format!("SELECT {COLUMNS} FROM removals WHERE {condition}"));
        Ok(with_tx!(tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Ids(ids)).fetch_all(db).await
        })?)
    }
}

/// What may bar a removal, each with its id.
struct Past {
    ids: Vec<Uuid>,
    removals: Vec<PastRemoval>,
}

impl Past {
    fn of(rows: &[Row]) -> Result<Self, Error> {
        let removals = rows.iter().cloned().map(Row::into_past).collect::<Result<_, _>>()?;
        Ok(Self { ids: rows.iter().map(|row| row.removal_id).collect(), removals })
    }

    fn take(&mut self, id: Uuid) -> Option<PastRemoval> {
        let place = self.ids.iter().position(|known| *known == id)?;
        self.ids.swap_remove(place);
        Some(self.removals.swap_remove(place))
    }

    fn put(&mut self, id: Uuid, removal: PastRemoval) {
        self.ids.push(id);
        self.removals.push(removal);
    }
}

impl Wanted {
    fn dropped(&self, why: &str, run: Uuid, now: DateTime<Utc>) -> Act {
        Act::new(Acted::RemovalDropped, now)
            .run(run)
            .about(self.connection)
            .with("removal", self.removal.to_string())
            .with("tenant", self.planned.tenant_id.to_string())
            .with("plan", self.plan.clone())
            .with("people", self.planned.people.clone())
            .with("outcome", why)
    }

    fn in_hand(&self, until: DateTime<Utc>) -> PastRemoval {
        PastRemoval {
            connection: self.connection,
            tenant: self.planned.tenant_id,
            grant: self.planned.grant,
            people: self.planned.people.clone(),
            state: RemovalState::Leased,
            until,
            settled_at: None,
            crossed_at: None,
            back_at: None,
            returned_at: None,
        }
    }
}

fn cells(
    wanted: &Wanted,
    state: RemovalState,
    outcome: Option<String>,
    run: Uuid,
    now: DateTime<Utc>,
) -> [Cell; REMOVALS.columns.len()] {
    let planned = &wanted.planned;
    [
        Cell::Uuid(Some(wanted.removal)),
        Cell::Uuid(Some(wanted.connection.0)),
        Cell::Uuid(Some(planned.connection_id.0)),
        Cell::Uuid(Some(planned.tenant_id.0)),
        Cell::Uuid(Some(planned.grant.0)),
        Cell::text(Some(wanted.plan.clone())),
        Cell::text(serde_json::to_string(planned).ok()),
        Cell::text(serde_json::to_string(&planned.people).ok()),
        Cell::word(Some(state.as_str())),
        Cell::Time(Some(now)),
        Cell::Int(Some(0)),
        Cell::Int(Some(0)),
        Cell::Int(Some(0)),
        Cell::Time(state.is_settled().then_some(now)),
        Cell::text(outcome),
        Cell::Uuid(Some(run)),
        Cell::Time(Some(now)),
    ]
}
