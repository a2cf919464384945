//! Plans of removals and who signed them off.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::audit::{Act, Kind as Acted};
use crate::domain::confirmation::Facts;
use crate::domain::grant::ConnectionKey;
use crate::domain::removal::{Planned, RemovalState};

use super::audit;
use super::bulk::{Amount, Cell, Kind, Target, fill};
use super::dialect::Dialect;
use super::removals::planned;
use super::{Error, Store, with_db, with_tx};

/// A plan, without its removals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRecord {
    pub id: String,
    /// Everything that it was made by.
    pub configuration: Facts,
    pub removals: u64,
    pub made_at: DateTime<Utc>,
    pub valid_until: DateTime<Utc>,
}

/// One removal of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanEntry {
    pub connection: ConnectionKey,
    pub not_before: DateTime<Utc>,
    pub planned: Planned,
    /// What a person reads, as JSON.
    pub entry: String,
}

/// Somebody's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Approval {
    #[sqlx(rename = "by_name")]
    pub by: String,
    pub approved_at: DateTime<Utc>,
    pub host: String,
    pub os_user: String,
    pub note: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    plan_id: String,
    configuration: String,
    removals: i64,
    made_at: DateTime<Utc>,
    valid_until: DateTime<Utc>,
}

impl Row {
    fn into_record(self) -> Result<PlanRecord, Error> {
        let configuration = Facts::read(&self.configuration)
            .ok_or_else(|| Error::inconsistent("plans", "configuration", &self.configuration))?;
        Ok(PlanRecord {
            id: self.plan_id,
            configuration,
            removals: u64::try_from(self.removals).unwrap_or_default(),
            made_at: self.made_at,
            valid_until: self.valid_until,
        })
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    connection_key: Uuid,
    not_before: DateTime<Utc>,
    planned: String,
    entry: String,
}

const ENTRIES: Target = Target {
    table: "plan_removals",
    columns: &[
        ("plan_id", Kind::Text),
        ("connection_key", Kind::Uuid),
        ("place", Kind::Int),
        ("not_before", Kind::Time),
        ("planned", Kind::Text),
        ("entry", Kind::Text),
    ],
    key: None,
    keep: &[],
};

impl Store {
    /// Keeps a plan. One with the same content that is still valid stays as it is; one that is
    /// past its time gets the new times, and with them needs to be signed off anew. Gives the
    /// plan as it stands now.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn keep_plan(
        &self,
        plan: &PlanRecord,
        entries: &[PlanEntry],
    ) -> Result<PlanRecord, Error> {
        const NEW: &str = "INSERT INTO plans (plan_id, configuration, removals, made_at, \
            valid_until) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (plan_id) DO NOTHING";
        const AGAIN: &str = "UPDATE plans SET made_at = $2, valid_until = $3 \
            WHERE plan_id = $1 AND valid_until <= $2";
        let mut tx = self.begin().await?;
        let added = with_tx!(&mut tx, db => {
            sqlx::query(NEW)
                .bind(&plan.id)
                .bind(plan.configuration.text())
                .bind(i64::try_from(plan.removals).unwrap_or(i64::MAX))
                .bind(plan.made_at)
                .bind(plan.valid_until)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        let mut made = added > 0;
        if added == 0 {
            let renewed = with_tx!(&mut tx, db => {
                sqlx::query(AGAIN)
                    .bind(&plan.id)
                    .bind(plan.made_at)
                    .bind(plan.valid_until)
                    .execute(db)
                    .await
                    .map(|done| done.rows_affected())
            })?;
            made = renewed > 0;
        } else {
            let mut cells: Vec<Cell> = (0..)
                .zip(entries)
                .flat_map(|(place, entry)| entry.cells(&plan.id, place))
                .collect();
            let mut statements = Vec::new();
            fill(Dialect::of(self), &ENTRIES, Amount::All, &mut cells, &mut statements)?;
            for statement in statements {
                statement.run(&mut tx).await?;
            }
        }
        if made {
            let act = Act::new(Acted::PlanMade, plan.made_at).about(&plan.id);
            let act = act
                .with("removals", plan.removals)
                .with("valid_until", plan.valid_until.to_rfc3339());
            audit::append(&mut tx, &[act]).await?;
        }
        tx.commit().await?;
        let kept = self.plan(&plan.id).await?;
        kept.ok_or_else(|| Error::inconsistent("plans", "plan_id", &plan.id))
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn plan(&self, id: &str) -> Result<Option<PlanRecord>, Error> {
        let sql = "SELECT plan_id, configuration, removals, made_at, valid_until FROM plans \
                   WHERE plan_id = $1";
        let row: Option<Row> =
            with_db!(self, db => sqlx::query_as(sql).bind(id).fetch_optional(db).await)?;
        row.map(Row::into_record).transpose()
    }

    /// Every plan, the newest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn plans(&self) -> Result<Vec<PlanRecord>, Error> {
        let sql = "SELECT plan_id, configuration, removals, made_at, valid_until FROM plans \
                   ORDER BY made_at DESC, plan_id";
        let rows: Vec<Row> = with_db!(self, db => sqlx::query_as(sql).fetch_all(db).await)?;
        rows.into_iter().map(Row::into_record).collect()
    }

    /// The ids of the plans that have a connection.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn plans_with(&self, connection: ConnectionKey) -> Result<Vec<String>, Error> {
        let sql = "SELECT plan_id FROM plan_removals WHERE connection_key = $1 ORDER BY plan_id";
        Ok(with_db!(self, db => {
            sqlx::query_scalar(sql).bind(connection.0).fetch_all(db).await
        })?)
    }

    /// The removals of a plan, least used first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn plan_entries(&self, id: &str) -> Result<Vec<PlanEntry>, Error> {
        let sql = "SELECT connection_key, not_before, planned, entry FROM plan_removals \
                   WHERE plan_id = $1 ORDER BY place";
        let rows: Vec<EntryRow> =
            with_db!(self, db => sqlx::query_as(sql).bind(id).fetch_all(db).await)?;
        let entry = |row: EntryRow| {
            Ok(PlanEntry {
                connection: ConnectionKey(row.connection_key),
                not_before: row.not_before,
                planned: planned(&row.planned)?,
                entry: row.entry,
            })
        };
        rows.into_iter().map(entry).collect()
    }

    /// The signatures that count for a plan as it stands now, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn approvals(&self, plan: &PlanRecord) -> Result<Vec<Approval>, Error> {
        let sql = "SELECT by_name, approved_at, host, os_user, note FROM approvals \
                   WHERE plan_id = $1 AND approved_at >= $2 ORDER BY approved_at, by_name";
        Ok(with_db!(self, db => {
            sqlx::query_as(sql).bind(&plan.id).bind(plan.made_at).fetch_all(db).await
        })?)
    }

    /// Signs a plan off; whoever has done so already stays with the earlier time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn approve(&self, plan: &PlanRecord, approval: &Approval) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO approvals (plan_id, by_name, approved_at, host, os_user, \
                note) VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (plan_id, by_name) DO UPDATE SET approved_at = excluded.approved_at, \
                host = excluded.host, os_user = excluded.os_user, note = excluded.note \
            WHERE approvals.approved_at < $7";
        let mut tx = self.begin().await?;
        let signed = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(&plan.id)
                .bind(&approval.by)
                .bind(approval.approved_at)
                .bind(&approval.host)
                .bind(&approval.os_user)
                .bind(&approval.note)
                .bind(plan.made_at)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        if signed > 0 {
            let act = Act::new(Acted::PlanApproved, approval.approved_at)
                .about(&plan.id)
                .by(&approval.by)
                .with("host", approval.host.clone())
                .with("os_user", approval.os_user.clone())
                .with("note", approval.note.clone());
            audit::append(&mut tx, &[act]).await?;
        }
        tx.commit().await
    }

    /// How many removals of a plan are in each state.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn plan_states(&self, id: &str) -> Result<BTreeMap<RemovalState, u64>, Error> {
        let sql = "SELECT state, count(*) FROM removals WHERE plan_id = $1 GROUP BY state";
        let rows: Vec<(String, i64)> =
            with_db!(self, db => sqlx::query_as(sql).bind(id).fetch_all(db).await)?;
        let count = |(word, count): (String, i64)| {
            let state = RemovalState::parse(&word)
                .ok_or_else(|| Error::inconsistent("removals", "state", word))?;
            Ok((state, u64::try_from(count).unwrap_or_default()))
        };
        rows.into_iter().map(count).collect()
    }

    /// What of a plan is settled, by connection.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn plan_outcomes(
        &self,
        id: &str,
    ) -> Result<BTreeMap<ConnectionKey, RemovalState>, Error> {
        let sql = "SELECT connection_key, state FROM removals WHERE plan_id = $1";
        let rows: Vec<(Uuid, String)> =
            with_db!(self, db => sqlx::query_as(sql).bind(id).fetch_all(db).await)?;
        let outcome = |(key, word): (Uuid, String)| {
            let state = RemovalState::parse(&word)
                .ok_or_else(|| Error::inconsistent("removals", "state", word))?;
            Ok((ConnectionKey(key), state))
        };
        rows.into_iter().map(outcome).collect()
    }
}

impl PlanEntry {
    fn cells(&self, plan: &str, place: i64) -> [Cell; ENTRIES.columns.len()] {
        [
            Cell::text(Some(plan.to_owned())),
            Cell::Uuid(Some(self.connection.0)),
            Cell::Int(Some(place)),
            Cell::Time(Some(self.not_before)),
            Cell::text(serde_json::to_string(&self.planned).ok()),
            Cell::text(Some(self.entry.clone())),
        ]
    }
}
