//! The facts of a message about a stored connection, for looking at: as the person
//! responsible for it would be told now, whatever caps and hours say.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::config::Config;
use crate::delivery::sample::Occasion;
use crate::domain::connection::{Connection, Presence};
use crate::domain::consent::scopes_to_ask;
use crate::domain::digest::{Digest, DigestConnection, DigestGrant};
use crate::domain::grant::{GrantId, Readiness};
use crate::domain::ids::UserId;
use crate::domain::recipient::{Party, responsible};
use crate::domain::scopes::ScopeSet;
use crate::store::{Error, ScopeSets, Store};

use super::messages::removal;

/// Connections that a message has room for.
const ROOM: usize = 50;

/// The message's facts for the first person with an address who is responsible for a
/// connection; `None` when there is none.
///
/// # Errors
/// The database cannot be used.
pub async fn digest_about(
    store: &Store,
    config: &Config,
    occasion: &Occasion,
    asked: &Connection,
    sets: &ScopeSets,
) -> Result<Option<Digest>, Error> {
    let own = together(store, &[asked.facts.grant], sets).await?;
    let connections = own.into_iter().next().unwrap_or_else(|| vec![asked.clone()]);
    let parties = responsible(&connections);
    let Some((party, address)) = parties
        .into_iter()
        .find_map(|party| party.recipient.address().cloned().map(|address| (party, address)))
    else {
        return Ok(None);
    };
    let theirs = store.find_by_address(address.key(), sets).await?;
    let mut ids: Vec<GrantId> = theirs.iter().map(|connection| connection.facts.grant).collect();
    // The one that was asked about comes first.
    ids.sort_by_key(|grant| (*grant != asked.facts.grant, *grant));
    ids.dedup();
    let mut grants = together(store, &ids, sets).await?;
    grants.sort_by_key(|group| group.first().map(|one| one.facts.grant != asked.facts.grant));
    let settled = store.settled_scopes(&ids, sets).await?;
    let mut room = ROOM;
    let mut not_shown: u64 = 0;
    let mut shown = Vec::new();
    for group in grants {
        let Some(grant) = group.first().map(|one| one.facts.grant) else { continue };
        let held = settled.get(&grant).copied().unwrap_or_default();
        let awaits = |one: &&Connection| {
            one.key == asked.key || one.standing.readiness == Readiness::Awaiting
        };
        let waiting: Vec<&Connection> = group.iter().filter(awaits).collect();
        let fitting = waiting.len().min(room);
        room -= fitting;
        not_shown += (waiting.len() - fitting) as u64;
        if fitting > 0 {
            shown.push(digest_grant(config, grant, &waiting[..fitting], held));
        }
    }
    Ok(Some(digest(config, occasion, &party, address.given(), shown, not_shown)))
}

/// All connections of some grants that are still there, grouped by grant.
async fn together(
    store: &Store,
    grants: &[GrantId],
    sets: &ScopeSets,
) -> Result<Vec<Vec<Connection>>, Error> {
    let mut groups: Vec<Vec<Connection>> = Vec::new();
    for connection in store.connections_of_grants(grants, sets).await? {
        if connection.presence == Presence::Gone {
            continue;
        }
        match groups.last_mut() {
            Some(group) if group[0].facts.grant == connection.facts.grant => group.push(connection),
            _ => groups.push(vec![connection]),
        }
    }
    Ok(groups)
}

fn digest_grant(
    config: &Config,
    grant: GrantId,
    connections: &[&Connection],
    held: ScopeSet,
) -> DigestGrant {
    let campaign = config.campaign.required;
    let is_person = connections.iter().all(|connection| connection.key.0 != grant.0);
    DigestGrant {
        grant,
        user: is_person.then_some(UserId(grant.0)),
        scopes: scopes_to_ask(campaign, connections.iter().map(|one| one.facts.required))
            .canonical(),
        connections: connections
            .iter()
            .map(|connection| DigestConnection {
                key: connection.key,
                id: connection.facts.id,
                tenant: connection.facts.tenant,
                tenant_name: connection.facts.tenant_name.clone(),
                account: connection.facts.account.clone(),
                missing: held.missing(connection.facts.required.unwrap_or(campaign)).canonical(),
                required: connection.facts.required.unwrap_or(campaign).canonical(),
                connected_at: connection.facts.connected_at,
            })
            .collect(),
    }
}

fn digest(
    config: &Config,
    occasion: &Occasion,
    party: &Party,
    address: &str,
    grants: Vec<DigestGrant>,
    not_shown: u64,
) -> Digest {
    let zone = party.zone.unwrap_or(config.campaign.zone);
    let dated = open(config, zone, occasion.dated);
    let recipient = party.recipient.key();
    let name = format!("preview\0{}\0{recipient}", occasion.stage);
    Digest {
        prompt: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        stage: occasion.stage.clone(),
        template: occasion.template.clone(),
        is_final: occasion.is_final,
        recipient,
        address: Some(address.to_owned()),
        name: party.name.clone(),
        locale: party.locale.clone(),
        zone,
        dated,
        deadline: occasion.deadline,
        deadline_before: occasion.deadline_before(),
        removal_from: if occasion.is_final { removal(config, zone, dated) } else { None },
        links_until: occasion.links_until,
        grants,
        not_shown,
    }
}

fn open(config: &Config, zone: chrono_tz::Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    config.campaign.working.next_opening(zone, at).unwrap_or(at)
}
