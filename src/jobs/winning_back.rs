//! Grants with connections that were removed and have not come back, and who of their people
//! still stands in the inventory: nobody else is written to about a removal.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::GrantId;
use crate::domain::recipient::responsible;
use crate::store::{self, ScopeSets, Store};

/// Some grants.
pub(super) struct Away {
    /// Of each all connections that the host lists or that were removed.
    pub grants: Vec<Vec<Connection>>,
    /// The recipients who still stand in the inventory.
    pub here: BTreeSet<String>,
}

impl Away {
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn of(
        store: &Store,
        ids: &[GrantId],
        sets: &ScopeSets,
    ) -> Result<Self, store::Error> {
        let mut grants: BTreeMap<GrantId, Vec<Connection>> = BTreeMap::new();
        for connection in store.connections_of_grants(ids, sets).await? {
            if connection.is_listed() || connection.presence == Presence::Removed {
                grants.entry(connection.facts.grant).or_default().push(connection);
            }
        }
        let (mut here, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        for connections in grants.values() {
            let (listed, unlisted): (Vec<Connection>, Vec<Connection>) =
                connections.iter().cloned().partition(Connection::is_listed);
            here.extend(responsible(&listed).iter().map(|party| party.recipient.key()));
            elsewhere.extend(responsible(&unlisted).iter().map(|party| party.recipient.key()));
        }
        // The host may have dropped the row of what was removed, and list others of theirs.
        let unsure: Vec<String> = elsewhere.difference(&here).cloned().collect();
        here.extend(store.listed_recipients(unsure).await?);
        Ok(Self { grants: grants.into_values().collect(), here })
    }

    /// The grants with something removed that is away, to be looked at some at a time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn ids(store: &Store) -> Result<Vec<GrantId>, store::Error> {
        let mut ids: Vec<GrantId> = store.away().await?.iter().map(|away| away.grant).collect();
        ids.dedup();
        Ok(ids)
    }
}
