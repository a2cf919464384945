//! Webhooks that fail, and what it means for what waits to go to them.

use chrono::{DateTime, Utc};

use crate::domain::endpoint::Failing;

use super::{Error, Store, Tx, with_db, with_tx};

#[derive(sqlx::FromRow)]
struct Row {
    webhook: String,
    failing_since: DateTime<Utc>,
    failed_at: DateTime<Utc>,
    failures: i64,
    probe_at: DateTime<Utc>,
}

impl Row {
    fn failing(&self) -> Failing {
        Failing {
            since: self.failing_since,
            last: self.failed_at,
            failures: self.failures,
            probe_at: self.probe_at,
        }
    }
}

impl Store {
    /// The webhooks that fail, by name.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn failing_endpoints(&self) -> Result<Vec<(String, Failing)>, Error> {
        const SQL: &str = "SELECT webhook, failing_since, failed_at, failures, probe_at \
            FROM endpoints ORDER BY webhook";
        let rows: Vec<Row> = with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let failing = row.failing();
                (row.webhook, failing)
            })
            .collect())
    }

    /// Takes it upon oneself to ask whether a webhook is back, if it is time; nobody else
    /// then does before `next`.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn claim_probe(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
    ) -> Result<bool, Error> {
        const SQL: &str =
            "UPDATE endpoints SET probe_at = $3 WHERE webhook = $1 AND probe_at <= $2";
        let mut tx = self.begin().await?;
        let claimed = with_tx!(&mut tx, db => {
            sqlx::query(SQL)
                .bind(webhook)
                .bind(now)
                .bind(next)
                .execute(db)
                .await
                .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(claimed > 0)
    }

    /// A webhook took something. Gives what was wrong with it before; if it was set aside, all
    /// that waits for it may go at once.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn endpoint_is_well(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Failing>, Error> {
        const SQL: &str = "DELETE FROM endpoints WHERE webhook = $1 \
            RETURNING webhook, failing_since, failed_at, failures, probe_at";
        let mut tx = self.begin().await?;
        let row: Option<Row> = with_tx!(&mut tx, db => {
            sqlx::query_as(SQL).bind(webhook).fetch_optional(db).await
        })?;
        let before = row.map(|row| row.failing());
        if before.is_some_and(|before| before.is_set_aside()) {
            bring_forward(&mut tx, webhook, now).await?;
        }
        tx.commit().await?;
        Ok(before)
    }

    /// A webhook took nothing of so many deliveries. Once it is set aside, what waits for it
    /// is to be there when it is asked next.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn endpoint_failed(
        &self,
        webhook: &str,
        failures: usize,
        now: DateTime<Utc>,
    ) -> Result<Failing, Error> {
        const NOTE: &str = "INSERT INTO endpoints \
                (webhook, failing_since, failed_at, failures, probe_at) VALUES ($1, $2, $2, $3, $2) \
            ON CONFLICT (webhook) DO UPDATE SET failed_at = excluded.failed_at, \
                failures = endpoints.failures + excluded.failures \
            RETURNING webhook, failing_since, failed_at, failures, probe_at";
        const PROBE: &str = "UPDATE endpoints SET probe_at = $2 WHERE webhook = $1";
        let failures = i64::try_from(failures).unwrap_or(i64::MAX);
        let mut tx = self.begin().await?;
        let row: Row = with_tx!(&mut tx, db => {
            sqlx::query_as(NOTE).bind(webhook).bind(now).bind(failures).fetch_one(db).await
        })?;
        let mut failing = row.failing();
        failing.probe_at = Failing::next_probe(failing.since, failing.last);
        with_tx!(&mut tx, db => {
            sqlx::query(PROBE).bind(webhook).bind(failing.probe_at).execute(db).await.map(|_| ())
        })?;
        if failing.is_set_aside() {
            bring_forward(&mut tx, webhook, failing.probe_at).await?;
        }
        tx.commit().await?;
        Ok(failing)
    }
}

/// Nothing that waits for a webhook waits longer than this.
async fn bring_forward(tx: &mut Tx, webhook: &str, to: DateTime<Utc>) -> Result<(), Error> {
    const ANNOUNCEMENTS: &str = "UPDATE announcements SET due_at = $2 \
        WHERE webhook = $1 AND state = 'queued' AND due_at > $2";
    const PROMPTS: &str = "UPDATE prompts SET due_at = $2 \
        WHERE channel = $1 AND state = 'queued' AND due_at > $2";
    let channel = format!("webhook:{webhook}");
    for (sql, name) in [(ANNOUNCEMENTS, webhook), (PROMPTS, channel.as_str())] {
        with_tx!(&mut *tx, db => {
            sqlx::query(sql).bind(name).bind(to).execute(db).await.map(|_| ())
        })?;
    }
    Ok(())
}
