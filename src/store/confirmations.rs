//! What named people vouched for. Nothing is ever taken back: a later word for the same
//! configuration stands beside the earlier one.

use chrono::{DateTime, Utc};

use crate::domain::audit::{Act, Kind};
use crate::domain::confirmation::{Confirmation, Facts, Subject, Word};

use super::audit::append;
use super::{Error, Store, Tx, with_db, with_tx};

#[derive(sqlx::FromRow)]
struct Row {
    configuration: String,
    by_name: String,
    note: String,
    confirmed_at: DateTime<Utc>,
}

pub(super) async fn insert(
    tx: &mut Tx,
    subject: Subject,
    facts: &Facts,
    confirmation: &Confirmation,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO confirmations (what, configuration, by_name, note, confirmed_at) \
                       VALUES ($1, $2, $3, $4, $5)";
    with_tx!(tx, db => {
        sqlx::query(SQL)
            .bind(subject.as_str())
            .bind(facts.text())
            .bind(&confirmation.by)
            .bind(&confirmation.note)
            .bind(confirmation.confirmed_at)
            .execute(db)
            .await
            .map(|_| ())
    })?;
    Ok(())
}

/// How it is recorded.
pub(super) fn act(subject: Subject, facts: &Facts, confirmation: &Confirmation) -> Act {
    Act::new(Kind::Confirmed, confirmation.confirmed_at)
        .about(subject)
        .by(&confirmation.by)
        .with("note", confirmation.note.as_str())
        .with("configuration", serde_json::json!(facts))
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn confirm(
        &self,
        subject: Subject,
        facts: &Facts,
        confirmation: &Confirmation,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        insert(&mut tx, subject, facts, confirmation).await?;
        append(&mut tx, &[act(subject, facts, confirmation)]).await?;
        tx.commit().await
    }

    /// Whether somebody vouched for a subject as it is configured now.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn confirmation(&self, subject: Subject, facts: &Facts) -> Result<Word, Error> {
        const OF_THIS: &str = "SELECT configuration, by_name, note, confirmed_at FROM confirmations \
            WHERE what = $1 AND configuration = $2 ORDER BY confirmed_at DESC LIMIT 1";
        const OF_ANY: &str = "SELECT configuration, by_name, note, confirmed_at FROM confirmations \
            WHERE what = $1 ORDER BY confirmed_at DESC LIMIT 1";
        let what = subject.as_str();
        let same: Option<Row> = with_db!(self, db => {
            sqlx::query_as(OF_THIS).bind(what).bind(facts.text()).fetch_optional(db).await
        })?;
        if let Some(Row { by_name: by, note, confirmed_at, .. }) = same {
            return Ok(Word::Given(Confirmation { by, note, confirmed_at }));
        }
        let last: Option<Row> =
            with_db!(self, db => sqlx::query_as(OF_ANY).bind(what).fetch_optional(db).await)?;
        let Some(last) = last else { return Ok(Word::Never) };
        let before = Facts::read(&last.configuration).ok_or_else(|| {
            Error::inconsistent("confirmations", "configuration", &last.configuration)
        })?;
        let changed = before.differing(facts).into_iter().map(str::to_owned).collect();
        Ok(Word::Void { by: last.by_name, changed })
    }
}
