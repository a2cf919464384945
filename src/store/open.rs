//! Opening the database: where it is, which schema it has, and bringing it up to date.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, SqlitePool};

use super::{Error, Store, Tx, dialect, pooler, with_db, with_tx};

/// The schema this worker works on: the number of the newest file in `migrations/`.
pub const SCHEMA_VERSION: i64 = 13;

/// How long a statement waits for another writer, and a caller for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the reason is looked for when a caller's patience has ended.
const LAST_TRY: Duration = Duration::from_secs(2);
/// SQLite's pages in a new file: half as many to find in a long write-ahead log as usual.
const PAGE_BYTES: u32 = 8 * 1024;
/// SQLite's page cache for each connection, in KiB; also what it sorts at a time when it
/// builds an index. Twice as much made neither a scan nor an index faster.
const CACHE_KIB: u32 = 4 * 1024;
/// Threads beside SQLite's own that help it sort: nothing else runs while indexes are built.
const SORTING_THREADS: &str = "1";

/// Rows that SQLite's thread may be ahead of whoever reads them: with fewer, a scan and a plan
/// spend more time on handing over than on reading.
const BUFFERED_ROWS: usize = 500;

/// Where the database is.
#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>, String),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(..) => f.write_str("Postgres"),
        }
    }
}

/// What is in a database before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// No table of the worker.
    Empty,
    Version(i64),
}

impl Database {
    /// Reads a database address: `sqlite://FILE` or `postgres://…`.
    ///
    /// # Errors
    /// Another scheme, or an address that its driver cannot read.
    pub fn parse(url: &str) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?;
            return Ok(Self::Sqlite(options.get_filename().to_owned()));
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = Box::new(postgres_options(url)?);
            return Ok(Self::Postgres(options, url.to_owned()));
        }
        let scheme = url.split(':').next().unwrap_or_default();
        Err(Error::Address(format!("{scheme}:…")))
    }

    /// Whether there is nothing yet: no file, or an empty one.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Sqlite(path) => match std::fs::metadata(path) {
                Ok(file) => file.is_file() && file.len() == 0,
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            },
            Self::Postgres(..) => false,
        }
    }

    /// Opens it for work, creating a missing SQLite file.
    ///
    /// # Errors
    /// It cannot be reached or opened.
    pub async fn open(&self) -> Result<Store, Error> {
        match self {
            Self::Sqlite(path) => {
                Ok(Store::Sqlite(open_sqlite(path, SqliteSynchronous::Full, true).await?))
            }
            Self::Postgres(options, _) => Ok(Store::Postgres(open_postgres(options).await?)),
        }
    }

    /// Opens what is there, and its schema must be this worker's.
    ///
    /// # Errors
    /// It is missing, cannot be opened, or has another schema.
    pub async fn open_existing(&self) -> Result<Store, Error> {
        if self.is_missing() {
            return Err(Error::SchemaOlder { found: 0, needed: SCHEMA_VERSION });
        }
        let store = match self {
            Self::Sqlite(path) => {
                Store::Sqlite(open_sqlite(path, SqliteSynchronous::Full, false).await?)
            }
            Self::Postgres(options, _) => Store::Postgres(open_postgres(options).await?),
        };
        store.require_schema().await?;
        Ok(store)
    }
}

pub(super) async fn open_sqlite(
    path: &Path,
    synchronous: SqliteSynchronous,
    create: bool,
) -> Result<SqlitePool, Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(PATIENCE)
        .page_size(PAGE_BYTES)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("threads", SORTING_THREADS)
        .optimize_on_close(false, None)
        .row_buffer_size(BUFFERED_ROWS)
        // A scan's statements are slow by nature; what a run does is logged by the run.
        .disable_statement_logging();
    Ok(SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        // There is nobody at the other end who could be gone.
        .test_before_acquire(false)
        // A full disk ends a transaction within SQLite; sqlx goes on believing in it, and
        // would refuse to begin another.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(options)
        .await?)
}

/// Waits for a server that is about to come up.
async fn open_postgres(options: &PgConnectOptions) -> Result<PgPool, Error> {
    let mut options = options.clone().disable_statement_logging();
    let mut pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
    // A server that is not there yet is waited for below.
    let has_pooler = match pooler::is_there(&options).await {
        // A name that is not found out, or a server that says nothing: there is no more to it.
        Err(sqlx::Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
            return Err(sqlx::Error::Io(error).into());
        }
        found => found.unwrap_or_default(),
    };
    if has_pooler {
        tracing::debug!("there is a pooler in front of the database");
        options = options.statement_cache_capacity(0);
        pool = pooler::each_use_a_transaction(pool);
    } else {
        pool = each_plan_anew(pool);
    }
    match pool.connect_with(options.clone()).await {
        Ok(pool) => Ok(pool),
        Err(sqlx::Error::PoolTimedOut) => Err(why_not(&options).await.into()),
        Err(error) => Err(error.into()),
    }
}

/// Tables grow from nothing while a worker sends. A plan that is kept from when one was empty
/// reads all of it, for as long as the connection lives; and what is guessed about a table
/// without figures makes a lookup seem worth compiling, which takes longer than it.
const SETTINGS: &str = "SET plan_cache_mode = force_custom_plan; SET jit = off";

fn each_plan_anew(pool: PgPoolOptions) -> PgPoolOptions {
    pool.after_connect(|connection, _| {
        Box::pin(async { connection.execute(SETTINGS).await.map(|_| ()) })
    })
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("worker");
    // Nothing here is a floating-point number, and not every pooler lets this one pass.
    Ok(options.extra_float_digits(None))
}

/// A session of its own, beside those of the pool. Nothing else limits how long a name takes to
/// be resolved, or a server to answer.
pub(super) async fn session_with(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await {
        Ok(session) => session,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no session within {} s", PATIENCE.as_secs()),
        )
        .into()),
    }
}

/// Why a server cannot be reached, which the pool keeps to itself.
async fn why_not(options: &PgConnectOptions) -> sqlx::Error {
    match tokio::time::timeout(LAST_TRY, PgConnection::connect_with(options)).await {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut,
    }
}

impl Store {
    /// # Errors
    /// The database cannot be used.
    pub async fn schema(&self) -> Result<SchemaState, Error> {
        let table = match self {
            Self::Sqlite(_) => {
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
            }
            Self::Postgres(_) => {
                "SELECT count(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')"
            }
        };
        let known: i64 = with_db!(self, db => sqlx::query_scalar(table).fetch_one(db).await)?;
        if known == 0 {
            return Ok(SchemaState::Empty);
        }
        let newest = "SELECT max(version) FROM _sqlx_migrations WHERE success";
        let version: Option<i64> =
            with_db!(self, db => sqlx::query_scalar(newest).fetch_one(db).await)?;
        Ok(version.map_or(SchemaState::Empty, SchemaState::Version))
    }

    /// # Errors
    /// The schema is older or newer than this worker's.
    pub async fn require_schema(&self) -> Result<(), Error> {
        let found = match self.schema().await? {
            SchemaState::Empty => 0,
            SchemaState::Version(version) => version,
        };
        match found {
            SCHEMA_VERSION => Ok(()),
            newer if newer > SCHEMA_VERSION => {
                Err(Error::SchemaNewer { found: newer, known: SCHEMA_VERSION })
            }
            older => Err(Error::SchemaOlder { found: older, needed: SCHEMA_VERSION }),
        }
    }

    /// Brings the schema up to date; gives the version there was before.
    ///
    /// # Errors
    /// A newer schema, a missing right, or a database that cannot be used.
    pub async fn migrate(&self) -> Result<SchemaState, Error> {
        let before = self.schema().await?;
        if before == SchemaState::Version(SCHEMA_VERSION) {
            return Ok(before);
        }
        if let SchemaState::Version(found) = before
            && found > SCHEMA_VERSION
        {
            return Err(Error::SchemaNewer { found, known: SCHEMA_VERSION });
        }
        let mut migrator = dialect::migrator(self);
        // Its own lock belongs to a session, which is nobody's behind a pool of transactions.
        migrator.set_locking(false);
        let mut tx = self.begin().await?;
        lock_for_migration(&mut tx).await?;
        with_tx!(&mut tx, db => migrator.run(db).await)?;
        tx.commit().await?;
        Ok(before)
    }
}

/// Lets one process migrate at a time, whatever its sessions. On SQLite the write transaction
/// itself does that.
async fn lock_for_migration(tx: &mut Tx) -> Result<(), Error> {
    /// Any number, as long as it is nobody else's in this database.
    const MIGRATING: i64 = 0x5845_524f_4d49_4752;
    if let Tx::Postgres(tx) = tx {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATING).execute(&mut **tx).await?;
    }
    Ok(())
}
