//! A batch while it is being filled. The readers write bytes; what leaves here is text:
//! NUL bytes and broken UTF-8 are looked for once per batch, and row by row only when
//! there are any.

use super::bad::{BadReason, Place};
use super::columns::Column;
use super::raw::{Batch, Entry, Flaw, Span, Spans, digest};

/// A batch is complete at this many bytes, or
const TARGET_BYTES: usize = 256 * 1024;
/// at this many rows.
const TARGET_ROWS: usize = 1024;

/// Longest text in which a flawed row's id is still looked for.
const MAX_ID: usize = 64;

/// Bytes and the rows in them. Bytes from `used` on are free to write to.
#[derive(Debug, Default)]
pub(super) struct Filling {
    bytes: Vec<u8>,
    used: usize,
    entries: Vec<Entry>,
}

impl Filling {
    /// Takes a batch's memory over, unless an exceptional record made it large.
    pub(super) fn reuse(batch: Batch) -> Self {
        let Batch { text, mut entries, .. } = batch;
        entries.clear();
        let bytes = if text.capacity() > 2 * TARGET_BYTES { Vec::new() } else { text.into_bytes() };
        Self { bytes, used: 0, entries }
    }

    pub(super) fn is_full(&self) -> bool {
        self.used >= TARGET_BYTES || self.entries.len() >= TARGET_ROWS
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// At least `room` free bytes from `start` on, which is not below what is used.
    pub(super) fn space(&mut self, start: usize, room: usize) -> &mut [u8] {
        if self.bytes.len() < start + room {
            self.bytes.resize((start + room).max(TARGET_BYTES + room), 0);
        }
        &mut self.bytes[start..]
    }

    pub(super) fn written(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[from..to]
    }

    /// Takes the bytes before `end` as used.
    pub(super) fn keep(&mut self, end: usize) {
        self.used = end;
    }

    /// Appends a field's bytes.
    pub(super) fn put(&mut self, field: &[u8]) -> Span {
        let start = self.used;
        self.space(start, field.len())[..field.len()].copy_from_slice(field);
        self.used += field.len();
        Span::new(start, self.used)
    }

    pub(super) fn push(&mut self, place: Place, spans: Spans, flaw: Option<Flaw>) {
        self.entries.push(Entry { place, spans, flaw });
    }

    /// Drops all that was written from `start` on but the ids among `spans`: what a record
    /// of any length leaves behind.
    pub(super) fn keep_ids(&mut self, start: usize, spans: &Spans) -> Spans {
        let ids: Vec<(Column, Vec<u8>)> = Column::ALL
            .into_iter()
            .filter(|column| column.is_id())
            .map(|column| (column, self.bytes[spans[column.index()].range()].to_vec()))
            .filter(|(_, id)| (1..=MAX_ID).contains(&id.len()))
            .collect();
        self.used = start;
        let mut kept = Spans::default();
        for (column, id) in ids {
            kept[column.index()] = self.put(&id);
        }
        kept
    }

    /// The complete batch.
    pub(super) fn seal(mut self, read: u64) -> Batch {
        self.bytes.truncate(self.used);
        if memchr::memchr(0, &self.bytes).is_some() {
            self.flag(BadReason::NulByte, |bytes, span| {
                memchr::memchr(0, &bytes[span.range()]).is_none()
            });
        }
        let text = match String::from_utf8(self.bytes) {
            Ok(text) => {
                // Two halves of a character in neighbouring fields are sound together only.
                let is_ascii = text.is_ascii();
                self.bytes = Vec::new();
                if !is_ascii {
                    self.flag_in(text.as_bytes(), BadReason::BrokenUtf8, |_, span| {
                        let range = span.range();
                        text.is_char_boundary(range.start) && text.is_char_boundary(range.end)
                    });
                }
                text
            }
            Err(broken) => {
                self.bytes = broken.into_bytes();
                self.flag(BadReason::BrokenUtf8, |bytes, span| {
                    std::str::from_utf8(&bytes[span.range()]).is_ok()
                });
                patched(self.bytes)
            }
        };
        Batch { text, entries: self.entries, read }
    }

    fn flag(&mut self, reason: BadReason, sound: impl Fn(&[u8], Span) -> bool) {
        let bytes = std::mem::take(&mut self.bytes);
        self.flag_in(&bytes, reason, sound);
        self.bytes = bytes;
    }

    /// Marks the rows with a field that is not sound, and takes such fields away.
    fn flag_in(&mut self, bytes: &[u8], reason: BadReason, sound: impl Fn(&[u8], Span) -> bool) {
        for entry in &mut self.entries {
            let is_broken = |column: &Column| !sound(bytes, entry.spans[column.index()]);
            let broken: Vec<Column> = Column::ALL.into_iter().filter(is_broken).collect();
            let Some(first) = broken.first() else { continue };
            if entry.flaw.is_none() {
                let digest = digest(entry.spans.iter().map(|span| &bytes[span.range()]));
                entry.flaw = Some(Flaw { column: Some(*first), reason: reason.clone(), digest });
            }
            for column in broken {
                entry.spans[column.index()] = Span::default();
            }
        }
    }
}

/// The same bytes with `?` for what is no UTF-8; no field refers to these any more.
fn patched(mut bytes: Vec<u8>) -> String {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let start = from + error.valid_up_to();
        let end = error.error_len().map_or(bytes.len(), |len| start + len);
        bytes[start..end].fill(b'?');
        from = end;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
