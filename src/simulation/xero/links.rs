//! Where to find somebody's connection to a tenant among a hundred thousand.

use std::collections::{BTreeMap, BTreeSet};

use super::{Connection, Tenant};
use crate::domain::ids::{ConnectionId, TenantId, UserId};

/// The connections of all apps.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(BTreeMap<String, OfApp>);

/// Those of one app.
#[derive(Clone, Debug, Default)]
struct OfApp {
    links: BTreeMap<(UserId, TenantId), BTreeSet<ConnectionId>>,
    /// How many connections each tenant has.
    tenants: BTreeMap<TenantId, usize>,
}

impl Links {
    pub(super) fn add(&mut self, one: &Connection) {
        let app = self.0.entry(one.client_id.clone()).or_default();
        app.links.entry((one.user, one.tenant.id)).or_default().insert(one.id);
        *app.tenants.entry(one.tenant.id).or_default() += 1;
    }

    pub(super) fn take(&mut self, one: &Connection) {
        let Some(app) = self.0.get_mut(&one.client_id) else { return };
        let link = (one.user, one.tenant.id);
        if let Some(ids) = app.links.get_mut(&link) {
            ids.remove(&one.id);
            if ids.is_empty() {
                app.links.remove(&link);
            }
        }
        if let Some(count) = app.tenants.get_mut(&one.tenant.id) {
            *count -= 1;
            if *count == 0 {
                app.tenants.remove(&one.tenant.id);
            }
        }
    }

    pub(super) fn find(
        &self,
        client_id: &str,
        user: UserId,
        tenant: TenantId,
    ) -> Option<ConnectionId> {
        self.0.get(client_id)?.links.get(&(user, tenant))?.first().copied()
    }

    /// How many tenants an app has once these are connected as well.
    pub(super) fn tenants_with(&self, client_id: &str, tenants: &[Tenant]) -> usize {
        let known = self.0.get(client_id).map(|app| &app.tenants);
        let new: BTreeSet<TenantId> = tenants
            .iter()
            .map(|tenant| tenant.id)
            .filter(|id| known.is_none_or(|known| !known.contains_key(id)))
            .collect();
        known.map_or(0, BTreeMap::len) + new.len()
    }
}
