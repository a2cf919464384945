//! What can go wrong with the worker's database, and what to do about it.

use std::{fmt, io};

use sqlx::migrate::MigrateError;

/// A failure of the worker's own database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] MigrateError),
    #[error("cannot {action} {path}: {source}")]
    File { action: &'static str, path: String, source: io::Error },
    #[error("the database address {0:?} is neither sqlite:// nor postgres://")]
    Address(String),
    #[error("the database has schema {found}, this worker needs {needed}")]
    SchemaOlder { found: i64, needed: i64 },
    #[error("the database has schema {found}, this worker knows only {known}")]
    SchemaNewer { found: i64, known: i64 },
    #[error("the database belongs to the app {bound}, not to {configured}")]
    OtherApp { bound: String, configured: String },
    #[error("the database holds {table}.{column} = {value:?}, which this worker cannot read")]
    Inconsistent { table: &'static str, column: &'static str, value: String },
    #[error("another worker completed a scan, or somebody was erased, meanwhile")]
    Overtaken,
    #[error("the database does not answer")]
    Silent,
    #[error("this run was taken for gone, and another process goes on with its job")]
    RunOver,
    #[error("the campaign of this database is over: its people were erased, and the key with them")]
    Closed,
}

/// What the reader of an error can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy(pub &'static str);

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error {
    /// A stored value that does not parse.
    pub(crate) fn inconsistent(
        table: &'static str,
        column: &'static str,
        value: impl Into<String>,
    ) -> Self {
        Self::Inconsistent { table, column, value: value.into() }
    }

    /// A row refers to a scope set that was not there when the sets were read: a scan that was
    /// completed since may have added it.
    pub(super) fn is_missing_set(&self) -> bool {
        matches!(self, Self::Inconsistent { table: "scope_sets", column: "id", .. })
    }

    /// The next step.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        Remedy(match self {
            Self::Database(error) => return database_remedy(error),
            Self::Migrate(_) if self.may_pass() => {
                "is the database running and reachable from here? see [database] url"
            }
            Self::Migrate(_) => {
                "check that the database user may create tables, then run `worker migrate` again"
            }
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room in the temporary directory, or name another with TMPDIR"
            }
            Self::File { .. } => {
                "check that the path exists and that this user may read and write it"
            }
            Self::Address(_) => {
                "write sqlite://FILE or postgres://USER@HOST/NAME under [database] url"
            }
            Self::SchemaOlder { .. } => "run `worker migrate`",
            Self::SchemaNewer { .. } => {
                "use the newer worker that migrated it, or restore a backup of its own schema"
            }
            Self::OtherApp { .. } => {
                "use a database of its own for each app ([app] client_id, [database] url)"
            }
            Self::Inconsistent { .. } => {
                "was the table changed by hand? restore a backup, or start with a new database"
            }
            Self::Silent => "is the database running and reachable from here? see [database] url",
            Self::RunOver => {
                "nothing to do: the other process does the work. Did this one stand still, or lose \
                 the database, for longer than a lease lasts?"
            }
            Self::Overtaken => "nothing to do: what is in force is right; run again",
            Self::Closed => "for another campaign, use a database of its own ([database] url)",
        })
    }

    /// The user lacks a right.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Self::Database(sqlx::Error::Database(inner)) if inner.code().as_deref() == Some("42501")
        )
    }

    /// Whether another try, later, may succeed with nothing changed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Overtaken | Self::Silent => true,
            Self::Database(error)
            | Self::Migrate(
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
            ) => is_passing(error),
            _ => false,
        }
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(inner) => inner.code().is_some_and(|code| {
            // connection_exception
            PASSING.contains(&code.as_ref()) || (code.len() == 5 && code.starts_with("08"))
        }),
        _ => false,
    }
}

/// What a database says while it is busy or about to come back: SQLITE_BUSY with its extended
/// codes; PostgreSQL's serialization_failure, deadlock_detected, too_many_connections,
/// admin_shutdown, crash_shutdown, cannot_connect_now, and read_only_sql_transaction, which a
/// standby says until it is told that it has taken over. And what both say when the disk is
/// full: somebody may be making room.
const PASSING: [&str; 12] = [
    "5", "261", "517", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "25006", "13", "53100",
];

fn database_remedy(error: &sqlx::Error) -> Remedy {
    Remedy(match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => {
            "is the database running and reachable from here? see [database] url"
        }
        sqlx::Error::Database(inner) => match inner.code().as_deref() {
            // SQLITE_FULL, and PostgreSQL's disk_full.
            Some("13" | "53100") => "the disk is full: make room and run again; nothing was lost",
            // SQLITE_IOERR with its extended codes; PostgreSQL's have five characters.
            Some(code)
                if code.len() < 5 && code.parse::<u16>().is_ok_and(|code| code & 0xff == 10) =>
            {
                "the file could not be written: is there room, and may it grow (ulimit -f)? \
                 nothing was lost; run again"
            }
            // SQLITE_READONLY and its extended codes, PostgreSQL's read_only_sql_transaction.
            Some("8" | "264" | "520" | "776" | "1032" | "1544" | "25006") => {
                "the database is read-only here: make it writable for this user, or use --dry-run"
            }
            Some("5" | "261" | "517") => {
                "another process holds the database: wait for it and run again"
            }
            // SQLITE_CANTOPEN.
            Some("14") => "check that the folder exists and that this user may write to it",
            // SQLITE_NOTADB, SQLITE_CORRUPT.
            Some("26" | "11") => {
                "the file is no intact SQLite database: check [database] url, or restore a backup"
            }
            Some("42501") => "the database user lacks a right: see docs/database.md, \"Rights\"",
            Some("28P01" | "28000") => {
                "the database refused the user or password in [database] url"
            }
            Some("3D000") => "the database named in [database] url does not exist: create it first",
            _ => "see the database's own message",
        },
        _ => "see [database] url",
    })
}
