//! Takes in what hosts see of Xero's answers: whose grant lacks a scope that a call needed.

use chrono::{DateTime, Utc};

use crate::domain::diagnosis::{Diagnosis, Meaning, Observation};
use crate::store::{self, ScopeSets, Store};

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its grant is more urgent from now on.
    Recorded,
    /// Seen before, or no sign of a missing scope.
    OfNoConsequence,
    /// None of its ids is known here, or they are several people's.
    NobodyKnown,
}

/// Remembers that a grant lacks a scope. It makes no class: evidence does.
///
/// # Errors
/// The database cannot be used.
pub async fn take_in(
    store: &Store,
    sets: &ScopeSets,
    seen: &Observation,
    diagnosis: &Diagnosis,
    now: DateTime<Utc>,
) -> Result<Taken, store::Error> {
    if diagnosis.meaning != Meaning::MissingScope {
        return Ok(Taken::OfNoConsequence);
    }
    for id in seen.ids.iter().filter_map(|id| id.parse().ok()) {
        let found = store.find_by_uuid(id, sets).await?;
        let Some(first) = found.first().map(|connection| connection.facts.grant) else { continue };
        // A tenant that several people connected does not tell whose token it was.
        if found.iter().any(|connection| connection.facts.grant != first) {
            continue;
        }
        let needs = diagnosis.needs_one_of.join(" ");
        let at = seen.at.unwrap_or(now);
        return Ok(match store.note_signal(first, at, &needs).await? {
            true => Taken::Recorded,
            false => Taken::OfNoConsequence,
        });
    }
    Ok(Taken::NobodyKnown)
}
