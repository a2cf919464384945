//! The course of the campaign: one row for each number of each day. Every real run counts its
//! day anew, so that the last one of a day holds; days on which no run could are made up for
//! by the next.

mod events;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::daily::{Count, Measure};

use super::bulk::{self, Amount, Cell, Kind, Target};
use super::dialect::Dialect;
use super::settings::lock_for_scan;
use super::{Error, Store, with_db, with_tx};

pub use events::Counting;

const DAILY_COUNTS: Target = Target {
    table: "daily_counts",
    columns: &[
        ("day", Kind::Text),
        ("measure", Kind::Text),
        ("part", Kind::Text),
        ("since", Kind::Text),
        ("number", Kind::Int),
    ],
    key: None,
    keep: &[],
};

const HOLD_BACKS: Target = Target {
    table: "hold_backs",
    columns: &[("connection_key", Kind::Uuid), ("stage", Kind::Text), ("held_at", Kind::Time)],
    key: Some("connection_key, stage"),
    keep: &["held_at", "stage"],
};

/// As a day stands in the database: it sorts as text.
fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

/// Measures as a list in SQL; there is always one.
fn words(measures: impl Iterator<Item = Measure>) -> String {
    let words: BTreeSet<&str> = measures.map(Measure::as_str).chain([""]).collect();
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

fn cells(count: Count) -> [Cell; DAILY_COUNTS.columns.len()] {
    [
        Cell::text(Some(day_text(count.day))),
        Cell::word(Some(count.measure.as_str())),
        Cell::text(Some(count.part)),
        Cell::text(Some(count.since.map(day_text).unwrap_or_default())),
        Cell::Int(Some(i64::try_from(count.number).unwrap_or(i64::MAX))),
    ]
}

#[derive(sqlx::FromRow)]
struct CountRow {
    day: String,
    measure: String,
    part: String,
    since: String,
    number: i64,
}

impl CountRow {
    /// `None` for a measure that this worker does not know.
    fn into_count(self) -> Result<Option<Count>, Error> {
        let Some(measure) = Measure::parse(&self.measure) else { return Ok(None) };
        let day =
            |text: &str| text.parse().map_err(|_| Error::inconsistent("daily_counts", "day", text));
        Ok(Some(Count {
            day: day(&self.day)?,
            measure,
            since: if self.since.is_empty() { None } else { Some(day(&self.since)?) },
            part: self.part,
            number: u64::try_from(self.number).unwrap_or_default(),
        }))
    }
}

impl Store {
    /// Writes what today's numbers are, and counts anew what happened from the last counted
    /// day on.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn count_day(&self, counting: &Counting, standing: Vec<Count>) -> Result<(), Error> {
        const LAST: &str = "SELECT max(day) FROM daily_counts WHERE measure = 'connections'";
        const CLEAR: &str = "DELETE FROM daily_counts WHERE day BETWEEN $1 AND $2 AND measure IN";
        let mut tx = self.begin().await?;
        // Two runs that end together count one after the other.
        lock_for_scan(&mut tx).await?;
        let last: Option<String> =
            with_tx!(&mut tx, db => sqlx::query_scalar(LAST).fetch_one(db).await)?;
        let last = last.and_then(|day| day.parse().ok());
        let from = last.map_or(counting.founded, |last: NaiveDate| last.min(counting.today));
        let events = counting.events(&mut tx, from).await?;
        let of_events = Measure::ALL.iter().copied().filter(|measure| measure.is_event());
        let of_today = standing.iter().map(|count| count.measure);
        for (from, measures) in [(from, words(of_events)), (counting.today, words(of_today))] {
            let clear = AssertSqlSafe(format!("{CLEAR} ({measures})"));
            with_tx!(&mut tx, db => {
                sqlx::query(clear).bind(day_text(from)).bind(day_text(counting.today)).execute(db)
                    .await.map(|_| ())
            })?;
        }
        let mut rows: Vec<Cell> = standing.into_iter().chain(events).flat_map(cells).collect();
        let mut statements = Vec::new();
        bulk::fill(Dialect::of(self), &DAILY_COUNTS, Amount::All, &mut rows, &mut statements)?;
        for statement in statements {
            statement.run(&mut tx).await?;
        }
        tx.commit().await
    }

    /// All that was counted, from the first day on.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn daily_counts(&self) -> Result<Vec<Count>, Error> {
        const SQL: &str = "SELECT day, measure, part, since, number FROM daily_counts \
                           ORDER BY day, measure, part, since";
        let rows: Vec<CountRow> = with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        rows.into_iter().filter_map(|row| row.into_count().transpose()).collect()
    }

    /// Writes down which connections are passed over at a stage; those that were before stay
    /// as they are.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn hold_back(
        &self,
        stage: &str,
        connections: &[Uuid],
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        if connections.is_empty() {
            return Ok(());
        }
        let mut rows = connections
            .iter()
            .flat_map(|key| {
                [Cell::Uuid(Some(*key)), Cell::text(Some(stage.to_owned())), Cell::Time(Some(at))]
            })
            .collect();
        let mut statements = Vec::new();
        bulk::fill(Dialect::of(self), &HOLD_BACKS, Amount::All, &mut rows, &mut statements)?;
        let mut tx = self.begin().await?;
        for statement in statements {
            statement.run(&mut tx).await?;
        }
        tx.commit().await
    }
}
