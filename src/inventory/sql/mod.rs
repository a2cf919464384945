//! A query against the database where the connections are kept. The query is the user's;
//! around it the worker puts a read-only transaction, the columns it needs as text, and for
//! a second look the ids it wants.

mod mysql;
mod postgres;
mod query;
mod sqlite;

use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::MAX_RECORD;
use super::bad::{BadReason, Place};
use super::columns::{Column, Columns};
use super::error::Error;
use super::feed::{Feed, Halt, Message};
use super::filling::Filling;
use super::raw::{Flaw, Spans, digest};
use super::reader::Selection;

/// How long a database may take to answer at all.
const CONNECT: Duration = Duration::from_secs(30);

/// Reads the answer to `query` into `feed`.
pub(super) async fn read(
    url: &SecretString,
    query: &str,
    selection: &Selection,
    columns: &Columns,
    feed: &mut Feed,
) -> Result<(), Halt> {
    let database = Database::new(url)?;
    let asked = Asked { query: query::clean(query), selection, columns };
    match database.url.expose_secret().split(':').next() {
        Some("postgres" | "postgresql") => postgres::read(&database, &asked, feed).await,
        Some("mysql" | "mariadb") => mysql::read(&database, &asked, feed).await,
        Some("sqlite") => sqlite::read(&database, &asked, feed).await,
        _ => Err(Error::Address { reason: "its scheme is none that is known".to_owned() }.into()),
    }
}

/// What is wanted of a database.
struct Asked<'a> {
    query: String,
    selection: &'a Selection,
    columns: &'a Columns,
}

/// The columns of a query's answer that are read: ours, and the name there.
type Layout<'a> = Vec<(Column, &'a str)>;

impl Asked<'_> {
    fn layout<'n>(&self, database: &Database, names: &'n [String]) -> Result<Layout<'n>, Error> {
        let misfit = |misfit| Error::misfit(&database.place, self.columns, names, misfit, None);
        let layout = self.columns.locate(names).map_err(misfit)?;
        Ok(layout.into_iter().map(|(column, at)| (column, names[at].as_str())).collect())
    }
}

/// A database by its address, and how to speak of it without its password.
struct Database {
    url: SecretString,
    place: String,
    password: Option<String>,
}

impl Database {
    fn new(url: &SecretString) -> Result<Self, Error> {
        let text = url.expose_secret();
        let (place, password) = match Url::parse(text) {
            Ok(parsed) => (place(&parsed), parsed.password().map(str::to_owned)),
            // SQLite's addresses need not be URLs.
            Err(_) if text.starts_with("sqlite:") => (text.to_owned(), None),
            Err(error) => return Err(Error::Address { reason: error.to_string() }),
        };
        Ok(Self { url: url.clone(), place, password })
    }

    fn unreadable(&self, error: &sqlx::Error) -> Error {
        let (reason, remedy) = match error {
            sqlx::Error::Database(database) => (
                database.message().to_owned(),
                "check [inventory] query by running it by hand, and that the worker's database \
                 user may select",
            ),
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => {
                (error.to_string(), "check [inventory] url")
            }
            _ => (error.to_string(), "check that the database runs, and [inventory] url"),
        };
        Error::unreadable(&self.place, self.redacted(reason), remedy)
    }

    fn broke_off(&self, rows: u64, error: &sqlx::Error) -> Error {
        let reason = match error {
            sqlx::Error::Database(database) => database.message().to_owned(),
            _ => error.to_string(),
        };
        let reason = format!("it broke off after {rows} rows: {}", self.redacted(reason));
        Error::unreadable(&self.place, reason, "nothing was changed; run it again")
    }

    fn silent(&self) -> Error {
        let reason = format!("no answer within {} s", CONNECT.as_secs());
        Error::unreadable(&self.place, reason, "check that the database runs, and [inventory] url")
    }

    /// Drivers do not print passwords; a database's own message might.
    fn redacted(&self, text: String) -> String {
        match &self.password {
            Some(password) if !password.is_empty() => text.replace(password.as_str(), "***"),
            _ => text,
        }
    }
}

/// Scheme, host, port and database; not the user, who is nobody's business in a log.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let slashes = if url.cannot_be_a_base() { "" } else { "//" };
    format!("{}:{slashes}{host}{port}{}", url.scheme(), url.path())
}

/// A field of a row as the driver has it.
struct Cell<'r> {
    bytes: &'r [u8],
    /// A blob or the like: 16 bytes of one may be a UUID.
    is_binary: bool,
}

/// Rows on their way from the driver to the feed.
struct Rows<'a> {
    feed: &'a mut Feed,
    filling: Filling,
    read: u64,
}

impl<'a> Rows<'a> {
    /// To be called when the columns are known.
    async fn open(feed: &'a mut Feed) -> Result<Self, Halt> {
        feed.send(Message::Open { total: None }).await?;
        let filling = feed.filling();
        Ok(Self { feed, filling, read: 0 })
    }

    /// Takes all rows of one statement. `cell` gives a field by its position.
    async fn take<R>(
        &mut self,
        database: &Database,
        layout: &[(Column, &str)],
        mut rows: BoxStream<'_, Result<R, sqlx::Error>>,
        cell: impl for<'r> Fn(&'r R, usize) -> Result<Option<Cell<'r>>, sqlx::Error>,
    ) -> Result<(), Halt> {
        loop {
            let row = match rows.try_next().await {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(()),
                Err(error) if self.read == 0 => return Err(database.unreadable(&error).into()),
                Err(error) => return Err(database.broke_off(self.read, &error).into()),
            };
            self.read += 1;
            self.push(layout, |at| cell(&row, at))
                .map_err(|error| database.broke_off(self.read, &error))?;
            drop(row);
            if self.filling.is_full() {
                self.flush().await?;
            }
        }
    }

    fn push<'r>(
        &mut self,
        layout: &[(Column, &str)],
        cell: impl Fn(usize) -> Result<Option<Cell<'r>>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let start = self.filling.used();
        let mut spans = Spans::default();
        for (at, (column, _)) in layout.iter().enumerate() {
            let Some(Cell { bytes, is_binary }) = cell(at)? else { continue };
            spans[column.index()] = match <[u8; 16]>::try_from(bytes) {
                Ok(id) if is_binary && column.is_id() => {
                    let id = uuid::Uuid::from_bytes(id);
                    self.filling.put(id.hyphenated().encode_lower(&mut [0; 36]).as_bytes())
                }
                _ => self.filling.put(bytes),
            };
        }
        let place = Place::Row(self.read);
        if self.filling.used() - start <= MAX_RECORD {
            self.filling.push(place, spans, None);
            return Ok(());
        }
        let digest = digest([self.filling.written(start, self.filling.used())]);
        let ids = self.filling.keep_ids(start, &spans);
        let flaw = Flaw { column: None, reason: BadReason::TooLong, digest };
        self.filling.push(place, ids, Some(flaw));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Halt> {
        let full = std::mem::replace(&mut self.filling, self.feed.filling());
        self.feed.send(Message::Batch(full.seal(self.read))).await
    }
}
