//! Walking over the grants that are not ready, in pages of bounded size.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::grant::GrantId;

use super::{Error, ScopeSets, Store, with_db};

/// Where a walk stands.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    after: Option<Uuid>,
    ended: bool,
    /// What is left of a walk over some grants.
    these: Option<Vec<GrantId>>,
}

impl Walk {
    /// A walk over these grants only, whatever is left to be awaited of them.
    #[must_use]
    pub fn over(grants: impl DoubleEndedIterator<Item = GrantId>) -> Self {
        Self { these: Some(grants.rev().collect()), ..Self::default() }
    }
}

/// Grants in one page.
const PAGE: usize = 500;

impl Store {
    /// The next page: all connections that the host lists of grants with an awaiting one,
    /// grouped by grant. Empty at the end.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn next_awaiting(
        &self,
        walk: &mut Walk,
        sets: &ScopeSets,
    ) -> Result<Vec<Vec<Connection>>, Error> {
        loop {
            let grants = self.next_grants(walk).await?;
            let mut connections = self.connections_of_grants(&grants, sets).await?;
            // Who stands only in rows that are gone is no longer responsible for the rest.
            connections.retain(Connection::is_listed);
            // Of some that a walk is over the host may list nothing any more.
            if !connections.is_empty() || grants.is_empty() {
                return Ok(grouped(connections));
            }
        }
    }

    async fn next_grants(&self, walk: &mut Walk) -> Result<Vec<GrantId>, Error> {
        if let Some(these) = &mut walk.these {
            let rest = these.len().saturating_sub(PAGE);
            return Ok(these.drain(rest..).rev().collect());
        }
        // Left to itself SQLite finds all that await by another index, and sorts them, for
        // every page.
        let connections = match self {
            Self::Sqlite(_) => "connections INDEXED BY connections_grant_id",
            Self::Postgres(_) => "connections",
        };
        if walk.ended {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT DISTINCT grant_id FROM {connections} \
             WHERE grant_id > $1 AND readiness = 'awaiting' AND presence IN ('present', 'row_bad') \
             ORDER BY grant_id LIMIT $2"
        );
        let after = walk.after.unwrap_or(Uuid::nil());
        let grants: Vec<Uuid> = with_db!(self, db => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(after).bind(PAGE as i64).fetch_all(db).await
        })?;
        walk.after = grants.last().copied();
        walk.ended = walk.after.is_none();
        Ok(grants.into_iter().map(GrantId).collect())
    }
}

/// By grant; those of one stand together.
fn grouped(connections: Vec<Connection>) -> Vec<Vec<Connection>> {
    let mut groups: Vec<Vec<Connection>> = Vec::new();
    for connection in connections {
        match groups.last_mut() {
            Some(group) if group[0].facts.grant == connection.facts.grant => group.push(connection),
            _ => groups.push(vec![connection]),
        }
    }
    groups
}
