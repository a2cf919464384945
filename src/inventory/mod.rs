//! Reading the stored connections wherever a company keeps them: a file or a database.
//! A source becomes batches of raw rows ([`Reader`]), and a raw row becomes a domain row
//! ([`parse`]). Memory does not grow with the source, nothing is ever written to it, and a
//! source that ends before its end is an error (docs/inventory.md).

mod bad;
mod columns;
mod csv;
mod error;
mod feed;
mod file;
mod filling;
mod jsonl;
pub mod memo;
mod memory;
mod raw;
mod reader;
mod records;
mod response;
mod row;
#[cfg(test)]
mod row_tests;
mod sql;
mod token;

pub use bad::{BadReason, BadRow, Place};
pub use columns::{Column, Columns, UnknownColumn};
pub use error::{Error, ErrorKind};
pub use memo::ScopeMemo;
pub use memory::KeptRow;
pub use raw::{Batch, FingerprintKey, Flaw, RawRow};
pub use reader::{Progress, Reader, Selection, Source};
pub use row::{Rules, parse};

/// Longest record in bytes, without its line end; a longer one is a bad row.
pub const MAX_RECORD: usize = 1024 * 1024;
