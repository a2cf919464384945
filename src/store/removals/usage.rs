//! What counts against the caps of removing, and what the days before came to.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::ramp::Day;
use crate::store::{Error, Store, Tx, with_db, with_tx};

/// What is used up on one of the campaign's days, and what became of those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub today: u64,
    /// The days before on which something was removed, in order.
    pub days: Vec<Day>,
}

/// A day as it stands in the database: it sorts as text.
pub(super) fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

const TODAY: &str = "SELECT count(*) FROM removals WHERE day = $1";

pub(super) async fn used_today(tx: &mut Tx, day: NaiveDate) -> Result<u64, Error> {
    let used: i64 = with_tx!(tx, db => {
        sqlx::query_scalar(TODAY).bind(day_text(day)).fetch_one(db).await
    })?;
    Ok(count(used))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[derive(sqlx::FromRow)]
struct DayRow {
    attempted: i64,
    failed: i64,
    removed: i64,
    returned: i64,
    last_at: Option<DateTime<Utc>>,
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn removal_usage(&self, day: NaiveDate) -> Result<Usage, Error> {
        const BEFORE: &str = "SELECT count(*) AS attempted, \
                sum(CASE WHEN state IN ('unknown', 'deleting', 'set_aside') THEN 1 ELSE 0 END) \
                    AS failed, \
                sum(CASE WHEN state = 'removed' THEN 1 ELSE 0 END) AS removed, \
                sum(CASE WHEN returned_at IS NOT NULL THEN 1 ELSE 0 END) AS returned, \
                max(settled_at) AS last_at \
             FROM removals WHERE day < $1 GROUP BY day ORDER BY day";
        let text = day_text(day);
        let today: i64 =
            with_db!(self, db => sqlx::query_scalar(TODAY).bind(&text).fetch_one(db).await)?;
        let before: Vec<DayRow> =
            with_db!(self, db => sqlx::query_as(BEFORE).bind(&text).fetch_all(db).await)?;
        let days = before.into_iter().map(|row| Day {
            attempted: count(row.attempted),
            failed: count(row.failed),
            removed: count(row.removed),
            returned: count(row.returned),
            last_at: row.last_at,
        });
        Ok(Usage { today: count(today), days: days.collect() })
    }
}
