//! Inventories for tests, and reading them to the end.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use worker::domain::row::{Row, Warnings};
use worker::inventory::{
    BadRow, Columns, Error, Reader, Rules, ScopeMemo, Selection, Source, parse,
};

pub const CLIENT: &str = "0123456789ABCDEF0123456789ABCDEF";

/// What a row became.
pub type Parsed = Result<(Row, Warnings), BadRow>;

/// Reads everything, in batches as they come.
pub async fn read_with(source: Source, columns: Columns) -> Result<Vec<Parsed>, Error> {
    let rules = Rules { client_id: CLIENT.to_owned(), ignore_refresh_tokens: false };
    let mut memo = ScopeMemo::default();
    let mut parsed = Vec::new();
    let mut reader = Reader::open(source, columns).await?;
    while let Some(batch) = reader.next().await? {
        parsed.extend(batch.rows().map(|row| parse(&row, &rules, &mut memo)));
        reader.recycle(batch);
    }
    Ok(parsed)
}

pub async fn read(source: Source) -> Result<Vec<Parsed>, Error> {
    read_with(source, Columns::default()).await
}

pub fn sql(url: &str, query: &str) -> Source {
    selected(url, query, Selection::All)
}

pub fn selected(url: &str, query: &str, selection: Selection) -> Source {
    Source::Sql { url: SecretString::from(url), query: query.to_owned(), selection }
}

/// A directory with one file in it.
pub struct OneFile {
    dir: tempfile::TempDir,
}

impl OneFile {
    pub fn new(content: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("inventory"), content).expect("a temporary file");
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("inventory")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn csv(&self) -> Source {
        Source::Csv { path: self.path() }
    }

    pub fn jsonl(&self) -> Source {
        Source::Jsonl { path: self.path() }
    }
}

/// Reads CSV text.
pub async fn read_csv(content: impl AsRef<[u8]>) -> Result<Vec<Parsed>, Error> {
    read(OneFile::new(content).csv()).await
}

/// Reads JSON Lines text.
pub async fn read_jsonl(content: impl AsRef<[u8]>) -> Result<Vec<Parsed>, Error> {
    read(OneFile::new(content).jsonl()).await
}

/// The tenth tenant's id is `id("a", 10)`, and so on.
pub fn id(kind: &str, number: usize) -> String {
    format!("{kind}0000000-0000-4000-8000-{number:012x}")
}

/// The codes of the bad rows with their places, and how many rows are good.
pub fn bad_rows(parsed: &[Parsed]) -> (Vec<(String, &'static str)>, usize) {
    let bad: Vec<(String, &'static str)> = parsed
        .iter()
        .filter_map(|row| row.as_ref().err())
        .map(|bad| (bad.place.to_string(), bad.reason.code()))
        .collect();
    let good = parsed.len() - bad.len();
    (bad, good)
}
