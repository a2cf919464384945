//! What a scan changes about connections that were there before: counted for the guard, and
//! noted for each connection's story.

use crate::domain::connection::{Connection, Presence};
use crate::store::writer::Change;

use super::guard::weigh;

/// What the guard looks at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turned {
    pub changed: u64,
    pub newly_gone: u64,
    /// The same changes in any order give the same sum.
    pub sum: u128,
}

impl Turned {
    pub(super) fn note(&mut self, before: &Connection, after: &Connection) {
        if !before.presence.counts() {
            return;
        }
        let key = after.key.to_string();
        if after.presence == Presence::Gone {
            self.newly_gone += 1;
            self.sum = self.sum.wrapping_add(weigh(&[&key, "gone"]));
        } else if before.standing.class != after.standing.class {
            self.changed += 1;
            let (from, to) = (before.standing.class.as_str(), after.standing.class.as_str());
            self.sum = self.sum.wrapping_add(weigh(&[&key, from, to]));
        }
    }
}

/// What of a change belongs into the connection's story.
pub(super) fn changes(before: &Connection, after: &Connection) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |what, from: &str, to: &str| {
        if from != to {
            changes.push(Change {
                key: after.key,
                what,
                before: Some(from.to_owned()),
                after: Some(to.to_owned()),
            });
        }
    };
    note("presence", before.presence.as_str(), after.presence.as_str());
    note("class", before.standing.class.as_str(), after.standing.class.as_str());
    note("readiness", before.standing.readiness.as_str(), after.standing.readiness.as_str());
    note("grant", &before.facts.grant.to_string(), &after.facts.grant.to_string());
    changes
}
