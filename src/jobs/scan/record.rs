//! What passes through the sorters: rows and marks by connection, then events by grant.
//! Written and read by the same process within one scan, so the form is free to change.

use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::connection::Facts;
use crate::domain::evidence::Evidence;
use crate::domain::grant::{GrantId, Member};
use crate::domain::ids::TenantId;
use crate::domain::row::{Doubt, Person};
use crate::domain::scopes::ScopeSet;
use crate::inventory::Place;

use super::known::Print;

/// A row that is new or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Draft {
    pub print: u64,
    line: bool,
    at: u64,
    pub facts: Facts,
    pub person: Person,
}

impl Draft {
    pub(super) fn new(print: Print, place: Place, facts: Facts, person: Person) -> Self {
        let (line, at) = match place {
            Place::Line(at) => (true, at),
            Place::Row(at) => (false, at),
        };
        Self { print: print.0, line, at, facts, person }
    }

    pub(super) fn place(&self) -> Place {
        if self.line { Place::Line(self.at) } else { Place::Row(self.at) }
    }
}

/// A [`Draft`] as it was written: most of them pass from sorter to sorter unread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packed<'a>(pub &'a [u8]);

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Packed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

impl Packed<'_> {
    pub(super) fn draft(self) -> io::Result<Draft> {
        read(self.0)
    }
}

/// What of a row decides about its grant, beside the row: enough to judge without reading it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub grant: GrantId,
    pub tenant: TenantId,
    evidence: Vec<Evidence>,
    doubt: Option<Doubt>,
    required: Option<ScopeSet>,
}

impl Claim {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            grant: facts.grant,
            tenant: facts.tenant,
            evidence: facts.evidence.clone(),
            doubt: facts.doubt,
            required: facts.required,
        }
    }

    pub(super) fn member(&self) -> Member<'_> {
        Member { evidence: &self.evidence, doubt: self.doubt, required: self.required }
    }
}

/// What the reading found about one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Sighting<'a> {
    Row {
        claim: Claim,
        #[serde(borrow)]
        row: Packed<'a>,
    },
    /// A bad row names this connection.
    Bad,
    /// A bad row may be this connection's: it names the tenant only.
    PerhapsBad,
    /// A row that it had before was not seen again.
    Unseen,
}

/// What happens to one connection of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event<'a> {
    /// New or changed rows; seen unchanged ones stay beside them. They claim all the same.
    Put {
        claim: Claim,
        #[serde(borrow)]
        rows: Vec<Packed<'a>>,
        moved: bool,
        held: bool,
    },
    /// Some of its rows are gone, others were seen unchanged.
    Trim,
    /// Missing from the whole inventory.
    Gone,
    /// Its row is bad, or may be.
    Hold,
    /// It belongs to another grant now.
    Left,
    /// The campaign's scopes changed: judge the grant again.
    Judge,
}

fn broken(error: postcard::Error) -> io::Error {
    io::Error::other(error)
}

/// Writes a record over `into`.
pub(super) fn write<T: Serialize>(record: &T, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    postcard::to_io(record, into).map_err(broken)?;
    Ok(())
}

pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(broken)
}
