//! CSV with a header, as RFC 4180 has it and as exports really are. The parser writes each
//! record's fields straight into the batch.

use super::bad::{BadReason, Place};
use super::columns::{Column, Columns};
use super::error::Error;
use super::feed::{Feed, Halt, Message};
use super::file::{Encoding, Input, UTF16};
use super::filling::Filling;
use super::raw::{Flaw, digest};
use super::records::{Record, Records};

/// Reads all of `input` into `feed`.
pub(super) fn read(mut input: Input, columns: &Columns, feed: &mut Feed) -> Result<(), Halt> {
    let encoding = input.begin()?;
    let mut records = Records::new(input);
    let header = match encoding {
        Encoding::Utf8 => records.header()?,
        Encoding::Utf16 => Vec::new(),
    };
    let layout = columns.locate(&header).map_err(|misfit| {
        let hint = hint(encoding, &header);
        Error::misfit(records.input.place(), columns, &header, misfit, hint)
    })?;
    feed.send_blocking(Message::Open { total: records.input.total() })?;
    let mut filling = feed.filling();
    while let Some(record) = records.next(&mut filling, &layout)? {
        push(&mut filling, &records, record, &layout, header.len());
        if filling.is_full() {
            feed.send_blocking(Message::Batch(filling.seal(records.input.read())))?;
            filling = feed.filling();
        }
    }
    records.input.finish()?;
    feed.send_blocking(Message::Batch(filling.seal(records.input.read())))
}

fn hint(encoding: Encoding, header: &[String]) -> Option<&'static str> {
    match (encoding, header) {
        (Encoding::Utf16, _) => Some(UTF16),
        (Encoding::Utf8, [only]) if only.contains([';', '\t', '|']) => {
            Some("its fields must be separated by commas")
        }
        (Encoding::Utf8, _) => None,
    }
}

/// Takes over what the parser wrote.
fn push(
    filling: &mut Filling,
    records: &Records,
    record: Record,
    layout: &[(Column, usize)],
    expected: usize,
) {
    let place = Place::Line(record.line);
    if let Some(rest) = record.too_long {
        let flaw = Flaw { column: None, reason: BadReason::TooLong, digest: rest.digest };
        return filling.push(place, rest.ids, Some(flaw));
    }
    let end = record.start + record.len;
    let spans = records.spans(filling, record.start, record.fields, layout);
    if record.fields == expected {
        filling.keep(end);
        return filling.push(place, spans, None);
    }
    let content = filling.written(record.start, end);
    if record.fields == 1 && content.iter().all(u8::is_ascii_whitespace) {
        return; // A line of spaces.
    }
    let digest = digest([content]);
    let reason = BadReason::FieldCount { found: record.fields, expected };
    let ids = filling.keep_ids(record.start, &spans);
    filling.push(place, ids, Some(Flaw { column: None, reason, digest }));
}
