//! What workers left behind that are gone.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use crate::domain::audit::{Act, Kind};
use crate::store::audit::append;
use crate::store::{Error, Store, Tx, with_tx};

use super::record::{RECORDED, Recorded};

impl Store {
    /// Settles what workers left behind that are gone: messages that were being handed over
    /// may have arrived, and are never tried again; a webhook may be told again, with the
    /// same id and body. Gives the number of those whose outcome is now unknown.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn sweep_prompts(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        const GIVEN_BACK: &str = "UPDATE prompts SET state = 'queued', lease_until = NULL, \
                day = NULL, due_at = $1, \
                outcome = 'the worker was gone before the answer came' \
             WHERE state = 'leased' AND lease_until <= $1";
        const UNKNOWN: &str = "UPDATE prompts SET state = 'unknown', lease_until = NULL, \
                outcome = 'the worker was gone before the answer came' \
             WHERE state = 'sending' AND lease_until <= $1 AND channel NOT LIKE 'webhook:%'";
        const AGAIN: &str = "UPDATE prompts SET state = 'queued', lease_until = NULL, \
                day = NULL, due_at = $1, \
                outcome = 'the worker was gone before the answer came' \
             WHERE state = 'sending' AND lease_until <= $1 AND channel LIKE 'webhook:%'";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(GIVEN_BACK).bind(now).execute(db).await.map(|_| ())
        })?;
        let mut acts = sweep(&mut tx, UNKNOWN, "unknown", now).await?;
        let unknown = acts.len();
        acts.extend(sweep(&mut tx, AGAIN, "queued", now).await?);
        append(&mut tx, &acts).await?;
        tx.commit().await?;
        Ok(unknown as u64)
    }
}

/// Those that were in the middle of being handed over, and where they went.
async fn sweep(
    tx: &mut Tx,
    update: &str,
    state: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Act>, Error> {
    let sql = format!("{update} RETURNING {RECORDED}");
    let swept: Vec<Recorded> =
        with_tx!(tx, db => sqlx::query_as(AssertSqlSafe(sql)).bind(now).fetch_all(db).await)?;
    Ok(swept.iter().map(|one| one.act(Kind::PromptSwept, now).with("state", state)).collect())
}
