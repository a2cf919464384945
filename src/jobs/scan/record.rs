//! What passes through the sorters: rows and marks by connection, then events by grant.
//! Written and read by the same process within one scan, so the form is free to change.

use std::io;

use serde::{Deserialize, Serialize};

use crate::domain::connection::Facts;
use crate::domain::row::Person;
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

/// What the reading found about one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Sighting {
    Row(Box<Draft>),
    /// A bad row names this connection.
    Bad,
    /// A bad row may be this connection's: it names the tenant only.
    PerhapsBad,
    /// A row that it had before was not seen again.
    Unseen,
}

/// What happens to one connection of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    /// New or changed rows; seen unchanged ones stay beside them.
    Put { rows: Vec<Draft>, moved: bool, held: bool },
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
