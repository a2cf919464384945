//! Counting the connections by what the last complete scan made of them.

use crate::domain::connection::Presence;
use crate::domain::grant::Readiness;
use crate::domain::tally::Tally;

use super::connections::presence;
use super::{Error, Store, Tx, with_db, with_tx};

/// Reads an index only, however many connections there are.
const SQL: &str = "\
    SELECT presence, class, readiness, manual, reachable, covered, token_behind, count(*) AS connections
    FROM connections
    GROUP BY presence, class, readiness, manual, reachable, covered, token_behind";

/// Awaiting connections that count as reachable but of whose grant nobody has an address left
/// that is not suppressed. Reads all of `people`, so not for an empty table of suppressions; and
/// then only what is theirs, in the order of its joins: SQLite would begin with all that await.
const SILENCED: &str = "\
    WITH concerned AS MATERIALIZED (
        SELECT DISTINCT held.grant_id FROM people CROSS JOIN connections held
        WHERE held.connection_key = people.connection_key
          AND people.recipient IN (SELECT recipient FROM suppressions))
    SELECT count(*) FROM concerned CROSS JOIN connections
    WHERE connections.grant_id = concerned.grant_id
      AND readiness = 'awaiting' AND presence IN ('present', 'row_bad') AND reachable
      AND NOT EXISTS (
        SELECT 1 FROM connections own
        JOIN people ON people.connection_key = own.connection_key
        WHERE own.grant_id = connections.grant_id AND own.presence <> 'gone'
          AND people.email IS NOT NULL
          AND (own.presence <> 'removed' OR people.fingerprint IS NOT NULL)
          AND people.recipient NOT IN (SELECT recipient FROM suppressions))";
/// What the campaign has removed, and the tenants of it that came back.
const REMOVED: &str = "SELECT count(*), count(returned_at) FROM removals WHERE state = 'removed'";
/// Removed connections that the host still lists.
const STILL_LISTED: &str = "SELECT count(*) FROM connections c WHERE c.presence = 'removed' \
    AND EXISTS (SELECT 1 FROM people p WHERE p.connection_key = c.connection_key \
        AND p.fingerprint IS NOT NULL)";
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
        match presence(&row.presence)? {
            Presence::Gone => {
                tally.gone += count;
                continue;
            }
            // Counted for the campaign, also once it is back.
            Presence::Removed => continue,
            Presence::RowBad => tally.row_bad += count,
            Presence::Present => {}
        }
        tally.connections += count;
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

fn follow(tally: &mut Tally, (removed, returned): (i64, i64)) {
    tally.removed = u64::try_from(removed).unwrap_or_default();
    tally.returned = u64::try_from(returned).unwrap_or_default();
}

/// Counts within a transaction, as it will be once that is committed.
pub(super) async fn within(tx: &mut Tx) -> Result<Tally, Error> {
    let mut tally = count(with_tx!(tx, db => sqlx::query_as(SQL).fetch_all(db).await)?)?;
    let removed: (i64, i64) = with_tx!(tx, db => sqlx::query_as(REMOVED).fetch_one(db).await)?;
    follow(&mut tally, removed);
    if tally.removed > 0 {
        let listed: i64 = with_tx!(tx, db => sqlx::query_scalar(STILL_LISTED).fetch_one(db).await)?;
        tally.removed_listed = u64::try_from(listed).unwrap_or_default();
    }
    let any: Option<String> =
        with_tx!(tx, db => sqlx::query_scalar(ANY_SUPPRESSION).fetch_optional(db).await)?;
    if any.is_some() {
        let silenced: i64 = with_tx!(tx, db => sqlx::query_scalar(SILENCED).fetch_one(db).await)?;
        tally.unreachable += u64::try_from(silenced).unwrap_or_default();
    }
    Ok(tally)
}

impl Store {
    /// People with an address who are responsible for an awaiting connection that the program
    /// takes care of.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn awaiting_recipients(&self) -> Result<u64, Error> {
        const SQL: &str = "SELECT count(DISTINCT p.recipient) FROM people p \
            JOIN connections c ON c.connection_key = p.connection_key \
            WHERE c.readiness = 'awaiting' AND c.presence <> 'gone' AND NOT c.manual \
            AND p.email IS NOT NULL";
        let count: i64 = with_db!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&self) -> Result<Tally, Error> {
        let mut tally = count(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)?;
        let removed: (i64, i64) =
            with_db!(self, db => sqlx::query_as(REMOVED).fetch_one(db).await)?;
        follow(&mut tally, removed);
        if tally.removed > 0 {
            let listed: i64 =
                with_db!(self, db => sqlx::query_scalar(STILL_LISTED).fetch_one(db).await)?;
            tally.removed_listed = u64::try_from(listed).unwrap_or_default();
        }
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
