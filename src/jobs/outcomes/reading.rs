//! Where outcomes come from: CSV, JSON Lines, or a Maildir of bounces. Read a batch at a time,
//! so that memory does not grow with the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bounce;
use super::claim::{Claim, Fault, Fields};

/// Lines that are applied together.
const BATCH: usize = 500;
/// A longer line or message is no outcome.
const MAX_BYTES: usize = 1 << 20;

/// One line, or one message.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number from 1, header included; or the name of the message's file.
    pub place: String,
    pub content: Content,
}

/// What a line holds.
#[derive(Debug)]
pub(super) enum Content {
    Claim(Claim),
    /// A message that is no report on one of ours.
    Foreign,
    Bad(Fault),
}

impl From<Result<Claim, Fault>> for Content {
    fn from(claim: Result<Claim, Fault>) -> Self {
        claim.map_or_else(Self::Bad, Self::Claim)
    }
}

/// Passes batches on until there are no more, or nobody takes them.
///
/// # Errors
/// The file cannot be read, or is not in one of the forms.
pub(super) fn read(
    path: &Path,
    mut take: impl FnMut(Vec<Line>) -> bool,
) -> Result<(), super::Error> {
    let unreadable = |source| super::Error::Unreadable { path: path.to_owned(), source };
    let mut batch = Vec::new();
    let mut each = |line: Line| {
        batch.push(line);
        batch.len() < BATCH || take(std::mem::take(&mut batch))
    };
    if path.is_dir() {
        maildir(path, &mut each).map_err(unreadable)?;
    } else {
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let begins = file.fill_buf().map_err(unreadable)?;
        let begins = begins.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begins);
        match begins.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(super::Error::Form("the file is empty".to_owned())),
            Some(b'{') => json_lines(file, &mut each).map_err(unreadable)?,
            Some(_) => csv(file, &mut each, unreadable)?,
        }
    }
    if !batch.is_empty() {
        take(batch);
    }
    Ok(())
}

fn csv(
    file: impl Read,
    each: &mut impl FnMut(Line) -> bool,
    unreadable: impl Fn(io::Error) -> super::Error,
) -> Result<(), super::Error> {
    let no_csv = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => unreadable(error),
        _ => super::Error::Form("the first line is no header in UTF-8".to_owned()),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.headers().map_err(no_csv)?.clone();
    let is_kind = |name: &str| name.trim().eq_ignore_ascii_case("kind");
    if !header.iter().any(is_kind) {
        return Err(super::Error::Form("the first line names no column `kind`".to_owned()));
    }
    let mut record = csv::StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = match &read {
            Ok(true) => record.position().map_or(0, csv::Position::line),
            Ok(false) => return Ok(()),
            Err(error) => error.position().map_or(0, csv::Position::line),
        };
        let read = match read {
            Ok(_) => {
                let mut fields = Fields::default();
                for (name, value) in header.iter().zip(&record) {
                    if let (Some(field), false) = (fields.field(name), value.trim().is_empty()) {
                        *field = Some(value.to_owned());
                    }
                }
                fields.claim().into()
            }
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) => return Err(unreadable(error)),
                _ => Content::Bad(Fault::new("it is not UTF-8")),
            },
        };
        if !each(Line { place: format!("line {line}"), content: read }) {
            return Ok(());
        }
    }
}

fn json_lines(mut file: impl BufRead, each: &mut impl FnMut(Line) -> bool) -> io::Result<()> {
    let mut bytes = Vec::new();
    for number in 1u64.. {
        bytes.clear();
        let most = MAX_BYTES as u64 + 1;
        if file.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let read = if bytes.len() > MAX_BYTES {
            skip_line(&mut file)?;
            Content::Bad(Fault::new("it is longer than 1 MiB"))
        } else {
            let line = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            json(line).into()
        };
        if !each(Line { place: format!("line {number}"), content: read }) {
            break;
        }
    }
    Ok(())
}

fn skip_line(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        let is_end = end.is_some() || buffer.is_empty();
        file.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

fn json(line: &[u8]) -> Result<Claim, Fault> {
    let Ok(Value::Object(members)) = serde_json::from_slice(line) else {
        return Err(Fault::new("it is no JSON object"));
    };
    let mut fields = Fields::default();
    for (name, value) in members {
        let Some(field) = fields.field(&name) else { continue };
        *field = match value {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(text),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Array(list) => {
                let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                let texts = texts
                    .ok_or_else(|| Fault::new(format!("{name} holds something that is no text")))?;
                Some(texts.join(" "))
            }
            _ => return Err(Fault::new(format!("{name} is no text"))),
        };
    }
    fields.claim()
}

/// The messages of `new` and `cur`, or of a folder that holds messages and nothing else, in
/// order of their names.
fn maildir(path: &Path, each: &mut impl FnMut(Line) -> bool) -> io::Result<()> {
    let parts = [path.join("new"), path.join("cur")];
    let folders = if parts.iter().any(|part| part.is_dir()) { &parts[..] } else { &[path.into()] };
    for folder in folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut files: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.retain(|file| file.is_file());
        files.sort();
        for file in files {
            let mut bytes = Vec::new();
            File::open(&file)?.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let read = bounce::read(&bytes).map_or(Content::Foreign, Content::Claim);
            if !each(Line { place: name, content: read }) {
                return Ok(());
            }
        }
    }
    Ok(())
}
