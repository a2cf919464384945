//! How often something may happen, for all replicas together: when the next may.

use chrono::{DateTime, Utc};

use crate::domain::rate::{Allowed, Rate};

use super::{Error, Store, Tx, with_tx};

/// How many of a kind may go now, in all workers together.
pub(super) async fn allow(
    tx: &mut Tx,
    name: &str,
    rate: Rate,
    wanted: usize,
    now: DateTime<Utc>,
) -> Result<Allowed, Error> {
    // The row is locked until the commit, so that two workers count one after the other.
    const TAKE: &str = "INSERT INTO rates (name, next_at) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET next_at = rates.next_at RETURNING next_at";
    const PUT: &str = "UPDATE rates SET next_at = $2 WHERE name = $1";
    let next: DateTime<Utc> = with_tx!(&mut *tx, db => {
        sqlx::query_scalar(TAKE).bind(name).bind(now - rate.slack).fetch_one(db).await
    })?;
    let allowed = rate.allow(next, wanted, now);
    with_tx!(&mut *tx, db => {
        sqlx::query(PUT).bind(name).bind(allowed.next).execute(db).await.map(|_| ())
    })?;
    Ok(allowed)
}

impl Store {
    /// Takes one of a kind, if one may go now.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn take(&self, name: &str, rate: Rate, now: DateTime<Utc>) -> Result<Allowed, Error> {
        let mut tx = self.begin().await?;
        let allowed = allow(&mut tx, name, rate, 1, now).await?;
        tx.commit().await?;
        Ok(allowed)
    }

    /// Lets none of a kind go before a time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn hold(&self, name: &str, until: DateTime<Utc>) -> Result<(), Error> {
        const HOLD: &str = "INSERT INTO rates (name, next_at) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET next_at = CASE \
                WHEN excluded.next_at > rates.next_at THEN excluded.next_at \
                ELSE rates.next_at END";
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(HOLD).bind(name).bind(until).execute(db).await.map(|_| ())
        })?;
        tx.commit().await?;
        Ok(())
    }
}
