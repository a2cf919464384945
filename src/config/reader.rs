//! Reading TOML into types without stopping at the first problem: tables that remember
//! which keys were asked for, and values that become types or problems.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::problem::{ConfigErrors, Found, Kind, Wrong};
use super::value::FromToml;

/// One text being read, and what was found wrong so far.
pub(super) struct Reading<'a> {
    text: &'a str,
    base: Option<&'a Path>,
    /// What a table that is not there reads as.
    empty: DeTable<'a>,
    found: RefCell<Vec<Found>>,
    secrets: RefCell<Vec<Range<usize>>>,
}

impl<'a> Reading<'a> {
    pub fn new(text: &'a str, base: Option<&'a Path>) -> Self {
        Self {
            text,
            base,
            empty: DeTable::new(),
            found: RefCell::default(),
            secrets: RefCell::default(),
        }
    }

    pub fn report(&self, span: Range<usize>, kind: Kind, wrong: Wrong) {
        self.found.borrow_mut().push(Found { span, kind, wrong });
    }

    /// Reports that the text is no TOML. Of such a line only its key is sure to be no secret.
    pub fn report_syntax(&self, error: &toml::de::Error) {
        let end = self.text.trim_end().len();
        let span = error.span().unwrap_or(end..end);
        let at = self.text.floor_char_boundary(span.start);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '\t');
        let key = line.find(|c| !is_key(c)).unwrap_or(line.len());
        if may_be_secret(&line[..key], &line[key..]) {
            self.conceal(start + key..start + line.len());
        }
        let wrong = Wrong::new(error.message(), syntax_help(error.message()));
        self.report(span, Kind::Syntax, wrong);
    }

    /// Blots a span out of what is shown.
    pub fn conceal(&self, span: Range<usize>) {
        self.secrets.borrow_mut().push(span);
    }

    pub fn has_problems(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    /// The directory that relative paths start from; none for the current one.
    pub fn base(&self) -> Option<&'a Path> {
        self.base
    }

    /// A path as the file means it.
    pub fn resolve(&self, path: &str) -> PathBuf {
        resolve(self.base, path)
    }

    pub fn into_errors(self, origin: &str) -> ConfigErrors {
        ConfigErrors::new(origin, self.text, self.found.into_inner(), &self.secrets.into_inner())
    }
}

/// A path that is relative to a directory, made absolute where the system allows it.
pub(super) fn resolve(base: Option<&Path>, path: impl AsRef<Path>) -> PathBuf {
    let joined = base.map_or_else(|| path.as_ref().to_owned(), |base| base.join(path.as_ref()));
    std::path::absolute(&joined).unwrap_or(joined)
}

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
        let end = reading.text.trim_end().len();
        Self::new(String::new(), end..end, values, reading)
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
        self.asked.borrow_mut().push(key);
        let (_, value) = self.values.get_key_value(key)?;
        Some(Value { key, is_entry: false, value, reading: self.reading })
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
        let DeValue::Array(entries) = value.value.get_ref() else {
            value.wrong(value.is_no_list());
            return None;
        };
        let entry = |value| Value { key, is_entry: true, value, reading: self.reading }.read();
        Some(entries.iter().filter_map(entry).collect())
    }

    /// As [`Self::list`] without the places; empty when the key is absent.
    pub fn items<T: FromToml>(&self, key: &'static str) -> Vec<T> {
        self.list(key).into_iter().flatten().map(Spanned::into_inner).collect()
    }

    /// A table that may be left out.
    pub fn section(&self, key: &'static str) -> Table<'a> {
        let absent =
            || Self::new(String::new(), self.span.clone(), &self.reading.empty, self.reading);
        self.table(key).unwrap_or_else(absent)
    }

    /// A table below this one.
    pub fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let value = self.value(key)?;
        let path = self.path(key);
        match value.value.get_ref() {
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
        let DeValue::Array(entries) = value.value.get_ref() else {
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

    /// Reports a table that must be there, unless it is and cannot be read.
    pub fn lacks(&self, key: &str, content: &str) {
        if !self.has(key) {
            let help = format!("write `[{key}]`, and below it {content}");
            self.absent(format!("the table [{key}] is missing"), help);
        }
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
            let written = self.reading.text.get(value.span()).unwrap_or_default();
            if may_be_secret(text, written) {
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

/// What stands behind a misspelt or broken key may be what its right spelling would refuse
/// to be shown.
fn may_be_secret(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_address_with_login = value.contains("://") && value.contains('@');
    is_address_with_login
        || ["secret", "pass", "token", "key"].iter().any(|part| key.contains(part))
        || nearest(&key, ["password", "client_secret", "secrets"].into_iter()).is_some()
}

/// A value with its key.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub key: &'a str,
    /// It is one of the key's list.
    pub is_entry: bool,
    pub value: &'a Spanned<DeValue<'a>>,
    pub reading: &'a Reading<'a>,
}

impl<'a> Value<'a> {
    pub fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// As it is written.
    pub fn source(&self) -> &'a str {
        self.reading.text.get(self.span()).unwrap_or_default()
    }

    /// How many entries its list has.
    pub fn len(&self) -> Option<usize> {
        self.value.get_ref().as_array().map(|entries| entries.len())
    }

    pub fn wrong(&self, wrong: Wrong) {
        self.reading.report(self.span(), Kind::Wrong, wrong);
    }

    /// Its type's value, or a report.
    pub fn read<T: FromToml>(self) -> Option<Spanned<T>> {
        match T::from_toml(self) {
            Ok(value) => Some(Spanned::new(self.span(), value)),
            Err(wrong) => {
                self.wrong(wrong);
                None
            }
        }
    }
}

/// What to write where the text is no TOML, by the parser's words for it.
fn syntax_help(message: &str) -> &'static str {
    let about = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if about(&["duplicate key"]) {
        "keep one of the two; tables that repeat are written with double brackets, as `[[jobs]]`"
    } else if about(&["array", "inline table", "comma"]) {
        "close every bracket, here or above: a list as `[\"email\", \"file\"]`, a reference as `{ env = \"NAME\" }`"
    } else if about(&["date", "time"]) {
        "write a day as `2027-09-13`, a time as `2027-09-13T00:00:00+12:00`"
    } else if about(&["string"]) {
        "put text into double quotes that open and close on one line: `name = \"Acme Books\"`"
    } else if about(&["table"]) {
        "write `[app]` for a table, `[[jobs]]` for one of several"
    } else {
        "write one `key = value` to a line: text in double quotes, dates and numbers without"
    }
}
