//! `[messages]`: whose messages they are, how they look, and in which language.

use std::path::PathBuf;

use url::Url;

use super::email::Mailbox;
use super::problem::Wrong;
use super::table::Table;
use super::value::{FromToml, Value};
use super::web::SafeUrl;
use crate::domain::language::tag;

/// Dark enough for white letters on it.
const DEFAULT_COLOUR: &str = "#1f5fa8";
/// The language of the embedded templates.
const DEFAULT_LOCALE: &str = "en";

#[derive(Clone, Debug)]
pub struct Messages {
    /// A folder of templates that go before the embedded ones.
    pub templates: Option<PathBuf>,
    /// Who writes; the app's name, where nothing else is written.
    pub company: Option<String>,
    /// `#rrggbb`: of the buttons and of the line above the message.
    pub colour: String,
    /// Where questions go; the sender's address, where nothing else is written.
    pub reply_to: Option<Mailbox>,
    /// A page that helps.
    pub support_url: Option<Url>,
    /// A language tag in lower case: for people whose own language has no templates.
    pub locale: String,
}

impl Messages {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("messages");
        let messages = Self {
            templates: table.get("templates").map(|Folder(path)| path),
            company: table.get("company"),
            colour: table
                .get("colour")
                .map_or_else(|| DEFAULT_COLOUR.to_owned(), |Colour(colour)| colour),
            reply_to: table.get("reply_to"),
            support_url: table.get("support_url").map(|SafeUrl(url)| url),
            locale: table
                .get("locale")
                .map_or_else(|| DEFAULT_LOCALE.to_owned(), |Locale(locale)| locale),
        };
        table.finish();
        messages
    }
}

struct Folder(PathBuf);

impl FromToml for Folder {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.text().map(|path| Self(value.reading.resolve(path)))
    }
}

struct Colour(String);

impl FromToml for Colour {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(Wrong::new(
            format!("{} is \"{text}\", which is no colour", value.label()),
            format!("{}: red, green and blue in two digits each", value.write("\"#1f5fa8\"")),
        ))
    }
}

struct Locale(String);

impl FromToml for Locale {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        if let Some(tag) = tag(text) {
            return Ok(Self(tag));
        }
        Err(Wrong::new(
            format!("{} is \"{text}\", which is no language", value.label()),
            value.write("\"de\"") + ", or with a country, \"de-AT\"",
        ))
    }
}
