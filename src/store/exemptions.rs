//! Who is left alone for a while: no prompts and no removals.

use chrono::{DateTime, Utc};

use crate::domain::audit::{Act, Kind};

use super::audit::append;
use super::{Error, Store, with_db, with_tx};

/// An exemption, for whatever has this id: a connection, tenant, person, account or address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Exemption {
    /// An id in lower case, a normalised address, or an account as the host writes it.
    #[sqlx(rename = "subject")]
    pub id: String,
    pub until: DateTime<Utc>,
    pub reason: String,
    #[sqlx(rename = "by_name")]
    pub by: String,
    pub added_at: DateTime<Utc>,
}

impl Store {
    /// Adds an exemption, in place of one for the same id.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn add_exemption(&self, exemption: &Exemption) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO exemptions (subject, until, reason, by_name, added_at) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (subject) DO UPDATE SET until = excluded.until, \
            reason = excluded.reason, by_name = excluded.by_name, added_at = excluded.added_at";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(&exemption.id)
                .bind(exemption.until)
                .bind(&exemption.reason)
                .bind(&exemption.by)
                .bind(exemption.added_at)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        let act = Act::new(Kind::ExemptionAdded, exemption.added_at)
            .named(&exemption.id)
            .by(&exemption.by)
            .with("until", exemption.until.to_rfc3339())
            .with("reason", exemption.reason.as_str());
        append(&mut tx, &[act]).await?;
        tx.commit().await
    }

    /// Whether there was one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn remove_exemption(
        &self,
        id: &str,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let removed = with_tx!(&mut tx, db => {
            sqlx::query("DELETE FROM exemptions WHERE subject = $1")
                .bind(id)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        if removed > 0 {
            let act = Act::new(Kind::ExemptionRemoved, at).named(id).by(by);
            append(&mut tx, &[act]).await?;
        }
        tx.commit().await?;
        Ok(removed > 0)
    }

    /// All exemptions, ended ones included, by end and id.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn exemptions(&self) -> Result<Vec<Exemption>, Error> {
        const SQL: &str = "SELECT subject, until, reason, by_name, added_at FROM exemptions ORDER BY until, subject";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }
}
