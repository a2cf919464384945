//! Counting the connections by what the last complete scan made of them.

use crate::domain::grant::Readiness;
use crate::domain::tally::Tally;

use super::{Error, Store, Tx, with_db, with_tx};

/// Reads an index only, however many connections there are.
const SQL: &str = "\
    SELECT presence, class, readiness, manual, reachable, covered, token_behind, count(*) AS connections
    FROM connections
    GROUP BY presence, class, readiness, manual, reachable, covered, token_behind";

/// Awaiting connections that count as reachable but of whose grant nobody has an address left
/// that is not suppressed. Reads all of `people`, so not for an empty table of suppressions.
const SILENCED: &str = "\
    SELECT count(*) FROM connections
    WHERE readiness = 'awaiting' AND presence <> 'gone' AND reachable
      AND grant_id IN (
        SELECT held.grant_id FROM people
        JOIN connections held ON held.connection_key = people.connection_key
        WHERE people.recipient IN (SELECT recipient FROM suppressions))
      AND NOT EXISTS (
        SELECT 1 FROM connections own
        JOIN people ON people.connection_key = own.connection_key
        WHERE own.grant_id = connections.grant_id AND own.presence <> 'gone'
          AND people.email IS NOT NULL
          AND people.recipient NOT IN (SELECT recipient FROM suppressions))";
const ANY_SUPPRESSION: &str = "SELECT recipient FROM suppressions LIMIT 1";

#[derive(Debug, sqlx::FromRow)]
struct TallyRow {
    presence: String,
    class: String,
    readiness: String,
    manual: bool,
    reachable: bool,
    covered: bool,
    token_behind: bool,
    connections: i64,
}

fn count(rows: Vec<TallyRow>) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for row in rows {
        let count = u64::try_from(row.connections).unwrap_or_default();
        if row.presence == "gone" {
            tally.gone += count;
            continue;
        }
        tally.connections += count;
        if row.presence == "row_bad" {
            tally.row_bad += count;
        }
        *match row.class.as_str() {
            "broad_only" => &mut tally.broad_only,
            "mixed" => &mut tally.mixed,
            "granular" => &mut tally.granular,
            "unaffected" => &mut tally.unaffected,
            "unknown" => &mut tally.unknown,
            other => return Err(Error::inconsistent("connections", "class", other)),
        } += count;
        if row.readiness == Readiness::Ready.as_str() {
            tally.ready += count;
            if row.token_behind {
                tally.token_behind += count;
            }
        }
        if row.readiness == Readiness::Awaiting.as_str() {
            tally.awaiting += count;
            for (part, holds) in [
                (&mut tally.covered, row.covered),
                (&mut tally.manual, row.manual),
                (&mut tally.unreachable, !row.reachable),
            ] {
                if holds {
                    *part += count;
                }
            }
        }
    }
    Ok(tally)
}

/// Counts within a transaction, as it will be once that is committed.
pub(super) async fn within(tx: &mut Tx) -> Result<Tally, Error> {
    let mut tally = count(with_tx!(tx, db => sqlx::query_as(SQL).fetch_all(db).await)?)?;
    let any: Option<String> =
        with_tx!(tx, db => sqlx::query_scalar(ANY_SUPPRESSION).fetch_optional(db).await)?;
    if any.is_some() {
        let silenced: i64 = with_tx!(tx, db => sqlx::query_scalar(SILENCED).fetch_one(db).await)?;
        tally.unreachable += u64::try_from(silenced).unwrap_or_default();
    }
    Ok(tally)
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&self) -> Result<Tally, Error> {
        let mut tally = count(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)?;
        let any: Option<String> =
            with_db!(self, db => sqlx::query_scalar(ANY_SUPPRESSION).fetch_optional(db).await)?;
        if any.is_some() {
            let silenced: i64 =
                with_db!(self, db => sqlx::query_scalar(SILENCED).fetch_one(db).await)?;
            tally.unreachable += u64::try_from(silenced).unwrap_or_default();
        }
        Ok(tally)
    }
}
