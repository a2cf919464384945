//! Single values: how each type is read, and what a reader is told who wrote another.

use std::ops::{Range, RangeInclusive};

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use toml::Spanned;
use toml::de::{DeInteger, DeValue};
use toml::value::{Date, Datetime};

use super::nearest::nearest;
use super::problem::{Kind, Wrong};
use super::reading::Reading;

/// A type that a value of jobs.toml can have.
pub(super) trait FromToml: Sized {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong>;
}

/// A value with its key.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub key: &'a str,
    /// It is one of the key's list.
    pub is_entry: bool,
    pub toml: &'a Spanned<DeValue<'a>>,
    pub reading: &'a Reading<'a>,
}

impl<'a> Value<'a> {
    pub fn span(&self) -> Range<usize> {
        self.toml.span()
    }

    /// As it is written.
    pub fn source(&self) -> &'a str {
        self.reading.written(self.span())
    }

    /// How many entries its list has.
    pub fn len(&self) -> Option<usize> {
        self.toml.get_ref().as_array().map(|entries| entries.len())
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

    /// As a message names it.
    pub fn label(&self) -> String {
        if self.is_entry {
            format!("an entry of `{}`", self.key)
        } else {
            format!("`{}`", self.key)
        }
    }

    /// What to write for it.
    pub fn write(&self, text: &str) -> String {
        if self.is_entry {
            format!("write `{text}`")
        } else {
            format!("write `{} = {text}`", self.key)
        }
    }

    /// Its text, which no string of jobs.toml leaves empty.
    pub fn text(&self) -> Result<&'a str, Wrong> {
        let DeValue::String(text) = self.toml.get_ref() else {
            let help = match self.toml.get_ref() {
                DeValue::Array(_) | DeValue::Table(_) => self.write("\"…\""),
                _ => format!("put it in quotes: {}", self.write(&format!("\"{}\"", self.source()))),
            };
            return Err(self.is_not("a text in quotes", help));
        };
        if text.trim().is_empty() {
            return Err(Wrong::new(
                format!("{} is empty", self.label()),
                "write what it is, or leave it out if it has none",
            ));
        }
        Ok(text)
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Wrong> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let help = match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(meant) => self.write(&format!("\"{meant}\"")),
            None => format!("write one of {}", known.join(", ")),
        };
        Err(Wrong::new(
            format!("{} is \"{text}\", which is none of {}", self.label(), known.join(", ")),
            help,
        ))
    }

    /// A whole number within limits.
    pub fn whole<T: TryFrom<i128>>(&self, range: RangeInclusive<i128>) -> Result<T, Wrong> {
        let DeValue::Integer(written) = self.toml.get_ref() else {
            return Err(self.is_no_number("a whole number", &range.end().min(&100).to_string()));
        };
        let number = integer(written).filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            Wrong::new(
                format!(
                    "{} is {}, outside {} to {}",
                    self.label(),
                    self.source(),
                    range.start(),
                    range.end()
                ),
                format!("write a whole number from {} to {}", range.start(), range.end()),
            )
        })
    }

    /// The date and time parts of a value that TOML calls a date.
    pub fn datetime(&self, example: &str) -> Result<&'a Datetime, Wrong> {
        match self.toml.get_ref() {
            DeValue::Datetime(datetime) => Ok(datetime),
            DeValue::String(text) if text.parse::<Datetime>().is_ok() => {
                Err(self.is_not("a date", format!("leave out the quotes: {}", self.write(text))))
            }
            _ => Err(self.is_not("a date", self.write(example))),
        }
    }

    pub fn is_no_list(&self) -> Wrong {
        let help = match self.toml.get_ref() {
            DeValue::Table(_) if !self.source().starts_with('{') => self.write("[…]"),
            _ => format!("put it in brackets: {}", self.write(&format!("[{}]", self.source()))),
        };
        self.is_not("a list", help)
    }

    pub fn is_not(&self, expected: &str, help: String) -> Wrong {
        let actual = match self.toml.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Wrong::new(format!("{} must be {expected}, this is {actual}", self.label()), help)
    }

    fn is_no_number(&self, expected: &str, example: &str) -> Wrong {
        let help = match self.toml.get_ref() {
            DeValue::String(text) if text.parse::<f64>().is_ok() => {
                format!("leave out the quotes: {}", self.write(text))
            }
            _ => self.write(example),
        };
        self.is_not(expected, help)
    }
}

fn integer(written: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(written.as_str(), written.radix()).ok()
}

/// A day of TOML's calendar in chrono's.
pub(super) fn day(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

impl FromToml for String {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.text().map(str::to_owned)
    }
}

impl FromToml for bool {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        match value.toml.get_ref() {
            DeValue::Boolean(yes) => Ok(*yes),
            DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => Err(value
                .is_not("true or false", format!("leave out the quotes: {}", value.write(text)))),
            _ => Err(value.is_not("true or false", value.write("true"))),
        }
    }
}

impl FromToml for u32 {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(0..=Self::MAX.into())
    }
}

impl FromToml for u64 {
    /// TOML's own limit is that of `i64`.
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(0..=i64::MAX.into())
    }
}

/// A number of days that calendar arithmetic can bear: up to ten years.
pub(super) struct Days(pub u32);

impl FromToml for Days {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(0..=3660).map(Self)
    }
}

/// From 0 to 100, with or without a fraction.
pub(super) struct Percent(pub f64);

impl FromToml for Percent {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let number: f64 = match value.toml.get_ref() {
            // As floats, so that a number beyond any integer type is too large, not no number.
            DeValue::Integer(written) => {
                integer(written).map_or(f64::INFINITY, |number| number as f64)
            }
            DeValue::Float(written) => written.as_str().parse().unwrap_or(f64::NAN),
            _ => return Err(value.is_no_number("a number", "5")),
        };
        if (0.0..=100.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Wrong::new(
                format!("{} is {}, outside 0 to 100", value.label(), value.source()),
                "write a percentage from 0 to 100",
            ))
        }
    }
}

impl FromToml for NaiveDate {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        match value.datetime("2027-01-01")? {
            Datetime { date: Some(date), time: None, offset: None } => day(*date)
                .ok_or_else(|| value.is_not("a day of the calendar", value.write("2027-01-01"))),
            Datetime { date: Some(date), .. } => {
                Err(value.is_not("a day without a time", value.write(&date.to_string())))
            }
            _ => Err(value.is_not("a day, not a time of day", value.write("2027-01-01"))),
        }
    }
}

impl FromToml for Tz {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        text.parse().map_err(|_| {
            let help = match nearest(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
                Some(meant) => value.write(&format!("\"{meant}\"")),
                None => "write a zone of the IANA database, as \"Pacific/Auckland\" or \"Europe/London\"".to_owned(),
            };
            Wrong::new(format!("{} is \"{text}\", which is no time zone", value.label()), help)
        })
    }
}
