//! The plan document. Its lists may be long, so they wait in temporary files until the
//! counts that stand before them are known.

use std::io::{self, BufRead, BufReader, Seek, Write};

use chrono::NaiveDate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::SpooledTempFile;

use crate::domain::decide::Action;
use crate::domain::reason::{Code, Reason};

use super::progress::Progress;

/// A gate of the whole run: what it stops is planned nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedBy {
    pub step: &'static str,
    pub code: Code,
    pub text: String,
}

/// A prompt that would be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PromptEntry {
    pub stage: String,
    pub recipient: String,
    pub channel: String,
    pub connections: Vec<String>,
    /// Of the message as it would be sent; `None` while there are no messages.
    pub message_sha256: Option<String>,
    pub reason: String,
}

/// A connection that would be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct RemovalEntry {
    pub connection_id: String,
    pub tenant_id: String,
    pub grant: String,
    pub not_before: String,
    pub reason: String,
}

/// What is due, or a candidate, and stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBackEntry {
    /// Xero's; `None` where the host does not have it.
    pub connection_id: Option<String>,
    /// What `explain` understands in any case.
    pub connection_key: String,
    pub action: Action,
    pub reasons: Vec<Reason>,
}

/// Bytes of a list kept in memory before it goes to a temporary file.
const IN_MEMORY: usize = 256 << 10;

/// A list that is written once and read once.
#[derive(Debug)]
pub struct List {
    items: SpooledTempFile,
    length: u64,
}

impl Default for List {
    fn default() -> Self {
        Self { items: SpooledTempFile::new(IN_MEMORY), length: 0 }
    }
}

impl List {
    /// # Errors
    /// The temporary directory cannot be written to.
    pub fn push(&mut self, item: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.items, item)?;
        self.items.write_all(b"\n")?;
        self.length += 1;
        Ok(())
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Writes it as a JSON array.
    ///
    /// # Errors
    /// `out` or the temporary file.
    pub fn write_array(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.items.rewind()?;
        out.write_all(b"[")?;
        let mut items = BufReader::new(&mut self.items);
        let mut item = Vec::new();
        for number in 0..self.length {
            item.clear();
            items.read_until(b'\n', &mut item)?;
            if number > 0 {
                out.write_all(b",")?;
            }
            out.write_all(item.trim_ascii_end())?;
        }
        out.write_all(b"]")
    }

    /// Passes on every item.
    ///
    /// # Errors
    /// The temporary file cannot be read, or `each` fails.
    pub fn each<T: DeserializeOwned>(
        &mut self,
        mut each: impl FnMut(T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.items.rewind()?;
        for line in BufReader::new(&mut self.items).lines() {
            each(serde_json::from_str(&line?)?)?;
        }
        Ok(())
    }

    /// Reads it from its beginning, one item after the other.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn reader<T: DeserializeOwned>(
        &mut self,
    ) -> io::Result<impl Iterator<Item = io::Result<T>> + use<'_, T>> {
        self.items.rewind()?;
        let lines = BufReader::new(&mut self.items).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }

    /// The first `most` items.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn first<T: DeserializeOwned>(&mut self, most: usize) -> io::Result<Vec<T>> {
        self.items.rewind()?;
        let items = BufReader::new(&mut self.items);
        let parse = |line: io::Result<String>| Ok(serde_json::from_str::<T>(&line?)?);
        items.lines().take(most).map(parse).collect()
    }
}

/// A stage that opens on the campaign's next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tomorrow {
    pub stage: String,
    pub day: NaiveDate,
    /// Prompts that will be due, whatever the caps let out of them on the first day.
    pub prompts: u64,
    /// The most that go out on the first day, where there are caps.
    pub first_day: Option<u64>,
}

/// The lists of a plan.
#[derive(Debug, Default)]
pub struct Plan {
    pub blocked_by: Vec<BlockedBy>,
    /// What does not stop anything and somebody should know.
    pub warnings: Vec<BlockedBy>,
    pub tomorrow: Option<Tomorrow>,
    pub prompts: List,
    pub removals: List,
    pub held_back: List,
}

impl Plan {
    /// Writes the plan document on one line.
    ///
    /// # Errors
    /// `out` or a temporary file.
    pub fn write_json(&mut self, progress: &Progress, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\"progress\":{},", serde_json::to_string(progress)?)?;
        write!(out, "\"blocked_by\":{},\"prompts\":", serde_json::to_string(&self.blocked_by)?)?;
        self.prompts.write_array(out)?;
        out.write_all(b",\"removals\":")?;
        self.removals.write_array(out)?;
        out.write_all(b",\"held_back\":")?;
        self.held_back.write_array(out)?;
        if !self.warnings.is_empty() {
            write!(out, ",\"warnings\":{}", serde_json::to_string(&self.warnings)?)?;
        }
        out.write_all(b"}\n")
    }
}
