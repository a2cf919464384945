//! The records of a CSV file, one by one: where each begins, and that none of them takes
//! more memory than [`MAX_RECORD`].

use std::hash::Hasher;

use csv_core::ReadRecordResult;
use siphasher::sip::SipHasher13;

use super::MAX_RECORD;
use super::columns::Column;
use super::error::Error;
use super::file::{CHUNK, Input};
use super::filling::Filling;
use super::raw::{Span, Spans};

/// Free places for the ends of fields that the parser always finds.
const ENDS: usize = 64;

/// A record whose fields stand in free space from `start` on, or one that was too long.
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) fields: usize,
    pub(super) too_long: Option<TooLong>,
}

/// What is left of a record that was too long.
pub(super) struct TooLong {
    pub(super) digest: u64,
    /// The ids that were complete before its size was known.
    pub(super) ids: Spans,
}

pub(super) struct Records {
    pub(super) input: Input,
    parser: csv_core::Reader,
    /// The line of the next byte.
    line: u64,
    /// The last byte was a carriage return: it ends a line unless a line feed follows.
    after_return: bool,
    /// Where the fields of the current record end, relative to its start. Fields beyond
    /// `wanted` share the places after it.
    ends: Vec<usize>,
    wanted: usize,
}

impl Records {
    pub(super) fn new(input: Input) -> Self {
        let parser = csv_core::Reader::new();
        Self { input, parser, line: 1, after_return: false, ends: Vec::new(), wanted: usize::MAX }
    }

    /// The names in the first record. Later records are expected to be as wide.
    pub(super) fn header(&mut self) -> Result<Vec<String>, Error> {
        let mut filling = Filling::default();
        let remedy = "the first line must hold the names of the columns";
        let Some(record) = self.next(&mut filling, &[])? else {
            return Err(Error::unreadable(self.input.place(), "it has no header", remedy));
        };
        if record.too_long.is_some() {
            let reason = "its first line is longer than 1 MiB";
            return Err(Error::unreadable(self.input.place(), reason, remedy));
        }
        let mut names = Vec::with_capacity(record.fields);
        let mut from = record.start;
        for end in &self.ends[..record.fields] {
            let name = filling.written(from, record.start + end);
            names.push(String::from_utf8_lossy(name).into_owned());
            from = record.start + end;
        }
        self.wanted = record.fields;
        Ok(names)
    }

    /// The fields of the layout that are complete in a record that begins at `start`.
    pub(super) fn spans(
        &self,
        filling: &Filling,
        start: usize,
        fields: usize,
        layout: &[(Column, usize)],
    ) -> Spans {
        let ends = &self.ends[..fields.min(self.wanted)];
        let mut spans = Spans::default();
        for &(column, at) in layout {
            let Some(end) = ends.get(at) else { break };
            let from = if at == 0 { 0 } else { ends[at - 1] };
            let (from, end) = (start + from, start + end);
            // What PostgreSQL and MySQL write for NULL where empty means an empty text.
            if !matches!(filling.written(from, end), b"NULL" | b"\\N") {
                spans[column.index()] = Span::new(from, end);
            }
        }
        spans
    }

    pub(super) fn next(
        &mut self,
        filling: &mut Filling,
        layout: &[(Column, usize)],
    ) -> Result<Option<Record>, Error> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let start = filling.used();
        let mut record = Record { line: self.line, start, len: 0, fields: 0, too_long: None };
        let mut size = 0; // in the file
        let mut excess: Option<(SipHasher13, Spans)> = None;
        let mut open_line = self.line; // of the field that has not ended
        loop {
            let place = if excess.is_some() { filling.used() } else { start + record.len };
            let at = record.fields.min(self.wanted);
            if self.ends.len() < at + ENDS {
                self.ends.resize(2 * (at + ENDS), 0);
            }
            let chunk = self.input.chunk()?;
            let at_end = chunk.is_empty();
            // A line end too many ends the last record, unless a quote is open.
            let chunk = if at_end { b"\n" } else { chunk };
            let (result, read, wrote, ended) =
                self.parser.read_record(chunk, filling.space(place, CHUNK), &mut self.ends[at..]);
            let is_whole = matches!(result, ReadRecordResult::Record);
            if at_end && !is_whole {
                let reason = format!("it ends within quotes that open on line {open_line}");
                let remedy = "the file is cut off or has a stray quote there; export it again";
                return Err(Error::unreadable(self.input.place(), reason, remedy));
            }
            if ended > 0 && !is_whole {
                let written = self.ends[at + ended - 1] - record.len;
                let lines = count_lines(filling.written(place, place + written));
                open_line = self.line + lines;
            }
            record.len += wrote;
            record.fields += ended;
            if !at_end {
                self.line += count_lines(&chunk[..read]);
                self.after_return = is_whole && chunk[..read].ends_with(b"\r");
                size += read - usize::from(is_whole);
                self.input.consume(read);
            }
            if let Some((hash, _)) = &mut excess {
                hash.write(filling.written(place, place + wrote));
            } else if size > MAX_RECORD {
                let spans = self.spans(filling, start, record.fields, layout);
                let mut hash = SipHasher13::new();
                hash.write(filling.written(start, start + record.len));
                excess = Some((hash, filling.keep_ids(start, &spans)));
            }
            if is_whole {
                record.too_long = excess.map(|(hash, ids)| TooLong { digest: hash.finish(), ids });
                return Ok(Some(record));
            }
        }
    }

    /// Skips the ends of lines; false at the end of the file.
    fn skip_line_ends(&mut self) -> Result<bool, Error> {
        loop {
            let chunk = self.input.chunk()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let mut skipped = 0;
            let mut is_text = false;
            for byte in chunk {
                if *byte == b'\n' || self.after_return {
                    self.line += 1;
                }
                self.after_return = *byte == b'\r';
                if !matches!(byte, b'\n' | b'\r') {
                    is_text = true;
                    break;
                }
                skipped += 1;
            }
            self.input.consume(skipped);
            if is_text {
                return Ok(true);
            }
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
