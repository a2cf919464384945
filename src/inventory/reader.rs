//! The one way to read an inventory, whatever its kind.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::task::AbortHandle;

use crate::domain::ids::TenantId;

use super::columns::Columns;
use super::error::Error;
use super::feed::{self, Feed, Halt, Message, Outlet};
use super::file::Input;
use super::memory::KeptRow;
use super::raw::Batch;
use super::{csv, jsonl, memory, sql};

/// Where the connections are stored.
#[derive(Debug)]
pub enum Source {
    Csv {
        path: PathBuf,
    },
    /// A CSV file that the program carries.
    CsvBytes(&'static [u8]),
    Jsonl {
        path: PathBuf,
    },
    /// Rows in memory as they are at one moment.
    Rows(Vec<Arc<KeptRow>>),
    /// PostgreSQL, MySQL, MariaDB or SQLite, by the scheme of the URL.
    Sql {
        url: SecretString,
        query: String,
        selection: Selection,
    },
}

/// Which rows of a query's answer are wanted.
#[derive(Clone, Debug, Default)]
pub enum Selection {
    #[default]
    All,
    /// A second look at all that is about these, right before something is done to one of
    /// them: a row that was given another connection id is found as well.
    Tenants(Vec<TenantId>),
}

/// How far a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// `total` is not known of a pipe.
    Bytes {
        read: u64,
        total: Option<u64>,
    },
    Rows {
        read: u64,
    },
}

/// Batches of raw rows from an open source. Dropping it ends the reading.
#[derive(Debug)]
pub struct Reader {
    outlet: Outlet,
    progress: Progress,
    /// Reading a database waits for the network; a file's thread ends by itself.
    task: Option<AbortHandle>,
    is_done: bool,
}

impl Reader {
    /// Opens the source and looks at its columns. To be called in a tokio runtime.
    ///
    /// # Errors
    /// The source is not there, cannot be read, or lacks a column.
    pub async fn open(source: Source, columns: Columns) -> Result<Self, Error> {
        let (feed, outlet) = feed::channel();
        let (progress, task) = start(source, columns, feed);
        let mut reader = Self { outlet, progress, task, is_done: false };
        match reader.outlet.messages.recv().await {
            Some(Message::Open { total: size }) => {
                if let Progress::Bytes { total, .. } = &mut reader.progress {
                    *total = size;
                }
                Ok(reader)
            }
            Some(Message::Failed(error)) => Err(error),
            Some(Message::Batch(_) | Message::End) | None => Err(stopped()),
        }
    }

    /// The next rows; `None` after the last ones. May be cancelled without losing any.
    ///
    /// # Errors
    /// The source broke off: what was read so far is not the inventory.
    pub async fn next(&mut self) -> Result<Option<Batch>, Error> {
        if self.is_done {
            return Ok(None);
        }
        match self.outlet.messages.recv().await {
            Some(Message::Batch(batch)) => {
                match &mut self.progress {
                    Progress::Bytes { read, .. } | Progress::Rows { read } => *read = batch.read,
                }
                Ok(Some(batch))
            }
            Some(Message::End) => {
                self.is_done = true;
                Ok(None)
            }
            Some(Message::Failed(error)) => Err(error),
            Some(Message::Open { .. }) | None => Err(stopped()),
        }
    }

    /// Gives a batch's memory back for the next one.
    pub fn recycle(&self, batch: Batch) {
        // Where the reading is done or has memory enough, the batch is simply freed.
        drop(self.outlet.spare.try_send(batch));
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn start(source: Source, columns: Columns, feed: Feed) -> (Progress, Option<AbortHandle>) {
    let bytes = Progress::Bytes { read: 0, total: None };
    match source {
        Source::Csv { path } => {
            on_a_thread(feed, move |feed| csv::read(Input::open(&path)?, &columns, feed));
            (bytes, None)
        }
        Source::CsvBytes(content) => {
            on_a_thread(feed, move |feed| csv::read(Input::embedded(content), &columns, feed));
            (bytes, None)
        }
        Source::Jsonl { path } => {
            on_a_thread(feed, move |feed| jsonl::read(Input::open(&path)?, &columns, feed));
            (bytes, None)
        }
        Source::Rows(rows) => {
            let reading = async move {
                let mut feed = feed;
                let outcome = memory::read(&rows, &mut feed).await;
                if let Some(message) = feed::last(outcome) {
                    // Nobody left to tell.
                    drop(feed.send(message).await);
                }
            };
            (Progress::Rows { read: 0 }, Some(tokio::spawn(reading).abort_handle()))
        }
        Source::Sql { url, query, selection } => {
            let reading = async move {
                let mut feed = feed;
                let outcome = sql::read(&url, &query, &selection, &columns, &mut feed).await;
                if let Some(message) = feed::last(outcome) {
                    // Nobody left to tell.
                    drop(feed.send(message).await);
                }
            };
            (Progress::Rows { read: 0 }, Some(tokio::spawn(reading).abort_handle()))
        }
    }
}

fn on_a_thread(mut feed: Feed, read: impl FnOnce(&mut Feed) -> Result<(), Halt> + Send + 'static) {
    tokio::task::spawn_blocking(move || {
        if let Some(message) = feed::last(read(&mut feed)) {
            // Nobody left to tell.
            drop(feed.send_blocking(message));
        }
    });
}

fn stopped() -> Error {
    Error::unreadable(
        "source",
        "its reader stopped before the end",
        "this is a bug: please report it",
    )
}
