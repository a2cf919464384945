//! Xero's own list, read for a second look: what exists, as it was at one moment.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::domain::ids::ConnectionId;
use crate::domain::reconciling::{LastList, objection};
use crate::domain::removal::Listed;
use crate::xero::connections::{self, Connections, Listing};
use crate::xero::error::Error;

/// Xero's clock and ours may be this far apart; beyond, nobody knows what "within the
/// minute" or "before the deadline" means.
pub(super) const APART: TimeDelta = TimeDelta::minutes(2);

/// A reading of the list.
#[derive(Debug)]
pub struct XeroList {
    /// When the request left: what is removed later can still be in it.
    pub asked_at: DateTime<Utc>,
    entries: HashMap<ConnectionId, Vec<connections::Listed>>,
    incomplete: Option<String>,
}

/// Why there is no list to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Xero(#[from] Error),
    #[error("this machine's clock says {ours}, and Xero's says {theirs}")]
    Clock { ours: DateTime<Utc>, theirs: DateTime<Utc> },
}

impl XeroList {
    /// # Errors
    /// Xero does not answer, or its clock is minutes away from ours.
    pub async fn read(xero: &dyn Connections, clock: &dyn Clock) -> Result<Self, ListError> {
        let Listing { connections, incomplete, asked_at, server_time } = xero.list().await?;
        let ours = clock.now();
        if let Some(theirs) = server_time {
            // It said so somewhere between the request and now.
            let is_apart = theirs < asked_at - APART || theirs > ours + APART;
            if is_apart {
                return Err(ListError::Clock { ours, theirs });
            }
        }
        let mut entries: HashMap<ConnectionId, Vec<connections::Listed>> = HashMap::new();
        for listed in connections {
            entries.entry(listed.id).or_default().push(listed);
        }
        Ok(Self { asked_at, entries, incomplete })
    }

    #[must_use]
    pub fn has(&self, id: ConnectionId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Every entry with an id: one, if all is well.
    #[must_use]
    pub fn get(&self, id: ConnectionId) -> &[connections::Listed] {
        self.entries.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Why what it lacks may exist all the same. An empty list is no proof of anything: a
    /// token whose user has no connection gets one too. `last` is the last good list, of which
    /// `most` percent may have gone since.
    #[must_use]
    pub fn proves_no_absence(&self, last: Option<LastList>, most: f64) -> Option<String> {
        let incomplete = self.incomplete.as_deref();
        let objection = objection(self.entries.len() as u64, incomplete, last, most);
        objection.map(|reason| reason.text)
    }
}

/// An entry as a removal depends on it.
pub(super) fn listed(entry: &connections::Listed) -> Listed {
    Listed { id: entry.id, created_at: entry.created_at, updated_at: entry.updated_at }
}
