//! Pauses: while one is in force nothing has effects, on any replica.

use chrono::{DateTime, Utc};

use crate::domain::audit::{Act, Kind};

use super::audit::append;
use super::{Error, Store, with_db, with_tx};

/// A stop that a person ordered.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Pause {
    pub paused_at: DateTime<Utc>,
    pub reason: String,
    #[sqlx(rename = "by_name")]
    pub by: String,
}

const IN_FORCE: &str = "SELECT paused_at, reason, by_name FROM pauses \
                        WHERE resumed_at IS NULL ORDER BY paused_at LIMIT 1";

impl Store {
    /// Effects look here each time anew, as another replica may have been told.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn pause_in_force(&self) -> Result<Option<Pause>, Error> {
        Ok(with_db!(self, db => sqlx::query_as(IN_FORCE).fetch_optional(db).await)?)
    }

    /// Pauses. Gives the pause that was in force already, which then stays as it is.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn pause(&self, pause: &Pause) -> Result<Option<Pause>, Error> {
        // Of two at the same microsecond the second holds, so that neither is lost.
        const SQL: &str = "INSERT INTO pauses (paused_at, reason, by_name) VALUES ($1, $2, $3) \
            ON CONFLICT (paused_at) DO UPDATE SET reason = excluded.reason, \
            by_name = excluded.by_name, resumed_at = NULL, resumed_by = NULL";
        let mut tx = self.begin().await?;
        let before: Option<Pause> =
            with_tx!(&mut tx, db => sqlx::query_as(IN_FORCE).fetch_optional(db).await)?;
        if before.is_some() {
            tx.rollback().await?;
            return Ok(before);
        }
        with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(pause.paused_at)
                .bind(&pause.reason)
                .bind(&pause.by)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        let act = Act::new(Kind::Paused, pause.paused_at).by(&pause.by);
        append(&mut tx, &[act.with("reason", pause.reason.as_str())]).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Ends whatever pause is in force, and gives it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn resume(&self, by: &str, at: DateTime<Utc>) -> Result<Option<Pause>, Error> {
        const SQL: &str =
            "UPDATE pauses SET resumed_at = $1, resumed_by = $2 WHERE resumed_at IS NULL";
        let mut tx = self.begin().await?;
        let before: Option<Pause> =
            with_tx!(&mut tx, db => sqlx::query_as(IN_FORCE).fetch_optional(db).await)?;
        with_tx!(&mut tx, db => sqlx::query(SQL).bind(at).bind(by).execute(db).await.map(|_| ()))?;
        if let Some(before) = &before {
            let act = Act::new(Kind::Resumed, at).by(by);
            append(&mut tx, &[act.with("paused_at", before.paused_at.to_rfc3339())]).await?;
        }
        tx.commit().await?;
        Ok(before)
    }
}
