//! Rows kept in memory: an inventory that was copied, and changes from then on by itself.

use std::sync::Arc;

use super::bad::Place;
use super::columns::Column;
use super::feed::{Feed, Halt, Message};
use super::raw::{Entry, RawRow, Span, Spans};

/// A row that stands by itself.
#[derive(Clone, Debug)]
pub struct KeptRow {
    text: Box<str>,
    entry: Entry,
}

impl KeptRow {
    /// A row without any field yet.
    #[must_use]
    pub fn blank(number: u64) -> Self {
        let place = Place::Row(number);
        let entry = Entry { place, spans: Spans::default(), flaw: None };
        Self { text: "".into(), entry }
    }

    /// A row as it was read, bad ones included.
    #[must_use]
    pub fn of(raw: &RawRow<'_>) -> Self {
        let mut kept = Self::written(raw, |column| raw.get(column));
        kept.entry.flaw = raw.flaw().cloned();
        kept
    }

    /// The same with other fields; `None` takes one away.
    #[must_use]
    pub fn with(&self, changes: &[(Column, Option<&str>)]) -> Self {
        let raw = self.raw();
        let changed = |column| changes.iter().find(|(of, _)| *of == column);
        let mut kept = Self::written(&raw, |column| match changed(column) {
            Some((_, value)) => *value,
            None => raw.get(column),
        });
        kept.entry.flaw = self.entry.flaw.clone();
        kept
    }

    fn written<'a>(raw: &RawRow<'_>, field: impl Fn(Column) -> Option<&'a str>) -> Self {
        let mut text = String::new();
        let mut spans = Spans::default();
        for column in Column::ALL {
            if let Some(value) = field(column) {
                let start = text.len();
                text.push_str(value);
                spans[column.index()] = Span::new(start, text.len());
            }
        }
        let entry = Entry { place: raw.place(), spans, flaw: None };
        Self { text: text.into(), entry }
    }

    #[must_use]
    pub fn raw(&self) -> RawRow<'_> {
        RawRow { entry: &self.entry, text: &self.text }
    }
}

/// Reads all of the rows into `feed`.
pub(super) async fn read(rows: &[Arc<KeptRow>], feed: &mut Feed) -> Result<(), Halt> {
    feed.send(Message::Open { total: None }).await?;
    let mut filling = feed.filling();
    let mut read = 0;
    for row in rows {
        read += 1;
        let start = filling.used();
        filling.put(row.text.as_bytes());
        let spans = row.entry.spans.map(|span| span.moved(start));
        filling.push(row.entry.place, spans, row.entry.flaw.clone());
        if filling.is_full() {
            feed.send(Message::Batch(filling.seal(read))).await?;
            filling = feed.filling();
        }
    }
    feed.send(Message::Batch(filling.seal(read))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_row_says_what_it_was_given_and_nothing_of_what_was_taken_away() {
        let row = KeptRow::blank(3);
        let one = row.with(&[(Column::Email, Some("jo@example.com")), (Column::Name, Some("Jo"))]);
        let other = one.with(&[(Column::Email, None), (Column::Scopes, Some("openid"))]);
        assert_eq!(one.raw().get(Column::Email), Some("jo@example.com"));
        let said = [Column::Email, Column::Name, Column::Scopes].map(|it| other.raw().get(it));
        assert_eq!(said, [None, Some("Jo"), Some("openid")]);
        assert_eq!(other.raw().place(), Place::Row(3));
    }
}
