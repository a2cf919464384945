//! A plan as a document: everything that each removal touches, for whoever signs it off; and
//! its id, which is a hash of what it says, so that the same facts, configuration and
//! templates give the same id, and a changed word another.

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::class::Class;
use crate::domain::confirmation::Facts;
use crate::domain::pseudonym::{is_one, pseudonym};
use crate::report::plan::{BlockedBy, List, RemovalEntry};
use crate::report::progress::Progress;
use crate::store::plans::{PlanEntry, PlanRecord};

/// Changes when the document says other things about the same facts.
const FORMAT: u32 = 1;

/// Connections of the same person that an entry names; an accountant may have hundreds.
pub(super) const OTHERS: usize = 50;

/// One removal with all that it touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    #[serde(flatten)]
    pub removal: RemovalEntry,
    pub tenant_name: Option<String>,
    pub account_id: Option<String>,
    pub class: Class,
    pub holds: Vec<String>,
    pub missing: Vec<String>,
    pub evidence: Vec<Read>,
    /// Everyone responsible: by pseudonym, or by address where somebody asked for that.
    pub people: Vec<String>,
    /// The same person's other connections.
    pub others: Vec<Other>,
    pub others_not_shown: usize,
    pub told: Vec<Told>,
    /// Xero's own dates of the connection.
    pub xero_created_at: Option<DateTime<Utc>>,
    pub xero_updated_at: Option<DateTime<Utc>>,
}

/// A reading of scopes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Read {
    pub source: String,
    pub scopes: String,
}

/// Another connection of the same person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    pub connection_key: String,
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    pub readiness: String,
}

/// Somebody was told of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub recipient: String,
    pub stage: String,
    pub channel: String,
    pub at: DateTime<Utc>,
    /// The removal date that they were told.
    pub promised: Option<DateTime<Utc>>,
}

impl Shown {
    /// The entry with every person named by `name`.
    #[must_use]
    pub fn named(mut self, name: impl Fn(&str) -> String) -> Self {
        for person in &mut self.people {
            *person = name(person);
        }
        for told in &mut self.told {
            told.recipient = name(&told.recipient);
        }
        self
    }

    /// As it is kept: by pseudonym, and people in one order.
    #[must_use]
    pub fn hidden(self, key: &[u8; 32]) -> Self {
        let mut hidden = self.named(|person| match is_one(person) {
            true => person.to_owned(),
            false => pseudonym(key, person),
        });
        hidden.people.sort_unstable();
        hidden
    }
}

/// The id of a plan that says this.
#[must_use]
pub(super) fn plan_id(made_by: &Facts, entries: &[PlanEntry]) -> String {
    let mut digests: Vec<(u128, [u8; 32])> = entries.iter().map(digest).collect();
    digests.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(FORMAT.to_be_bytes());
    let made_by = made_by.text();
    hash.update((made_by.len() as u64).to_be_bytes());
    hash.update(made_by);
    for (key, digest) in digests {
        hash.update(key.to_be_bytes());
        hash.update(digest);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(entry: &PlanEntry) -> (u128, [u8; 32]) {
    let planned = serde_json::to_vec(&entry.planned).unwrap_or_default();
    let hash = Sha256::new()
        .chain_update((planned.len() as u64).to_be_bytes())
        .chain_update(planned)
        .chain_update(entry.not_before.timestamp_micros().to_be_bytes())
        .chain_update(&entry.entry);
    (entry.connection.0.as_u128(), hash.finalize().into())
}

/// What the document of a plan holds beside the lists of every plan document.
pub struct Document<'a> {
    pub plan: &'a PlanRecord,
    pub progress: &'a Progress,
    pub blocked_by: &'a [BlockedBy],
    /// Its removals, in the order in which they are taken in hand.
    pub removals: &'a [Shown],
    pub held_back: &'a mut List,
}

impl Document<'_> {
    /// Writes it on one line.
    ///
    /// # Errors
    /// `out` or a temporary file.
    pub fn write_json(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let PlanRecord { id, configuration, made_at, valid_until, .. } = self.plan;
        let [made_at, valid_until] = [*made_at, *valid_until].map(time);
        write!(out, "{{\"plan_id\":\"{id}\",\"made_at\":\"{made_at}\",")?;
        write!(out, "\"valid_until\":\"{valid_until}\",\"made_by\":{}", configuration.text())?;
        write!(out, ",\"progress\":{}", serde_json::to_string(self.progress)?)?;
        write!(out, ",\"blocked_by\":{}", serde_json::to_string(self.blocked_by)?)?;
        write!(out, ",\"prompts\":[],\"removals\":{}", serde_json::to_string(self.removals)?)?;
        out.write_all(b",\"held_back\":")?;
        self.held_back.write_array(out)?;
        out.write_all(b"}\n")
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A plan's document, as far as it takes to know which plan it is and that nobody changed it.
#[derive(Deserialize)]
struct Written {
    plan_id: String,
    removals: Vec<Shown>,
}

/// The id that a file claims, and the removals that it lists, as they are kept.
///
/// # Errors
/// It is no plan's document.
pub fn read_plan_id(text: &str, key: &[u8; 32]) -> Result<(String, Vec<Shown>), String> {
    let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let removals = written.removals.into_iter().map(|entry| entry.hidden(key)).collect();
    Ok((written.plan_id, removals))
}

/// Whether a file's removals are the ones that the plan has, word for word.
#[must_use]
pub fn is_same(written: &[Shown], kept: &[PlanEntry]) -> bool {
    let written: BTreeSet<String> =
        written.iter().filter_map(|shown| serde_json::to_string(shown).ok()).collect();
    let kept: BTreeSet<String> = kept.iter().map(|entry| entry.entry.clone()).collect();
    written == kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::grant::{ConnectionKey, GrantId};
    use crate::domain::ids::{ConnectionId, TenantId};
    use crate::domain::removal::Planned;
    use uuid::Uuid;

    fn entry(number: u128, text: &str) -> PlanEntry {
        PlanEntry {
            connection: ConnectionKey(Uuid::from_u128(number)),
            not_before: DateTime::<Utc>::UNIX_EPOCH,
            planned: Planned {
                connection_id: ConnectionId(Uuid::from_u128(number)),
                tenant_id: TenantId(Uuid::from_u128(number)),
                grant: GrantId(Uuid::from_u128(number)),
                class: Class::BroadOnly,
                scopes: String::new(),
                required: String::new(),
                people: Vec::new(),
                xero_created_at: None,
                xero_updated_at: None,
            },
            entry: text.to_owned(),
        }
    }

    #[test]
    fn the_same_plan_has_the_same_id_whatever_the_order_and_another_word_another() {
        let facts = Facts::of([("a", Some("1".to_owned()))]);
        let id = plan_id(&facts, &[entry(1, "x"), entry(2, "y")]);
        assert_eq!(plan_id(&facts, &[entry(2, "y"), entry(1, "x")]), id);
        assert_eq!(id.len(), 64);
        for other in [
            plan_id(&facts, &[entry(1, "x"), entry(2, "z")]),
            plan_id(&facts, &[entry(1, "y"), entry(2, "x")]),
            plan_id(&facts, &[entry(1, "x")]),
            plan_id(&Facts::default(), &[entry(1, "x"), entry(2, "y")]),
        ] {
            assert_ne!(other, id);
        }
    }
}
