//! Where a database lives. A copy or a restored one knows less than was really sent, so it
//! must not send by itself; this is how that is noticed (docs/database.md, "Backup, and loss").
//!
//! The database remembers its place, and how many batches of effects it has committed. On
//! SQLite a file beside it remembers that number too, since an older file can be put in the
//! place of a newer one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::domain::confirmation::{Confirmation, Facts, Subject};

use super::audit::append;
use super::confirmations;
use super::open::session_with;
use super::settings::{self, put};
use super::{Database, Error, Store, Tx, with_tx};

const HOME: &str = "home";
const LEDGER: &str = "ledger";

/// Digits of the number in the file beside: always as many, so that a shorter one leaves
/// nothing of a longer one.
const DIGITS: usize = 19;

/// A place where a database was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// What tells it from other places, as far as it could be asked.
    pub facts: Facts,
    beside: Beside,
}

/// What the file beside a SQLite database says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beside {
    /// Not the way of this database.
    NotKept,
    Missing(PathBuf),
    Number(i64),
    Unreadable(PathBuf),
}

/// The database is not where it was, or not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub text: String,
}

impl Database {
    /// The place it is in now; `None` while there is nothing.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn home(&self) -> Result<Option<Home>, Error> {
        match self {
            Self::Sqlite(_) if self.is_missing() => Ok(None),
            Self::Sqlite(path) => of_file(path).map(Some),
            Self::Postgres(options, _) => of_server(options).await.map(Some),
        }
    }
}

fn of_file(path: &Path) -> Result<Home, Error> {
    let file = std::fs::metadata(path).map_err(|source| failed("look at", path, source))?;
    let born = file.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let facts = Facts::of([
        ("kind", Some("sqlite".to_owned())),
        ("inode", Some(file.ino().to_string())),
        // Not every file system knows it; where one does, a number that was given again to
        // another file is not taken for the first.
        ("born", born.map(|born| born.as_micros().to_string())),
    ]);
    let beside = beside(path);
    let beside = match std::fs::read_to_string(&beside) {
        Ok(text) => text.trim().parse().map_or(Beside::Unreadable(beside), Beside::Number),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Beside::Missing(beside),
        Err(_) => Beside::Unreadable(beside),
    };
    Ok(Home { facts, beside })
}

/// What tells one PostgreSQL database from another.
const QUESTIONS: [(&str, &str); 4] = [
    ("cluster", "SELECT system_identifier::text FROM pg_control_system()"),
    // Of what is written now: the control file has it from the next checkpoint on only. A
    // standby does not say, and has no effects.
    ("timeline", "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"),
    ("database", "SELECT oid::text FROM pg_database WHERE datname = current_database()"),
    ("tables", "SELECT to_regclass('settings')::oid::text"),
];

async fn of_server(options: &PgConnectOptions) -> Result<Home, Error> {
    let mut server = session_with(options).await?;
    let mut facts = vec![("kind", Some("postgresql".to_owned()))];
    for (name, question) in QUESTIONS {
        facts.push((name, ask(&mut server, question).await?));
    }
    let facts = Facts::of(facts);
    server.close().await?;
    Ok(Home { facts, beside: Beside::NotKept })
}

/// What the server says; nothing where this user may not ask or the server cannot tell.
async fn ask(server: &mut PgConnection, question: &'static str) -> Result<Option<String>, Error> {
    // In one step, since behind a pooler two may meet different sessions.
    match server.fetch_one(question).await {
        Ok(answer) => Ok(answer.try_get(0)?),
        Err(sqlx::Error::Database(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Home {
    /// Facts that this kind of database has and that could not be asked, in words.
    #[must_use]
    pub fn unknown(&self) -> Vec<&'static str> {
        let wanted: &[(&str, &'static str)] = match self.beside {
            Beside::NotKept => &[
                ("cluster", "which cluster it is (pg_control_system)"),
                ("timeline", "its timeline (pg_walfile_name)"),
            ],
            _ => &[("born", "since when the file exists")],
        };
        let missing = wanted.iter().filter(|(name, _)| self.facts.get(name).is_none());
        missing.map(|(_, words)| *words).collect()
    }

    fn objections(&self, before: Option<&Facts>, ledger: i64) -> Vec<String> {
        let mut objections = Vec::new();
        if let Some(before) = before {
            let differing = before.differing(&self.facts).into_iter();
            for name in differing.filter(|name| before.get(name).is_some()) {
                // What cannot be asked any more proves nothing.
                if self.facts.get(name).is_some() {
                    objections.push(said_of(name).to_owned());
                }
            }
            // One of the two files is enough of a difference.
            objections.dedup();
        }
        match &self.beside {
            Beside::Number(highest) if *highest > ledger => objections.push(format!(
                "from here messages went out in {highest} batches, and this database knows of {ledger}: \
                 it is an older one, or a new one"
            )),
            Beside::Missing(path) if ledger > 0 => objections.push(format!(
                "the file {} that belongs to it is not there",
                path.display()
            )),
            Beside::Unreadable(path) => {
                objections.push(format!("the file {} holds no number", path.display()));
            }
            Beside::Number(_) | Beside::Missing(_) | Beside::NotKept => {}
        }
        objections
    }
}

fn said_of(fact: &str) -> &'static str {
    match fact {
        "inode" | "born" => "its file is another one than it was: a copy, or restored",
        "cluster" => "it is in another cluster than it was",
        "timeline" => "its cluster was restored, or a standby took over",
        "database" => "it is another database of the cluster than it was",
        "tables" => "its tables were made anew",
        _ => "it is of another kind than it was",
    }
}

impl Store {
    /// Whether the database, found in this place, is a copy, an older one, or a new one where
    /// there was another. It then has no effects until [`Store::settle_home`].
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn home_moved(&self, home: &Home) -> Result<Option<Moved>, Error> {
        let before = match self.setting(HOME).await? {
            Some(text) => {
                let facts = Facts::read(&text);
                Some(facts.ok_or_else(|| Error::inconsistent("settings", "value", HOME))?)
            }
            None => None,
        };
        let objections = home.objections(before.as_ref(), self.ledger().await?);
        Ok((!objections.is_empty()).then(|| Moved { text: objections.join("; ") }))
    }

    /// Remembers the place of a database that has none yet, unless there is something odd
    /// about it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn bind_home(&self, home: &Home) -> Result<(), Error> {
        if self.setting(HOME).await?.is_some() || self.home_moved(home).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        put(&mut tx, HOME, &home.facts.text()).await?;
        tx.commit().await
    }

    /// Takes this place for the right one, on somebody's word.
    ///
    /// # Errors
    /// The database cannot be used, or the file beside it cannot be written.
    pub async fn settle_home(&self, home: &Home, word: &Confirmation) -> Result<(), Error> {
        let mut ledger = self.ledger().await?;
        if let Beside::Number(highest) = home.beside {
            ledger = ledger.max(highest);
        }
        let mut tx = self.begin().await?;
        confirmations::insert(&mut tx, Subject::Database, &home.facts, word).await?;
        settings::set(&mut tx, HOME, &home.facts.text()).await?;
        settings::set(&mut tx, LEDGER, &ledger.to_string()).await?;
        append(&mut tx, &[confirmations::act(Subject::Database, &home.facts, word)]).await?;
        tx.commit().await?;
        if ledger > 0 || matches!(home.beside, Beside::Unreadable(_)) {
            self.write_beside(ledger, true).await?;
        }
        Ok(())
    }

    /// Counts a batch of effects that is about to leave. Between committing its rows and the
    /// first of them leaving; an error means that nothing may leave.
    ///
    /// # Errors
    /// The database or the file beside it cannot be written.
    pub async fn note_effects(&self) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let number = count_effects(&mut tx).await?;
        tx.commit().await?;
        self.keep_count(number).await
    }

    /// Writes what [`count_effects`] gave beside the database, once that is committed.
    ///
    /// # Errors
    /// The file cannot be written: nothing may leave.
    pub(super) async fn keep_count(&self, number: i64) -> Result<(), Error> {
        self.write_beside(number, false).await
    }

    async fn ledger(&self) -> Result<i64, Error> {
        let Some(text) = self.setting(LEDGER).await? else { return Ok(0) };
        text.parse().map_err(|_| Error::inconsistent("settings", "value", LEDGER))
    }

    async fn write_beside(&self, number: i64, anew: bool) -> Result<(), Error> {
        let Self::Sqlite(pool) = self else { return Ok(()) };
        let path = beside(pool.connect_options().get_filename());
        // Whoever looks whether the database is at rest shall not think so meanwhile: a
        // simulation's clock would go on. No connection can stand for it: the caller may hold
        // the write lock, and those who wait for that hold the other connections.
        let _writing = Writing::begin();
        let written = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || write_highest(&path, number, anew)).await
        };
        written
            .map_err(io::Error::other)
            .and_then(|written| written)
            .map_err(|source| failed("write", &path, source))
    }
}

/// Files beside databases that are being written, in all of this process.
static WRITTEN_NOW: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Writing;

impl Writing {
    fn begin() -> Self {
        WRITTEN_NOW.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITTEN_NOW.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether no file beside a database is being written.
pub(super) fn is_at_rest() -> bool {
    WRITTEN_NOW.load(Ordering::SeqCst) == 0
}

/// The number of the batch of effects that a transaction commits.
pub(super) async fn count_effects(tx: &mut Tx) -> Result<i64, Error> {
    const SQL: &str = "INSERT INTO settings (name, value) VALUES ($1, '1') \
        ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS bigint) + 1 AS text) \
        RETURNING value";
    let text: String =
        with_tx!(tx, db => sqlx::query_scalar(SQL).bind(LEDGER).fetch_one(db).await)?;
    text.parse().map_err(|_| Error::inconsistent("settings", "value", LEDGER))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-ledger");
    PathBuf::from(name)
}

/// Writes the number down, for good, unless a higher one is there; `anew` whatever is there.
fn write_highest(path: &Path, number: i64, anew: bool) -> io::Result<()> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    // Another process may be about to write a higher one.
    file.lock()?;
    let mut text = String::new();
    if !anew && file.read_to_string(&mut text).is_ok() {
        let there: Option<i64> = text.trim().parse().ok();
        if there.is_some_and(|there| there >= number) {
            return Ok(());
        }
    }
    file.seek(SeekFrom::Start(0))?;
    let line = format!("{number:0DIGITS$}\n");
    file.write_all(line.as_bytes())?;
    file.set_len(line.len() as u64)?;
    file.sync_all()
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.display().to_string(), source }
}
