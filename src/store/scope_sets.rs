//! Sets of scopes by number: each distinct set is stored once.

use std::collections::HashMap;

use crate::domain::advice::Holding;
use crate::domain::scopes::{ScopeSet, ScopeText};

use super::{Error, Store, with_db};

/// The sets that the database knows.
#[derive(Clone, Debug, Default)]
pub struct ScopeSets {
    by_number: HashMap<i64, ScopeSet>,
    by_set: HashMap<ScopeSet, i64>,
    fresh: Vec<(i64, ScopeSet)>,
}

impl ScopeSets {
    /// The number of a set; a new one is remembered and written with the rows that refer to it.
    pub fn number(&mut self, set: ScopeSet) -> i64 {
        if let Some(number) = self.by_set.get(&set) {
            return *number;
        }
        let number = self.by_number.keys().max().map_or(1, |last| last + 1);
        self.by_number.insert(number, set);
        self.by_set.insert(set, number);
        self.fresh.push((number, set));
        number
    }

    pub(super) fn set(&self, number: i64) -> Result<ScopeSet, Error> {
        self.by_number
            .get(&number)
            .copied()
            .ok_or_else(|| Error::inconsistent("scope_sets", "id", number.to_string()))
    }

    /// The sets that are new since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<(i64, ScopeSet)> {
        std::mem::take(&mut self.fresh)
    }
}

impl Store {
    /// The sets that rows require in place of the campaign's, once each.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn own_required_sets(&self) -> Result<Vec<ScopeSet>, Error> {
        const SQL: &str = "SELECT DISTINCT s.scopes FROM connections c \
            JOIN scope_sets s ON s.id = c.required_set WHERE c.presence <> 'gone' ORDER BY s.scopes";
        let texts: Vec<String> = with_db!(self, db => sqlx::query_scalar(SQL).fetch_all(db).await)?;
        Ok(texts.iter().map(|text| ScopeText::read(text).set).collect())
    }

    /// Present connections whose scopes are known, by what they hold and what their rows
    /// require in place of the campaign's set.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn holdings(&self) -> Result<Vec<Holding>, Error> {
        const SQL: &str = "SELECT g.scope_set, c.required_set, count(*) FROM connections c \
            JOIN grants g ON g.grant_id = c.grant_id \
            WHERE c.presence <> 'gone' AND g.scope_set IS NOT NULL \
            GROUP BY g.scope_set, c.required_set";
        let sets = self.scope_sets().await?;
        let rows: Vec<(i64, Option<i64>, i64)> =
            with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        rows.into_iter()
            .map(|(held, own, connections)| {
                Ok(Holding {
                    held: sets.set(held)?,
                    own: own.map(|number| sets.set(number)).transpose()?,
                    connections: u64::try_from(connections).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// # Errors
    /// The database cannot be used.
    pub async fn scope_sets(&self) -> Result<ScopeSets, Error> {
        const SQL: &str = "SELECT id, scopes FROM scope_sets";
        let rows: Vec<(i64, String)> =
            with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?;
        let mut sets = ScopeSets::default();
        for (number, scopes) in rows {
            let ScopeText { set, unknown, .. } = ScopeText::read(&scopes);
            if !unknown.is_empty() {
                return Err(Error::inconsistent("scope_sets", "scopes", scopes));
            }
            sets.by_number.insert(number, set);
            sets.by_set.insert(set, number);
        }
        Ok(sets)
    }
}
