//! After a scan: which removed tenants are connected again, which with what is required, which
//! are lost, and which removals crossed a consent.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::scopes::ScopeSet;
use crate::domain::win_back::lost_before;
use crate::store::returns::Away;
use crate::store::{self, Store};

/// Notes what the last scan and the last list tell of removed connections.
///
/// # Errors
/// The database cannot be used.
pub(super) async fn note(
    store: &Store,
    config: &Config,
    now: DateTime<Utc>,
    run: Uuid,
) -> Result<(), store::Error> {
    let found = store.note_returns(now, run).await?;
    if found.back + found.returned > 0 {
        tracing::info!(
            back = found.back,
            returned = found.returned,
            "removed tenants are connected again"
        );
    }
    let lost = store.note_lost(lost_before(&config.win_back, now), now, run).await?;
    if lost > 0 {
        tracing::warn!(
            removals = lost,
            "removed connections whose people were told for the last time are not back: they are \
             lost"
        );
    }
    let crossed = crossed(store, config.campaign.required).await?;
    if !crossed.is_empty() {
        tracing::warn!(
            removals = crossed.len(),
            "people had consented just before their connection was removed: they are told at once"
        );
    }
    store.note_crossed(&crossed, now, run).await
}

/// Removals whose person holds all that is required by a consent that is older than they are:
/// it could not be seen in time. One that is newer, without the tenant being back, was for
/// other tenants.
async fn crossed(store: &Store, required: ScopeSet) -> Result<Vec<Away>, store::Error> {
    let mut away = store.away().await?;
    away.retain(|one| one.crossed_at.is_none() && one.back_at.is_none());
    if away.is_empty() {
        return Ok(away);
    }
    let sets = store.scope_sets().await?;
    let mut grants: Vec<GrantId> = away.iter().map(|one| one.grant).collect();
    grants.dedup();
    let held = store.settled_scopes(&grants, &sets).await?;
    let dated: HashMap<GrantId, Option<DateTime<Utc>>> = store
        .grant_rows(&grants)
        .await?
        .into_iter()
        .map(|row| (GrantId(row.grant_id), row.evidence_at))
        .collect();
    let keys: Vec<ConnectionKey> = away.iter().map(|one| one.connection).collect();
    let connections = store.connections_by_key(&keys, &sets).await?;
    let wanted: HashMap<ConnectionKey, ScopeSet> = connections
        .iter()
        .map(|connection| (connection.key, connection.facts.required.unwrap_or(required)))
        .collect();
    away.retain(|one| {
        let is_older = dated
            .get(&one.grant)
            .is_some_and(|at| at.is_none_or(|consented| consented <= one.removed_at));
        let holds = match (held.get(&one.grant), wanted.get(&one.connection)) {
            (Some(held), Some(wanted)) => held.missing(*wanted).is_empty(),
            _ => false,
        };
        is_older && holds
    });
    Ok(away)
}
