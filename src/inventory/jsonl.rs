//! JSON Lines: one object a line. Values of every kind are taken as text: a string is its
//! content, everything else its JSON.

use std::fmt;
use std::hash::Hasher;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use siphasher::sip::SipHasher13;

use super::MAX_RECORD;
use super::bad::{BadReason, Place};
use super::columns::{Column, Columns, Fit, Fits, Misfit};
use super::error::Error;
use super::feed::{Feed, Halt, Message};
use super::file::{Encoding, Input, UTF16};
use super::filling::Filling;
use super::raw::{Flaw, Span, Spans, digest};

/// Reads all of `input` into `feed`.
pub(super) fn read(mut input: Input, columns: &Columns, feed: &mut Feed) -> Result<(), Halt> {
    if input.begin()? == Encoding::Utf16 {
        return Err(no_tenants(&input, columns, &[], Some(UTF16)).into());
    }
    let mut lines = Lines { columns, filling: feed.filling(), line: 0, first: None, tenants: 0 };
    let mut long = LongLine::default();
    let mut is_open = false;
    loop {
        let chunk = input.chunk()?;
        if chunk.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        match end {
            // The common case: a whole line at hand.
            Some(_) if long.is_empty() => lines.take(part, None),
            _ => long.append(part),
        }
        let consumed = part.len() + usize::from(end.is_some());
        input.consume(consumed);
        if end.is_some() && !long.is_empty() {
            lines.take_long(&mut long);
        }
        if lines.filling.is_full() {
            lines.open(&mut is_open, &input, feed)?;
            let full = std::mem::replace(&mut lines.filling, feed.filling());
            feed.send_blocking(Message::Batch(full.seal(input.read())))?;
        }
    }
    if !long.is_empty() {
        lines.take_long(&mut long);
    }
    input.finish()?;
    lines.open(&mut is_open, &input, feed)?;
    feed.send_blocking(Message::Batch(lines.filling.seal(input.read())))
}

fn no_tenants(input: &Input, columns: &Columns, names: &[String], hint: Option<&str>) -> Error {
    Error::misfit(input.place(), columns, names, Misfit::Missing(Column::TenantId), hint)
}

/// A line that does not lie in one chunk, cut off once it is too long.
#[derive(Default)]
struct LongLine {
    start: Vec<u8>,
    rest: Option<SipHasher13>,
}

impl LongLine {
    fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    fn append(&mut self, part: &[u8]) {
        // One byte more than allowed, and one for a carriage return.
        let room = (MAX_RECORD + 2).saturating_sub(self.start.len()).min(part.len());
        self.start.extend_from_slice(&part[..room]);
        if room < part.len() {
            self.rest.get_or_insert_default().write(&part[room..]);
        }
    }
}

struct Lines<'a> {
    columns: &'a Columns,
    filling: Filling,
    line: u64,
    /// The keys of the first object.
    first: Option<Vec<String>>,
    /// Objects with a tenant's id.
    tenants: u64,
}

impl Lines<'_> {
    /// Says that the source is open, once it is seen to be an inventory: that at least one
    /// of its first objects has a tenant.
    fn open(&self, is_open: &mut bool, input: &Input, feed: &Feed) -> Result<(), Halt> {
        if *is_open {
            return Ok(());
        }
        *is_open = true;
        if let Some(names) = &self.first
            && self.tenants == 0
        {
            return Err(no_tenants(input, self.columns, names, None).into());
        }
        feed.send_blocking(Message::Open { total: input.total() })
    }

    fn take_long(&mut self, long: &mut LongLine) {
        self.take(&long.start, long.rest.map(|hash| hash.finish()));
        *long = LongLine::default();
    }

    /// A line; `rest` is the digest of what was cut off.
    fn take(&mut self, line: &[u8], rest: Option<u64>) {
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return;
        }
        let start = self.filling.used();
        let mut object = Object::new(self.columns, &mut self.filling);
        let outcome = object.read(line);
        let (mut spans, mut column) = (object.spans, object.flaw.as_ref().map(|flaw| flaw.0));
        let mut reason = match outcome {
            _ if rest.is_some() || line.len() > MAX_RECORD => Some(BadReason::TooLong),
            Ok(()) => object.flaw.take().map(|flaw| flaw.1),
            Err(_) if line.trim_ascii_start().first() != Some(&b'{') => {
                Some(BadReason::NotAnObject)
            }
            Err(_) => Some(BadReason::InvalidJson),
        };
        if outcome.is_err() && std::str::from_utf8(line).is_err() {
            // Read again without the broken bytes, for the ids.
            reason = reason.map(|reason| match reason {
                BadReason::InvalidJson => BadReason::BrokenUtf8,
                other => other,
            });
            let mut object = Object::new(self.columns, &mut self.filling);
            // As far as it goes: the line is bad in any case.
            drop(object.read(String::from_utf8_lossy(line).as_bytes()));
            (spans, column) = (object.spans, None);
        }
        if !spans[Column::TenantId.index()].is_empty() {
            self.tenants += 1;
        }
        if outcome.is_ok() && self.first.is_none() {
            self.first = Some(keys(line));
        }
        let place = Place::Line(self.line);
        match reason {
            None => self.filling.push(place, spans, None),
            Some(reason) => {
                let digest = digest([line, &rest.unwrap_or_default().to_be_bytes()]);
                let ids = self.filling.keep_ids(start, &spans);
                self.filling.push(place, ids, Some(Flaw { column, reason, digest }));
            }
        }
    }
}

/// An object's values on their way into a batch.
struct Object<'a> {
    columns: &'a Columns,
    filling: &'a mut Filling,
    spans: Spans,
    /// How the key of each column fitted, once it was there.
    fits: Fits,
    flaw: Option<(Column, BadReason)>,
}

impl<'a> Object<'a> {
    fn new(columns: &'a Columns, filling: &'a mut Filling) -> Self {
        Self { columns, filling, spans: Spans::default(), fits: Fits::default(), flaw: None }
    }

    fn read(&mut self, line: &[u8]) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_slice(line);
        json.deserialize_map(&mut *self)?;
        json.end()
    }

    fn value(&mut self, column: Column, fit: Fit, json: &str) {
        match (self.fits[column.index()], fit) {
            (None, _) | (Some(Fit::Loose), Fit::Exact) => {}
            (Some(Fit::Exact), Fit::Loose) => return,
            (Some(_), _) => self.flaw = Some((column, BadReason::RepeatedKey)),
        }
        self.fits[column.index()] = Some(fit);
        self.spans[column.index()] = match json.as_bytes() {
            b"null" => Span::default(),
            [b'"', content @ .., b'"'] if memchr::memchr(b'\\', content).is_none() => {
                self.filling.put(content)
            }
            [b'"', ..] => match serde_json::from_str::<String>(json) {
                Ok(content) => self.filling.put(content.as_bytes()),
                // An escape for half a character.
                Err(_) => {
                    self.flaw = Some((column, BadReason::BrokenUtf8));
                    Span::default()
                }
            },
            other => self.filling.put(other),
        };
    }
}

impl<'de> Visitor<'de> for &mut Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(fits) = map.next_key_seed(Key(self.columns))? {
            if fits == Fits::default() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let json = map.next_value::<&RawValue>()?.get();
            for (column, fit) in Column::ALL.into_iter().zip(fits) {
                if let Some(fit) = fit {
                    self.value(column, fit, json);
                }
            }
        }
        Ok(())
    }
}

struct Key<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Fits;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Fits, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Fits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Fits, E> {
        Ok(self.0.fits(key))
    }
}

/// All keys of an object, in order.
fn keys(line: &[u8]) -> Vec<String> {
    type Keys = std::collections::BTreeMap<String, IgnoredAny>;
    serde_json::from_slice::<Keys>(line).map(|keys| keys.into_keys().collect()).unwrap_or_default()
}
