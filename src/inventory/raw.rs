//! Rows as they come: views into one buffer per batch, cheap enough to be made for every
//! row of a million. Whether a row needs a closer look is told by its fingerprint.

use std::hash::Hasher;
use std::ops::Range;

use siphasher::sip::SipHasher13;

use super::bad::{BadReason, Place};
use super::columns::Column;

/// Where a field stands in its batch; of no length when it is not given. A batch has 21 of
/// them per row and stays far below 4 GiB, so they are small.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: (end - start) as u32 }
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The same field where its text stands so much farther on.
    pub(super) fn moved(self, by: usize) -> Self {
        if self.is_empty() { self } else { Self { start: self.start + by as u32, ..self } }
    }

    pub(super) fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

pub(super) type Spans = [Span; Column::COUNT];

/// What the reader already found wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub column: Option<Column>,
    pub reason: BadReason,
    /// Of the record's content, as far as it was read: the same for the same content.
    pub digest: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) spans: Spans,
    pub(super) flaw: Option<Flaw>,
}

/// Some rows that follow one another in the source.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) text: String,
    pub(super) entries: Vec<Entry>,
    /// Bytes or rows read when the batch was complete.
    pub(super) read: u64,
}

impl Batch {
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = RawRow<'_>> {
        self.entries.iter().map(|entry| RawRow { entry, text: &self.text })
    }
}

/// One row, not parsed yet.
#[derive(Clone, Copy, Debug)]
pub struct RawRow<'a> {
    pub(super) entry: &'a Entry,
    pub(super) text: &'a str,
}

impl<'a> RawRow<'a> {
    #[must_use]
    pub fn place(&self) -> Place {
        self.entry.place
    }

    /// Why the row is bad whatever its fields say. Some of its fields may still be there.
    #[must_use]
    pub fn flaw(&self) -> Option<&'a Flaw> {
        self.entry.flaw.as_ref()
    }

    /// A field without surrounding white space; `None` when it is empty, NULL or not there.
    #[must_use]
    pub fn get(&self, column: Column) -> Option<&'a str> {
        let span = self.entry.spans[column.index()];
        if span.is_empty() {
            return None;
        }
        let field = self.text.get(span.range())?.trim();
        (!field.is_empty()).then_some(field)
    }

    /// Changes exactly when a field that is given does, comes or goes, for all that is not
    /// a hash collision. Keyed, so that nobody can tell a row from its fingerprint; `salt`
    /// is whatever else the outcome of parsing depends on.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey, salt: u64) -> u64 {
        let mut hash = SipHasher13::new_with_key(&key.0);
        hash.write_u64(salt);
        for (index, column) in (0u64..).zip(Column::ALL) {
            if let Some(field) = self.get(column) {
                // Column and length make the sequence of fields unambiguous.
                hash.write_u64(index << 32 | field.len() as u64);
                hash.write(field.as_bytes());
            }
        }
        if let Some(flaw) = &self.entry.flaw {
            hash.write(flaw.reason.code().as_bytes());
            hash.write_u64(flaw.digest);
        }
        hash.finish()
    }
}

/// A secret of the database that stores the fingerprints.
#[derive(Clone, Copy)]
pub struct FingerprintKey(pub [u8; 16]);

/// A digest of content that is only compared with others of its kind.
pub(super) fn digest(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> u64 {
    let mut hash = SipHasher13::new();
    for part in parts {
        hash.write(part.as_ref());
    }
    hash.finish()
}
