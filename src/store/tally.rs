//! Counting the connections by what the last complete scan made of them.

use crate::domain::grant::Readiness;
use crate::domain::tally::Tally;

use super::{Error, Store, with_db};

/// Reads an index only, however many connections there are.
pub(super) const SQL: &str = "\
    SELECT presence, class, readiness, manual, reachable, covered, token_behind, count(*) AS connections
    FROM connections
    GROUP BY presence, class, readiness, manual, reachable, covered, token_behind";

#[derive(Debug, sqlx::FromRow)]
pub(super) struct TallyRow {
    presence: String,
    class: String,
    readiness: String,
    manual: bool,
    reachable: bool,
    covered: bool,
    token_behind: bool,
    connections: i64,
}

pub(super) fn count(rows: Vec<TallyRow>) -> Result<Tally, Error> {
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

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&self) -> Result<Tally, Error> {
        count(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }
}
