//! The facts of a message about a stored connection, for looking at: as the person
//! responsible for it would be told, whatever caps, hours and exemptions say.

use uuid::Uuid;

use crate::config::Config;
use crate::delivery::sample::Occasion;
use crate::domain::campaign::{Campaign, Channel};
use crate::domain::composing::About;
use crate::domain::connection::{Connection, Presence};
use crate::domain::decide::{PromptLine, Rules};
use crate::domain::digest::Digest;
use crate::domain::grant::{GrantId, Readiness};
use crate::domain::recipient::responsible;
use crate::store::{Error, ScopeSets, Store};

use super::bearings::Bearings;
use super::prompting::SHOWN_BY_MAIL;

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
    let own = store.connections_of_grants(&[asked.facts.grant], sets).await?;
    let Some((party, address)) = responsible(&own)
        .into_iter()
        .find_map(|party| party.recipient.address().cloned().map(|address| (party, address)))
    else {
        return Ok(None);
    };
    let theirs = store.find_by_address(address.key(), sets).await?;
    let mut ids: Vec<GrantId> = theirs.iter().map(|connection| connection.facts.grant).collect();
    ids.sort_unstable();
    ids.dedup();
    let settled = store.settled_scopes(&ids, sets).await?;
    let zone = party.zone.unwrap_or(config.campaign.zone);
    let now = config.campaign.working.next_opening(zone, occasion.dated);
    let now = now.unwrap_or(occasion.dated);
    let bearings = Bearings::take(store, now).await?;
    let rules = Rules { now, ..bearings.rules(config) };
    let correction = Campaign::correction();
    let named = config.campaign.stages.iter().find(|stage| stage.name == occasion.stage);
    let follow_up = config.win_back.iter().find(|one| one.stage.name == occasion.stage);
    let stage = named.or(follow_up.map(|one| &one.stage)).unwrap_or(&correction);
    let is_shown = |one: &Connection| {
        let is_about = match follow_up {
            Some(_) => one.presence == Presence::Removed,
            None => one.presence.counts() && one.standing.readiness == Readiness::Awaiting,
        };
        is_about || one.key == asked.key
    };
    let about = store
        .connections_of_grants(&ids, sets)
        .await?
        .into_iter()
        .filter(is_shown)
        .map(|connection| {
            let held = settled.get(&connection.facts.grant).copied().unwrap_or_default();
            let line = PromptLine {
                stage,
                wave: 0,
                party: party.clone(),
                channel: Channel::Email,
                connection: connection.key,
                missing: rules.missing(&connection, held),
                last_used_at: connection.facts.last_used_at,
                connected_at: connection.facts.connected_at,
                // The one that was asked about comes first.
                shown: usize::from(connection.key != asked.key),
            };
            About { line, connection }
        })
        .collect();
    let name = format!("preview\0{}\0{}", occasion.stage, party.recipient.key());
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    Ok(rules.digest(id, about, occasion.deadline_before(), SHOWN_BY_MAIL))
}
