//! Tables that remember which keys were asked for, so that reading goes on after a problem
//! and ends with the keys that nobody knows.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::problem::{Kind, Wrong};
use super::reading::{Reading, may_be_secret};
use super::value::{FromToml, Value};

/// A table, and the keys that its reader asked for.
pub(super) struct Table<'a> {
    /// As a message names it: `[app]`.
    title: String,
    /// Its header; for the whole file the place where something could be added.
    span: Range<usize>,
    values: &'a DeTable<'a>,
    reading: &'a Reading<'a>,
    asked: RefCell<Vec<&'static str>>,
    /// Keys that are not there and must be, reported unless one is there misspelt.
    missing: RefCell<Vec<(&'static str, Wrong)>>,
}

impl<'a> Table<'a> {
    pub fn root(reading: &'a Reading<'a>, values: &'a DeTable<'a>) -> Self {
        Self::new(String::new(), reading.end(), values, reading)
    }

    pub fn new(
        title: String,
        span: Range<usize>,
        values: &'a DeTable<'a>,
        reading: &'a Reading<'a>,
    ) -> Self {
        Self {
            title,
            span,
            values,
            reading,
            asked: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    pub fn reading(&self) -> &'a Reading<'a> {
        self.reading
    }

    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub fn value(&self, key: &'static str) -> Option<Value<'a>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        let (_, value) = self.values.get_key_value(key)?;
        Some(Value { key, is_entry: false, toml: value, reading: self.reading })
    }

    /// What a key says; a wrong value is reported.
    pub fn get<T: FromToml>(&self, key: &'static str) -> Option<T> {
        self.spanned(key).map(Spanned::into_inner)
    }

    pub fn spanned<T: FromToml>(&self, key: &'static str) -> Option<Spanned<T>> {
        self.value(key)?.read()
    }

    /// As [`Self::get`]; its absence is reported, with an example of what to write.
    pub fn require<T: FromToml>(&self, key: &'static str, example: &str) -> Option<T> {
        self.require_spanned(key, example).map(Spanned::into_inner)
    }

    pub fn require_spanned<T: FromToml>(
        &self,
        key: &'static str,
        example: &str,
    ) -> Option<Spanned<T>> {
        self.need(true, key, example);
        self.spanned(key)
    }

    /// As [`Self::get`] for what has no default and must be said once the table is enabled.
    pub fn knob<T: FromToml>(&self, enabled: bool, key: &'static str, example: &str) -> Option<T> {
        self.need(enabled, key, example);
        self.get(key)
    }

    /// Whether a key has to be there.
    pub fn need(&self, needed: bool, key: &'static str, example: &str) {
        if needed && !self.has(key) {
            let message = format!("`{key}` is missing in {}", self.title);
            let help = format!("write `{key} = {example}` below {}", self.title);
            self.missing.borrow_mut().push((key, Wrong::new(message, help)));
        }
    }

    /// A list with each entry read for itself; wrong entries are reported and left out.
    pub fn list<T: FromToml>(&self, key: &'static str) -> Option<Vec<Spanned<T>>> {
        let value = self.value(key)?;
        let DeValue::Array(entries) = value.toml.get_ref() else {
            value.wrong(value.is_no_list());
            return None;
        };
        let entry =
            |value| Value { key, is_entry: true, toml: value, reading: self.reading }.read();
        Some(entries.iter().filter_map(entry).collect())
    }

    /// As [`Self::list`] without the places; empty when the key is absent.
    pub fn items<T: FromToml>(&self, key: &'static str) -> Vec<T> {
        self.list(key).into_iter().flatten().map(Spanned::into_inner).collect()
    }

    /// A table that may be left out.
    pub fn section(&self, key: &'static str) -> Table<'a> {
        let absent =
            || Self::new(String::new(), self.span.clone(), self.reading.empty(), self.reading);
        self.table(key).unwrap_or_else(absent)
    }

    /// A table below this one.
    pub fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let value = self.value(key)?;
        let path = self.path(key);
        match value.toml.get_ref() {
            DeValue::Table(values) => {
                Some(Self::new(format!("[{path}]"), value.span(), values, self.reading))
            }
            _ => {
                value.wrong(Wrong::new(
                    format!("`{path}` must be one table"),
                    format!("write `[{path}]` on a line of its own, its keys below"),
                ));
                None
            }
        }
    }

    /// The tables of an array.
    pub fn tables(&self, key: &'static str) -> Option<Vec<Table<'a>>> {
        let value = self.value(key)?;
        let path = self.path(key);
        let again = || {
            Wrong::new(
                format!("`{path}` must be a list of tables"),
                format!("write `[[{path}]]`, in double brackets, above each of them"),
            )
        };
        let DeValue::Array(entries) = value.toml.get_ref() else {
            value.wrong(again());
            return None;
        };
        let mut tables = Vec::new();
        for entry in entries {
            match entry.get_ref() {
                DeValue::Table(values) => {
                    tables.push(Self::new(
                        format!("[[{path}]]"),
                        entry.span(),
                        values,
                        self.reading,
                    ));
                }
                _ => self.reading.report(entry.span(), Kind::Wrong, again()),
            }
        }
        Some(tables)
    }

    /// Reports something wrong with the table as a whole.
    pub fn wrong(&self, message: impl Into<String>, help: impl Into<String>) {
        self.reading.report(self.span.clone(), Kind::Wrong, Wrong::new(message, help));
    }

    /// Reports something that the table does not have.
    pub fn absent(&self, message: impl Into<String>, help: impl Into<String>) {
        self.reading.report(self.span.clone(), Kind::Absent, Wrong::new(message, help));
    }

    /// A table that must be there, with what it must hold.
    pub fn require_table(&self, key: &'static str, content: &str) -> Option<Table<'a>> {
        if !self.has(key) {
            let help = format!("write `[{key}]`, and below it {content}");
            let wrong = Wrong::new(format!("the table [{key}] is missing"), help);
            self.missing.borrow_mut().push((key, wrong));
        }
        self.table(key)
    }

    /// Reports a key that is there and does not go with the rest.
    pub fn misplaced(
        &self,
        key: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if let Some((name, _)) = self.values.get_key_value(key) {
            self.reading.report(name.span(), Kind::Wrong, Wrong::new(message, help));
        }
    }

    /// Reports the keys that nobody asked for, and those that are missing. To be called
    /// when all were asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        let mut missing = self.missing.borrow_mut();
        for (name, value) in self.values {
            let text = name.get_ref().as_ref();
            if asked.contains(&text) {
                continue;
            }
            let meant = nearest(text, asked.iter().copied());
            missing.retain(|(key, _)| Some(*key) != meant);
            if may_be_secret(text, self.reading.written(value.span())) {
                self.reading.conceal(value.span());
            }
            let is_table = value.get_ref().is_table() || value.get_ref().is_array();
            let shown = match self.title.as_str() {
                "" if is_table => format!("table [{text}]"),
                "" => format!("key `{text}`"),
                title => format!("key `{text}` in {title}"),
            };
            let help = match (meant, self.title.as_str()) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, "") => format!("the tables are: {}", asked.join(", ")),
                (None, title) => format!("the keys of {title} are: {}", asked.join(", ")),
            };
            self.reading.report(
                name.span(),
                Kind::Wrong,
                Wrong::new(format!("unknown {shown}"), help),
            );
        }
        for (_, wrong) in missing.drain(..) {
            self.reading.report(self.span.clone(), Kind::Absent, wrong);
        }
    }

    fn path(&self, key: &str) -> String {
        match self.title.trim_matches(['[', ']']) {
            "" => key.to_owned(),
            above => format!("{above}.{key}"),
        }
    }
}
