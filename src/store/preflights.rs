//! The last result of each check that effects rely on.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Error, Store, with_db, with_tx};

/// One check of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightRecord {
    pub subject: String,
    /// A hash of what was checked.
    pub configuration: String,
    /// The campaign's.
    pub day: NaiveDate,
    pub passed: bool,
    pub detail: String,
    pub checked_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    subject: String,
    configuration: String,
    day: String,
    passed: bool,
    detail: String,
    checked_at: DateTime<Utc>,
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn preflight(&self, subject: &str) -> Result<Option<PreflightRecord>, Error> {
        const SQL: &str = "SELECT subject, configuration, day, passed, detail, checked_at \
                           FROM preflights WHERE subject = $1";
        let row: Option<Row> =
            with_db!(self, db => sqlx::query_as(SQL).bind(subject).fetch_optional(db).await)?;
        let Some(row) = row else { return Ok(None) };
        let Ok(day) = row.day.parse() else {
            return Err(Error::inconsistent("preflights", "day", row.day));
        };
        let Row { subject, configuration, passed, detail, checked_at, .. } = row;
        Ok(Some(PreflightRecord { subject, configuration, day, passed, detail, checked_at }))
    }

    /// Remembers a result in place of the one before.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_preflight(&self, record: &PreflightRecord) -> Result<(), Error> {
        const SQL: &str = "INSERT INTO preflights \
            (subject, configuration, day, passed, detail, checked_at) \
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO UPDATE SET \
            configuration = excluded.configuration, day = excluded.day, \
            passed = excluded.passed, detail = excluded.detail, checked_at = excluded.checked_at";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(&record.subject)
                .bind(&record.configuration)
                .bind(record.day.to_string())
                .bind(record.passed)
                .bind(&record.detail)
                .bind(record.checked_at)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }
}
