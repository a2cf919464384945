//! What passes through the sorters while planning. Written and read within one run.

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::decide::{Action, HeldBack};
use crate::domain::reason::Code;
use crate::domain::scopes::ScopeSet;
use crate::jobs::sorter::Sorter;
use crate::report::plan::RemovalEntry;

#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    pub stage: usize,
    pub channel: String,
    pub recipient: String,
    pub connection: Shown,
    pub missing: ScopeSet,
    pub last_used: Option<i64>,
}

/// A connection that a prompt shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shown {
    pub key: u128,
    /// The key is Xero's id.
    pub is_id: bool,
}

/// One prompt with all the connections that it would show.
#[derive(Serialize, Deserialize)]
pub(super) struct Prompt {
    pub stage: usize,
    pub channel: String,
    pub recipient: String,
    pub connections: Vec<Shown>,
    pub missing: ScopeSet,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Removal {
    pub connection: Uuid,
    pub entry: RemovalEntry,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Held {
    pub is_removal: bool,
    /// Xero's id; only those who have one know it.
    pub id: Option<Uuid>,
    /// Positions in [`Code::ALL`].
    pub reasons: Vec<(usize, String)>,
}

pub(super) fn encode<T: Serialize>(record: &T, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    postcard::to_io(record, buffer).map_err(io::Error::other)?;
    Ok(())
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(io::Error::other)
}

pub(super) fn hold(
    sorter: &mut Sorter,
    buffer: &mut Vec<u8>,
    held: HeldBack,
    id: Option<Uuid>,
) -> io::Result<()> {
    let position = |code: Code| Code::ALL.iter().position(|known| *known == code);
    let reasons = held
        .reasons
        .into_iter()
        .filter_map(|reason| Some((position(reason.code)?, reason.text)))
        .collect();
    let record = Held { is_removal: held.action == Action::Remove, id, reasons };
    encode(&record, buffer)?;
    sorter.push(held.connection.0.as_u128(), buffer)
}
