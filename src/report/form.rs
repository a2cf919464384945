//! The forms of the progress report.

use std::io::{self, Write};
use std::path::Path;

use crate::domain::campaign::Campaign;

use super::document::Document;
use super::{csv, html, text};

/// In which form a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For a terminal.
    #[default]
    Text,
    /// One document on one line.
    Json,
    /// The campaign day by day.
    Csv,
    /// One page for a browser, with all that belongs to it.
    Html,
}

impl Form {
    /// The form that a file's ending names; a page, where it names none.
    #[must_use]
    pub fn of_ending(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Self::Json,
            Some("csv") => Self::Csv,
            Some("txt") => Self::Text,
            _ => Self::Html,
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(
        self,
        document: &Document,
        campaign: &Campaign,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Text => text::write(document, campaign, out),
            Self::Json => {
                serde_json::to_writer(&mut *out, document)?;
                writeln!(out)
            }
            Self::Csv => csv::write(document, out),
            Self::Html => html::write(document, campaign, out),
        }
    }
}
