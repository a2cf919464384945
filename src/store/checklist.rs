//! What people have done for connections that the program leaves alone.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::connection::Connection;
use crate::domain::grant::ConnectionKey;

use super::audit::append;
use super::connections::{COLUMNS, ConnectionRow};
use super::dialect::{Ids, with_ids};
use super::{Error, ScopeSets, Store, Tx, with_db, with_tx};

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DoneStep {
    pub connection_key: Uuid,
    pub step: String,
    pub by_name: String,
    pub done_at: DateTime<Utc>,
}

impl Store {
    /// Present connections that are left to people.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn manual_connections(&self, sets: &ScopeSets) -> Result<Vec<Connection>, Error> {
        let rows: Vec<ConnectionRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM connections WHERE manual AND presence <> 'gone' \
                 ORDER BY grant_id, connection_key"
            )))
            .fetch_all(db)
            .await
        })?;
        self.with_people(rows, sets).await
    }

    /// The steps that were taken for these.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn done_steps(&self, keys: &[ConnectionKey]) -> Result<Vec<DoneStep>, Error> {
        let statement = with_ids(
            self,
            "SELECT connection_key, step, by_name, done_at FROM checklist \
             WHERE connection_key {ids} ORDER BY done_at, step",
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(ids).fetch_all(db).await
        })?)
    }

    /// Notes that a step was taken; tells whether it was open.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn tick(&self, done: &DoneStep) -> Result<bool, Error> {
        const SQL: &str = "INSERT INTO checklist (connection_key, step, by_name, done_at) \
            VALUES ($1, $2, $3, $4) ON CONFLICT (connection_key, step) DO NOTHING";
        let mut tx = self.begin().await?;
        let written = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(done.connection_key)
                .bind(&done.step)
                .bind(&done.by_name)
                .bind(done.done_at)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        done.record(&mut tx, Kind::ChecklistDone, written).await?;
        tx.commit().await?;
        Ok(written > 0)
    }

    /// Opens a step again, by whom and when; tells whether it was done.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn untick(&self, step: &DoneStep) -> Result<bool, Error> {
        const SQL: &str = "DELETE FROM checklist WHERE connection_key = $1 AND step = $2";
        let mut tx = self.begin().await?;
        let written = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(step.connection_key)
                .bind(&step.step)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        step.record(&mut tx, Kind::ChecklistReopened, written).await?;
        tx.commit().await?;
        Ok(written > 0)
    }
}

impl DoneStep {
    /// What changes nothing is no act.
    async fn record(&self, tx: &mut Tx, kind: Kind, written: u64) -> Result<(), Error> {
        if written == 0 {
            return Ok(());
        }
        let act = Act::new(kind, self.done_at).about(self.connection_key).by(&self.by_name);
        append(tx, &[act.with("step", self.step.as_str())]).await
    }
}
