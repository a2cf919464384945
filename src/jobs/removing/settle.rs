//! What became of removals that nobody knows the outcome of: Xero's own list tells. It is read
//! whole, or nothing is settled.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::audit::Kind as Acted;
use crate::domain::removal::RemovalState;
use crate::store::removals::{Ended, Hands, RemovalRecord};
use crate::store::{self, Store};
use crate::xero::connections::Connections;

use super::act::LEASE;
use super::list::{ListError, XeroList};

/// A call without an answer may still be on its way for so long: what its list has before
/// that says nothing.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(2);

/// What was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The call had taken effect.
    pub removed: usize,
    /// It had not; it may be tried again.
    pub not_removed: usize,
    /// Still not known.
    pub unknown: usize,
    /// Why Xero's list tells nothing.
    pub why: Option<String>,
}

/// Settles what can be settled.
///
/// # Errors
/// The database cannot be used.
pub async fn settle(
    store: &Store,
    config: &Config,
    clock: &dyn Clock,
    xero: &dyn Connections,
    (owner, run): (Uuid, Uuid),
) -> Result<Settled, store::Error> {
    let open = store.open_removals(clock.now()).await?;
    let mut settled = Settled::default();
    if open.is_empty() {
        return Ok(settled);
    }
    let list = match XeroList::read(xero, clock).await {
        Ok(list) => list,
        Err(error) => return Ok(nothing(open.len(), &error)),
    };
    let last = store.list_before().await?;
    if let Some(why) = list.proves_no_absence(last, config.guard.max_change_percent) {
        return Ok(Settled { unknown: open.len(), why: Some(why), ..settled });
    }
    let mut ended = Vec::new();
    for removal in &open {
        let is_on_its_way = removal.intended_at.is_none_or(|at| at + ON_ITS_WAY > list.asked_at);
        match list.get(removal.id) {
            _ if is_on_its_way => settled.unknown += 1,
            [] => {
                settled.removed += 1;
                let text = "Xero's list does not have it any more";
                ended.push(found(removal, RemovalState::Removed, text));
            }
            [entry] if entry.tenant == removal.tenant => {
                settled.not_removed += 1;
                let text = "Xero's list still has it: the call had no effect";
                ended.push(found(removal, RemovalState::Queued, text));
            }
            // Its id stands for something else now: nobody can tell.
            _ => settled.unknown += 1,
        }
    }
    let hands = Hands { owner, run, lease: LEASE };
    store.advance_removals(&ended, &[], hands, None, &|| clock.now()).await?;
    Ok(settled)
}

fn nothing(unknown: usize, error: &ListError) -> Settled {
    Settled { unknown, why: Some(error.to_string()), ..Settled::default() }
}

fn found(removal: &RemovalRecord, state: RemovalState, text: &str) -> Ended {
    Ended {
        removal: removal.removal,
        fence: removal.fence,
        state,
        outcome: Some(text.to_owned()),
        correlation: None,
        due_at: removal.due_at,
        // What a worker left behind that is gone got no answer either.
        is_lost: removal.state == RemovalState::Deleting,
        act: Some(Acted::RemovalSettled),
    }
}
