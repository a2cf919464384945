//! The ledger of prompts. A prompt goes from `queued` to `leased` to `sending`, each by an
//! update that only one worker can make, and from there to what became of it. `sending` is
//! committed before the message is handed over; a row whose lease ran out in it is `unknown`
//! and never leased again.

mod advance;
mod lease;
mod mailed;
mod record;
mod sharing;
mod story;
mod sweep;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::dialect::{Ids, with_ids};
use super::settling::{HEAD, PromptHead};
use super::{Error, Store, Tx, with_db, with_tx};

pub use advance::{Advanced, Ended, Shown, Start};
pub use lease::{Lease, Leased, Leasing, Spent, Wanted};
pub(super) use lease::{lock as leasing_lock, pause as pause_within};
pub use mailed::Mailed;
pub use sharing::Others;
pub use story::PromptStory;

pub(super) use record::{RECORDED, Recorded};

/// What counts against the caps on one of the campaign's days.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    pub day: Option<NaiveDate>,
    /// By stage.
    pub today: BTreeMap<String, u64>,
    /// By stage: the days before on which it was at work.
    pub days_before: HashMap<String, usize>,
}

impl Usage {
    #[must_use]
    pub fn all_today(&self) -> u64 {
        self.today.values().sum()
    }

    #[must_use]
    pub fn of_stage(&self, stage: &str) -> crate::domain::budget::Used {
        crate::domain::budget::Used {
            today: self.today.get(stage).copied().unwrap_or_default(),
            days: self.days_before.get(stage).copied().unwrap_or_default(),
        }
    }
}

/// A day as it stands in the database: it sorts as text.
fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

const TODAY: &str = "SELECT stage, count(*) FROM prompts WHERE day = $1 GROUP BY stage";

async fn used_today(tx: &mut Tx, day: NaiveDate) -> Result<BTreeMap<String, u64>, Error> {
    let rows: Vec<(String, i64)> = with_tx!(tx, db => {
        sqlx::query_as(TODAY).bind(day_text(day)).fetch_all(db).await
    })?;
    Ok(counts(rows))
}

fn counts(rows: Vec<(String, i64)>) -> BTreeMap<String, u64> {
    rows.into_iter().map(|(stage, count)| (stage, u64::try_from(count).unwrap_or(0))).collect()
}

impl Store {
    /// What counts on `day`, and on how many days before each stage was at work.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn prompt_usage(&self, day: NaiveDate) -> Result<Usage, Error> {
        const BEFORE: &str =
            "SELECT stage, count(DISTINCT day) FROM prompts WHERE day < $1 GROUP BY stage";
        let text = day_text(day);
        let today: Vec<(String, i64)> =
            with_db!(self, db => sqlx::query_as(TODAY).bind(&text).fetch_all(db).await)?;
        let before: Vec<(String, i64)> =
            with_db!(self, db => sqlx::query_as(BEFORE).bind(&text).fetch_all(db).await)?;
        let days = |count| usize::try_from(count).unwrap_or(0);
        Ok(Usage {
            day: Some(day),
            today: counts(today),
            days_before: before.into_iter().map(|(stage, count)| (stage, days(count))).collect(),
        })
    }

    /// A worker is still alive that has these prompts in its hands.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn extend_leases(
        &self,
        ids: &[Uuid],
        owner: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let sql = with_ids(
            self,
            "UPDATE prompts SET lease_until = $4 WHERE prompt_id {ids} AND lease_owner = $2 \
                AND lease_until > $3 AND state IN ('leased', 'sending')",
        );
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(Ids(ids.to_vec()))
                .bind(owner)
                .bind(now)
                .bind(until)
                .execute(db)
                .await
                .map(|_| ())
        })?;
        tx.commit().await
    }

    /// How many prompts of each stage are in each state.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn prompts_by_stage(&self) -> Result<BTreeMap<String, BTreeMap<String, i64>>, Error> {
        const SQL: &str = "SELECT stage, state, count(*) FROM prompts GROUP BY stage, state";
        let rows: Vec<(String, String, i64)> =
            with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        let mut stages: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for (stage, state, count) in rows {
            stages.entry(stage).or_default().insert(state, count);
        }
        Ok(stages)
    }

    /// The prompts of which nobody knows whether they arrived, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn unknown_prompts(&self, most: u32) -> Result<Vec<PromptHead>, Error> {
        let sql = format!(
            "SELECT {HEAD} FROM prompts WHERE state = 'unknown' \
             ORDER BY sending_at, prompt_id LIMIT $1"
        );
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(i64::from(most)).fetch_all(db).await
        })?)
    }
}
