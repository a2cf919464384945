//! Counting the connections by what the last complete scan made of them.

use crate::domain::class::Class;
use crate::domain::grant::Readiness;

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

/// How many connections there are of each kind. Gone ones stand outside the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub connections: u64,
    pub broad_only: u64,
    pub mixed: u64,
    pub granular: u64,
    pub unaffected: u64,
    pub unknown: u64,
    pub ready: u64,
    pub awaiting: u64,
    pub covered: u64,
    pub manual: u64,
    pub unreachable: u64,
    pub token_behind: u64,
    pub gone: u64,
    /// Part of `connections`: those known from earlier whose row is bad now.
    pub row_bad: u64,
}

impl Tally {
    pub(super) fn of(rows: Vec<TallyRow>) -> Result<Self, Error> {
        let mut tally = Self::default();
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

    /// By class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> u64 {
        match class {
            Class::BroadOnly => self.broad_only,
            Class::Mixed => self.mixed,
            Class::Granular => self.granular,
            Class::Unaffected => self.unaffected,
            Class::Unknown => self.unknown,
        }
    }
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn tally(&self) -> Result<Tally, Error> {
        Tally::of(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }
}
