//! The record of every decision with effect, every effect and every human act. Each entry's
//! hash covers the one before it, so that whoever changes, drops or reorders one has to change
//! all that follow, and the hash that was logged meanwhile tells (docs/audit.md).

mod check;
mod kind;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::pseudonym::{masked, pseudonym};

pub use check::{Check, Fault, Found};
pub use kind::Kind;

/// Something to be recorded. People are named by recipient here, and by pseudonym from
/// [`Head::follow`] on; addresses in any other text are masked there too.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    at: DateTime<Utc>,
    run: Option<Uuid>,
    kind: Kind,
    subject: Option<String>,
    recipient: Option<String>,
    by: Option<String>,
    detail: Map<String, Value>,
}

impl Act {
    #[must_use]
    pub fn new(kind: Kind, at: DateTime<Utc>) -> Self {
        let (run, subject, recipient, by) = (None, None, None, None);
        Self { at, run, kind, subject, recipient, by, detail: Map::new() }
    }

    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The run that does it.
    #[must_use]
    pub fn run(mut self, run: Uuid) -> Self {
        self.run = Some(run);
        self
    }

    /// What it is about: the id of a prompt, connection, tenant, grant, plan, scan, or what
    /// else has a name. Never a person.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// The person whom it concerns, by the key of the recipient.
    #[must_use]
    pub fn person(mut self, recipient: &str) -> Self {
        self.recipient = Some(recipient.to_owned());
        self
    }

    /// What or whom it is about, by what a person typed: an id, an account or an address.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        if id.contains('@') { self.person(id) } else { self.about(id) }
    }

    /// Who decided it, in their own words.
    #[must_use]
    pub fn by(mut self, name: &str) -> Self {
        self.by = Some(name.to_owned());
        self
    }

    /// What else is worth knowing years later.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hexadecimal digits")]
pub struct NoHash;

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoHash);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NoHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoHash)?;
        }
        Ok(Self(bytes))
    }
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1 on, without a gap.
    pub number: i64,
    pub at: DateTime<Utc>,
    pub run: Option<Uuid>,
    /// A [`Kind`]'s word, or one of a newer worker's.
    pub kind: String,
    pub subject: Option<String>,
    /// A pseudonym.
    pub person: Option<String>,
    pub by: Option<String>,
    /// JSON, to the byte as it was hashed.
    pub detail: String,
    pub hash: String,
}

impl Entry {
    /// The hash that an entry with this content has after another.
    #[must_use]
    pub fn hash_after(&self, before: Hash) -> Hash {
        let at = self.at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let run = self.run.map(|run| run.to_string());
        let Self { number, kind, subject, person, by, detail, .. } = self;
        let fields = (number, at, run, kind, subject, person, by, detail);
        let canonical = serde_json::to_vec(&fields).unwrap_or_default();
        Hash(Sha256::new().chain_update(before.0).chain_update(canonical).finalize().into())
    }
}

/// Where the record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub number: i64,
    pub hash: Hash,
}

impl Head {
    /// Before the first entry.
    pub const NONE: Self = Self { number: 0, hash: Hash([0; 32]) };

    /// The entry that records an act here, which is the head from now on. `key` makes the
    /// pseudonyms; without it nobody is named.
    pub fn follow(&mut self, act: &Act, key: Option<&[u8; 32]>) -> Entry {
        let recipient = act.recipient.as_deref();
        let detail = act.detail.iter().map(|(name, value)| (name.clone(), without(value, key)));
        let mut entry = Entry {
            number: self.number + 1,
            at: act.at,
            run: act.run,
            kind: act.kind.as_str().to_owned(),
            subject: act.subject.as_deref().map(|subject| text(subject, key)),
            person: recipient.zip(key).map(|(recipient, key)| named(recipient, key)),
            by: act.by.as_deref().map(|name| text(name, key)),
            detail: Value::Object(detail.collect()).to_string(),
            hash: String::new(),
        };
        self.number = entry.number;
        self.hash = entry.hash_after(self.hash);
        entry.hash = self.hash.to_string();
        entry
    }
}

/// Who has been forgotten has no other name any more.
fn named(recipient: &str, key: &[u8; 32]) -> String {
    match super::pseudonym::is_one(recipient) {
        true => recipient.to_owned(),
        false => pseudonym(key, recipient),
    }
}

/// Without addresses, and without the one character that PostgreSQL cannot keep.
fn text(text: &str, key: Option<&[u8; 32]>) -> String {
    masked(text, key).replace('\0', "")
}

fn without(value: &Value, key: Option<&[u8; 32]>) -> Value {
    match value {
        Value::String(words) => Value::String(text(words, key)),
        Value::Array(values) => values.iter().map(|value| without(value, key)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without(value, key))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
