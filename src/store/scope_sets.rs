//! Sets of scopes by number: each distinct set is stored once.

use std::collections::HashMap;

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
