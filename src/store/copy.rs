//! A private copy of the database, on which a dry run does all that a real run does.
//!
//! The original is only ever read: as plain files on SQLite, so that neither the database
//! nor its write-ahead log nor the index beside it changes by a byte, and in one read-only
//! transaction on PostgreSQL.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::TryStreamExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteSynchronous;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqlitePool};
use tempfile::TempDir;

use super::open::{Database, SchemaState, open_sqlite, session_with};
use super::{Error, SCHEMA_VERSION, Store, pooler, with_db};

/// A database of its own that vanishes when it is dropped.
#[derive(Debug)]
pub struct PrivateCopy {
    pub store: Store,
    /// Where it lies.
    pub path: PathBuf,
    /// There was nothing to copy: no file, or no table of the worker.
    pub fresh: bool,
    _dir: TempDir,
}

impl PrivateCopy {
    /// Copies a database, or makes an empty one where there is none yet.
    ///
    /// # Errors
    /// The original cannot be read or has another schema, or the temporary directory
    /// (`TMPDIR`) cannot be written to.
    pub async fn of(database: &Database) -> Result<Self, Error> {
        let failed = |source| Error::File {
            action: "make a temporary copy in",
            path: std::env::temp_dir().display().to_string(),
            source,
        };
        let dir = tempfile::Builder::new().prefix("worker-dry-run-").tempdir().map_err(failed)?;
        let path = dir.path().join("copy.db");
        if let Database::Sqlite(original) = database
            && !database.is_missing()
        {
            let (original, path) = (original.clone(), path.clone());
            tokio::task::spawn_blocking(move || copy_files(&original, &path))
                .await
                .map_err(|error| failed(std::io::Error::other(error)))??;
        }
        let store = Store::Sqlite(open_sqlite(&path, SqliteSynchronous::Off, true).await?);
        let mut fresh = store.schema().await? == SchemaState::Empty;
        if fresh {
            store.migrate().await?;
        } else {
            store.require_schema().await?;
        }
        if let (Database::Postgres(options, _), Store::Sqlite(pool)) = (database, &store) {
            fresh = !copy_postgres(options, pool).await?;
        }
        Ok(Self { store, path, fresh, _dir: dir })
    }
}

/// What tells two states of a database file and its log apart.
#[derive(PartialEq, Eq)]
struct Stamp {
    database: (u64, Option<SystemTime>),
    /// The log's header: new salts mean that it was begun anew after a checkpoint.
    log: [u8; 32],
}

impl Stamp {
    fn of(database: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(database)?;
        let mut log = [0; 32];
        if let Ok(mut header) = File::open(beside(database, "-wal")) {
            let mut length = 0;
            while length < log.len() {
                match header.read(&mut log[length..])? {
                    0 => break,
                    read => length += read,
                }
            }
        }
        Ok(Self { database: (file.len(), file.modified().ok()), log })
    }
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Copies the file and its log as one moment left them. A checkpoint in between changes the
/// file or begins the log anew; then the copy is made again. Frames that are appended to the
/// log meanwhile do no harm: SQLite reads it up to the last whole transaction.
fn copy_files(original: &Path, copy: &Path) -> Result<(), Error> {
    const TRIES: u32 = 20;
    let failed =
        |source| Error::File { action: "copy", path: original.display().to_string(), source };
    for _ in 0..TRIES {
        let before = Stamp::of(original).map_err(failed)?;
        copy_content(original, copy).map_err(failed)?;
        for suffix in ["-wal", "-journal"] {
            let (from, to) = (beside(original, suffix), beside(copy, suffix));
            match copy_content(&from, &to) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let _ = std::fs::remove_file(to);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        if Stamp::of(original).map_err(failed)? == before {
            return Ok(());
        }
    }
    Err(failed(std::io::Error::new(
        std::io::ErrorKind::ResourceBusy,
        "another process keeps writing to it",
    )))
}

/// Without the permissions, as those of a read-only original would make a copy that nobody
/// can work on.
fn copy_content(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut from = File::open(from)?;
    std::io::copy(&mut from, &mut File::create(to)?).map(|_| ())
}

/// Copies the tables of the worker; tells whether there were any.
async fn copy_postgres(options: &PgConnectOptions, into: &SqlitePool) -> Result<bool, Error> {
    let mut from = session_with(options).await?;
    sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut from).await?;
    pooler::forget_names(&mut from).await?;
    let known: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
    )
    .fetch_one(&mut from)
    .await?;
    if known == 0 {
        from.close().await?;
        return Ok(false);
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut from)
            .await?;
    match version.unwrap_or_default() {
        SCHEMA_VERSION => {}
        found if found > SCHEMA_VERSION => {
            return Err(Error::SchemaNewer { found, known: SCHEMA_VERSION });
        }
        found => return Err(Error::SchemaOlder { found, needed: SCHEMA_VERSION }),
    }
    let store = Store::Sqlite(into.clone());
    // Of the record only its end is needed, and it may be longer than all the rest.
    let tables: Vec<String> = with_db!(&store, db => {
        sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'audit' \
             AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%' ORDER BY name",
        )
        .fetch_all(db)
        .await
    })?;
    for table in tables {
        copy_table(&mut from, into, &table).await?;
    }
    from.close().await?;
    Ok(true)
}

/// Carries a table over as text: the two schemas have the same columns, and each type has
/// one text that SQLite's side reads back as its own.
async fn copy_table(from: &mut PgConnection, into: &SqlitePool, table: &str) -> Result<(), Error> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(&mut *from)
    .await?;
    let reads: Vec<String> = columns
        .iter()
        .map(|(name, kind)| match kind.as_str() {
            "uuid" => format!("replace({name}::text, '-', '')"),
            "timestamp with time zone" => format!(
                "to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
            ),
            "boolean" => format!("({name}::int)::text"),
            _ => format!("{name}::text"),
        })
        .collect();
    let writes: Vec<String> = columns
        .iter()
        .map(|(_, kind)| match kind.as_str() {
            "uuid" => "unhex(?)".to_owned(),
            "bigint" | "boolean" => "CAST(? AS INTEGER)".to_owned(),
            _ => "?".to_owned(),
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let insert =
        format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), writes.join(", "));
    let mut tx = into.begin_with("BEGIN IMMEDIATE").await?;
    let select = format!("SELECT {} FROM {table}", reads.join(", "));
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *from);
    while let Some(row) = rows.try_next().await? {
        let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
        for position in 0..columns.len() {
            query = query.bind(row.try_get::<Option<String>, _>(position)?);
        }
        query.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
