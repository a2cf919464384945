//! The bytes of a file, chunk by chunk, and the ways in which a file is no inventory.

use std::fs::{self, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::error::Error;

/// Bytes looked at in one go.
pub(super) const CHUNK: usize = 128 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Said of a file that has zero bytes between its letters.
pub(super) const UTF16: &str = "it looks like UTF-16: save it as UTF-8";

pub(super) struct Input {
    place: String,
    bytes: BufReader<Box<dyn Read + Send>>,
    /// What the file was when it was opened, where there is a file.
    opened: Option<(fs::File, Metadata)>,
    total: Option<u64>,
    read: u64,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let place = path.display().to_string();
        let failed = |error: io::Error| unreadable(&place, &error);
        let file = fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            let remedy = "write the path of one file in [inventory] path";
            return Err(Error::unreadable(&place, "it is a directory", remedy));
        }
        let total = metadata.is_file().then_some(metadata.len());
        let opened = match total {
            Some(_) => Some((file.try_clone().map_err(failed)?, metadata)),
            None => None,
        };
        Ok(Self { bytes: buffered(Box::new(file)), place, opened, total, read: 0 })
    }

    /// Content that the program carries.
    pub(super) fn embedded(content: &'static [u8]) -> Self {
        Self {
            place: "(embedded example)".to_owned(),
            bytes: buffered(Box::new(content)),
            opened: None,
            total: Some(content.len() as u64),
            read: 0,
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Bytes consumed so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// The bytes at hand, at most [`CHUNK`]; none at the end.
    pub(super) fn chunk(&mut self) -> Result<&[u8], Error> {
        loop {
            match self.bytes.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.place, &error)),
            }
        }
        Ok(self.bytes.buffer())
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
        self.read += count as u64;
    }

    /// Skips a byte order mark, and tells whether the text is in UTF-16.
    pub(super) fn begin(&mut self) -> Result<Encoding, Error> {
        let start = self.chunk()?;
        if start.is_empty() {
            let remedy = "check the export: even without connections it has a header";
            return Err(Error::unreadable(&self.place, "it is empty", remedy));
        }
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Ok(Encoding::Utf16);
        }
        // Without a mark: ASCII letters with a zero before or after each.
        let zeros = |from: usize| start.iter().skip(from).step_by(2).take(8).all(|byte| *byte == 0);
        if start.len() >= 16 && (zeros(0) || zeros(1)) {
            return Ok(Encoding::Utf16);
        }
        if start.starts_with(BOM) {
            self.consume(BOM.len());
        }
        Ok(Encoding::Utf8)
    }

    /// To be asked after the end: whether the file stayed as it was. One that is being
    /// written has an end that is none.
    pub(super) fn finish(&self) -> Result<(), Error> {
        let Some((file, then)) = &self.opened else { return Ok(()) };
        let now = file.metadata().map_err(|error| unreadable(&self.place, &error))?;
        if now.len() == then.len() && now.modified().ok() == then.modified().ok() {
            return Ok(());
        }
        let remedy = "write the export under another name and rename it when it is complete";
        Err(Error::unreadable(&self.place, "it changed while it was being read", remedy))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
}

fn buffered(source: Box<dyn Read + Send>) -> BufReader<Box<dyn Read + Send>> {
    BufReader::with_capacity(CHUNK, source)
}

fn unreadable(place: &str, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => {
            "check [inventory] path: a relative one starts at the directory of the file that \
             says it"
        }
        io::ErrorKind::PermissionDenied => "let the worker's user read it",
        _ => "see the operating system's message",
    };
    Error::unreadable(place, error.to_string(), remedy)
}
