//! One text being read: the problems found so far, and what of it must not be shown.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::nearest::nearest;
use super::problem::{ConfigErrors, Found, Kind, Wrong};

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
        let span = error.span().unwrap_or_else(|| self.end());
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

    /// A piece of the text.
    pub fn written(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// Where something could be added.
    pub fn end(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        end..end
    }

    pub fn empty(&self) -> &DeTable<'a> {
        &self.empty
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

/// What stands behind a misspelt or broken key may be what its right spelling would refuse
/// to be shown.
pub(super) fn may_be_secret(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_address_with_login = value.contains("://") && value.contains('@');
    is_address_with_login
        || ["secret", "pass", "token", "key"].iter().any(|part| key.contains(part))
        || nearest(&key, ["password", "client_secret", "secrets"].into_iter()).is_some()
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
