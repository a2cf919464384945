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
    pub wave: i64,
    pub grant: u128,
    /// Mails that the recipient has had today.
    pub mails: u64,
    pub channel: String,
    pub recipient: String,
    pub connection: Shown,
    pub missing: ScopeSet,
    pub last_used: Option<i64>,
    /// A call of this grant's was refused for want of a scope.
    pub signalled: bool,
}

/// A connection that a prompt shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shown {
    pub key: u128,
    /// The key is Xero's id.
    pub is_id: bool,
}

/// One prompt with all the connections that it is about, and their grants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// The place in the order of all stages ([`Rules::place`](crate::domain::decide::Rules)).
    pub stage: usize,
    /// Which of the messages of a stage that goes out as often as there are removals.
    pub wave: i64,
    pub channel: String,
    pub recipient: String,
    pub(super) connections: Vec<Shown>,
    pub missing: ScopeSet,
    pub grants: Vec<u128>,
    pub(super) mails: u64,
}

impl Work {
    /// The keys of its connections, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<Uuid> {
        let mut keys: Vec<Uuid> =
            self.connections.iter().map(|shown| Uuid::from_u128(shown.key)).collect();
        keys.sort_unstable();
        keys
    }
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
