//! A call of Xero's, read from whatever somebody has at hand: `GET /Invoices`, an address, or
//! a line of a log. No format of logs is known here: a line is searched for a path of Xero's
//! and for the method that stands nearest before it.

use std::fmt;

use serde::Serialize;

use super::endpoints::{Api, Pattern, apis};

/// What a call does to what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `HEAD` too.
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A call without its ids: calls that differ in nothing else are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub method: Method,
    /// `api.xro/2.0/Invoices/*/History`.
    pub path: String,
}

/// What a line of a list or log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Call(Call),
    /// Empty, or a comment.
    Nothing,
    Unread(Unread),
}

/// Why no call was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// Nothing in it is a path of Xero's.
    NoPath,
    /// A path, and nothing that says whether it is read or written.
    NoMethod,
    /// The path belongs to several APIs with different scopes, or its API has no such path.
    UnknownPath,
}

/// Parts of a path that are looked at; nothing of Xero's has more that matter.
const PARTS: usize = 8;

/// Letters of a part that can still be the name of something.
const LONGEST_NAME: usize = 24;

/// What ends a path in a line.
const ENDS: [char; 15] =
    ['?', '#', '"', '\'', ',', ';', '(', ')', '[', ']', '<', '>', '|', '\\', '`'];

impl Method {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Call {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &str) -> Line {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') {
            return Line::Nothing;
        }
        // As some write slashes in JSON.
        let line = line.replace("\\/", "/");
        let Some((api, start, path)) = located(&line) else { return Self::short(&line) };
        let Some(method) = method_near(&line, start) else { return Line::Unread(Unread::NoMethod) };
        let parts = parts(path);
        match api.pattern(&parts) {
            Some(pattern) => Line::Call(Self::of(method, api, pattern, &parts)),
            None => Line::Unread(Unread::UnknownPath),
        }
    }

    /// `GET /Invoices`, as people write it: the API is the one that has such a path.
    fn short(line: &str) -> Line {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (method, path) = match words[..] {
            [method, path] => (Method::parse(&method.to_ascii_uppercase()), path),
            [path] if path.starts_with('/') => (None, path),
            _ => return Line::Unread(Unread::NoPath),
        };
        if path.contains("://") {
            return Line::Unread(Unread::NoPath);
        }
        let path = &path[..path.find(ENDS).unwrap_or(path.len())];
        let parts = parts(path);
        let mut fitting = apis().iter().filter_map(|api| {
            let below = match api.root.contains('/') {
                true => &parts[..],
                false => parts.split_first().filter(|(root, _)| **root == api.root)?.1,
            };
            Some((api, api.pattern(below)?, below))
        });
        let Some((api, pattern, below)) = fitting.next() else {
            let unread = if method.is_some() { Unread::UnknownPath } else { Unread::NoPath };
            return Line::Unread(unread);
        };
        if fitting.any(|(_, other, _)| other.scopes != pattern.scopes) {
            return Line::Unread(Unread::UnknownPath);
        }
        match method {
            Some(method) => Line::Call(Self::of(method, api, pattern, below)),
            None => Line::Unread(Unread::NoMethod),
        }
    }

    /// Without ids, and with names as Xero spells them: people's ids and file names do not
    /// belong in a justification.
    fn of(method: Method, api: &Api, pattern: &Pattern, parts: &[&str]) -> Self {
        let mut path = api.root.clone();
        for (at, part) in parts.iter().enumerate() {
            let is_name = at % 2 == 0
                && part.len() <= LONGEST_NAME
                && part.bytes().all(|byte| byte.is_ascii_alphabetic());
            path.push('/');
            path.push_str(match pattern.spelling(at) {
                Some(name) => name,
                None if is_name => part,
                None => "*",
            });
        }
        Self { method, path }
    }

    /// What of the list it falls under.
    pub(super) fn pattern(&self) -> Option<&'static Pattern> {
        let (api, rest) = apis().iter().find_map(|api| {
            let rest = self.path.strip_prefix(api.root.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((api, rest))
        })?;
        api.pattern(&parts(rest))
    }
}

impl fmt::Display for Call {
    /// The Accounting API is what people mean when they name none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.strip_prefix("api.xro/2.0").unwrap_or(&self.path);
        let slash = if path.starts_with('/') { "" } else { "/" };
        write!(f, "{} {slash}{path}", self.method.as_str())
    }
}

impl Serialize for Call {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).take(PARTS).collect()
}

/// The first path of Xero's in a line: its API, where it begins, and what follows the root.
fn located(line: &str) -> Option<(&'static Api, usize, &str)> {
    let lower = line.to_ascii_lowercase();
    let of = |api: &'static Api| {
        // A root of one word stands in any line; only with the host is it Xero's.
        let (before, root) = match api.root.contains('/') {
            true => ("", api.root.clone()),
            false => ("api.xero.com/", format!("api.xero.com/{}", api.root)),
        };
        let (start, _) = lower.match_indices(&root).find(|(at, _)| {
            let ends = lower[at + root.len()..].chars().next();
            let begins = lower[..*at].chars().next_back();
            ends.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.')
                && begins.is_none_or(|c| !c.is_ascii_alphanumeric())
        })?;
        let rest = &line[start + before.len() + api.root.len()..];
        let end = rest.find(|c: char| c.is_whitespace() || ENDS.contains(&c));
        Some((api, start, &rest[..end.unwrap_or(rest.len())]))
    };
    apis().iter().filter_map(of).min_by_key(|(_, start, _)| *start)
}

/// The nearest method before the path, else the first one after it.
fn method_near(line: &str, path: usize) -> Option<Method> {
    let (before, after) = line.split_at(path);
    methods(before, true).pop().or_else(|| methods(after, false).first().copied())
}

/// The methods in a text. In small letters `get` is a word like others, unless the line begins
/// with it or something says that it is the method.
fn methods(text: &str, is_start: bool) -> Vec<Method> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let mut before = is_start.then_some("method");
    let mut found = Vec::new();
    for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty()) {
        let is_named = before.is_some_and(|name| name.to_ascii_lowercase().ends_with("method"));
        let upper = word.to_ascii_uppercase();
        found.extend(Method::parse(if is_named { &upper } else { word }));
        before = Some(word);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        match Call::read(line) {
            Line::Call(call) => call.to_string(),
            Line::Nothing => String::new(),
            Line::Unread(unread) => format!("{unread:?}"),
        }
    }

    #[test]
    fn a_call_is_found_in_any_line_of_a_log() {
        const ID: &str = "e001c024-c291-4575-8092-7c0fc4a16c7b";
        for (line, call) in [
            ("GET /Invoices", "GET /Invoices"),
            ("get Invoices/{InvoiceID}", "GET /Invoices/*"),
            ("POST /api.xro/2.0/Invoices", "POST /Invoices"),
            (
                "GET https://api.xero.com/api.xro/2.0/invoices/ID/history?page=2",
                "GET /Invoices/*/history",
            ),
            (
                "10.0.0.7 - - [20/Nov/2026:10:11:12 +0000] \"PUT /api.xro/2.0/Invoices/ID/Attachments/ann's%20bill.pdf HTTP/1.1\" 200 512",
                "PUT /Invoices/*/Attachments/*",
            ),
            (
                r#"{"level":"info","method":"get","url":"https:\/\/api.xero.com\/api.xro\/2.0\/Contacts\/ID","status":200}"#,
                "GET /Contacts/*",
            ),
            (
                r#"{"url":"https://api.xero.com/payroll.xro/2.0/Employees/ID/Tax","http_method":"POST"}"#,
                "POST /payroll.xro/2.0/Employees/*/Tax",
            ),
            ("ts=2026-11-20 method=DELETE path=/api.xro/2.0/Items/ID dur=12ms", "DELETE /Items/*"),
            (
                "2026-11-20,POST,api.xero.com,/projects.xro/2.0/Projects,201",
                "POST /projects.xro/2.0/Projects",
            ),
            ("HEAD /api.xro/2.0/Organisation", "GET /Organisation"),
            ("GET https://api.xero.com/connections", "GET /connections"),
            ("get /connections", "GET /connections"),
            ("GET /Reports/BalanceSheet?date=2026-11-20", "GET /Reports/BalanceSheet"),
            ("PATCH /projects.xro/2.0/Projects/ID", "PATCH /projects.xro/2.0/Projects/*"),
            ("GET /Employees", "GET /payroll.xro/1.0/Employees"),
        ] {
            assert_eq!(read(&line.replace("ID", ID)), call, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (line, why) in [
            ("", ""),
            ("# from the log of November", ""),
            ("the quick brown fox", "NoPath"),
            ("GET /health", "UnknownPath"),
            ("/Invoices", "NoMethod"),
            ("/api.xro/2.0/Invoices", "NoMethod"),
            ("GET /api.xro/2.0/Nonsense", "UnknownPath"),
            // Payroll's or Assets'.
            ("GET /Settings", "UnknownPath"),
            ("GET https://books.example/Invoices", "NoPath"),
            ("POST /api.xro/2.01/Invoices", "UnknownPath"),
            ("\u{0}\u{1b}[2j é/", "NoPath"),
        ] {
            assert_eq!(read(line), why, "{line}");
        }
    }

    #[test]
    fn an_address_of_another_program_in_the_same_line_names_no_method() {
        let line = r#""GET /books/api.xro/2.0/Invoices HTTP/1.1" 200 "POST of the day""#;
        assert_eq!(read(line), "GET /Invoices");
    }

    #[test]
    fn calls_that_differ_in_ids_only_are_one() {
        assert_eq!(read("GET /Invoices/INV-0001"), read("GET /Invoices/ORC1040"));
        assert_eq!(
            read("GET /Contacts/a/Attachments/tax%20of%20ann.pdf"),
            read("GET /Contacts/b/Attachments/other.pdf"),
        );
    }
}
