//! Addresses that are never written to: because somebody said so, or a mail server did.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::domain::audit::{Act, Kind};

use super::audit::append;
use super::{Error, Store, Tx, with_db, with_tx};

/// An address that is left alone for good.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Suppression {
    /// Normalised.
    #[sqlx(rename = "recipient")]
    #[serde(rename = "address")]
    pub recipient: String,
    pub reason: String,
    #[sqlx(rename = "by_name")]
    pub by: String,
    pub added_at: DateTime<Utc>,
}

impl Suppression {
    /// Tells whether the address was not suppressed before; if it was, that stays.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn insert(&self, tx: &mut Tx) -> Result<bool, Error> {
        const SQL: &str = "INSERT INTO suppressions (recipient, reason, by_name, added_at) \
                           VALUES ($1, $2, $3, $4) ON CONFLICT (recipient) DO NOTHING";
        let written = with_tx!(tx, db => {
            sqlx::query(SQL)
                .bind(&self.recipient)
                .bind(&self.reason)
                .bind(&self.by)
                .bind(self.added_at)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(written > 0)
    }

    /// How it is recorded.
    pub(super) fn act(&self) -> Act {
        let act = Act::new(Kind::Suppressed, self.added_at).person(&self.recipient).by(&self.by);
        act.with("reason", self.reason.as_str())
    }
}

impl Store {
    /// Suppresses those that are not yet, and counts them.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn suppress(&self, all: &[Suppression]) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let mut acts = Vec::new();
        for one in all {
            if one.insert(&mut tx).await? {
                acts.push(one.act());
            }
        }
        append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(acts.len() as u64)
    }

    /// Whether there was one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn unsuppress(
        &self,
        recipient: &str,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        const SQL: &str = "DELETE FROM suppressions WHERE recipient = $1";
        let mut tx = self.begin().await?;
        let removed = with_tx!(&mut tx, db => {
            sqlx::query(SQL).bind(recipient).execute(db).await.map(|done| done.rows_affected())
        })?;
        if removed > 0 {
            let act = Act::new(Kind::Unsuppressed, at).person(recipient).by(by);
            append(&mut tx, &[act]).await?;
        }
        tx.commit().await?;
        Ok(removed > 0)
    }

    /// All of them, by address.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn suppressions(&self) -> Result<Vec<Suppression>, Error> {
        const SQL: &str =
            "SELECT recipient, reason, by_name, added_at FROM suppressions ORDER BY recipient";
        let mut all: Vec<Suppression> =
            with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        // A database may sort by the rules of its own language.
        all.sort_by(|one, other| one.recipient.cmp(&other.recipient));
        Ok(all)
    }

    /// The addresses alone, for deciding.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn suppressed(&self) -> Result<BTreeSet<String>, Error> {
        const SQL: &str = "SELECT recipient FROM suppressions";
        let all: Vec<String> = with_db!(self, db => sqlx::query_scalar(SQL).fetch_all(db).await)?;
        Ok(all.into_iter().collect())
    }
}
