//! Databases of the bench's own: a SQLite file in a temporary directory, or one of a
//! throw-away PostgreSQL cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sqlx::Connection;
use worker::config::{Config, Origin};
use worker::jobs::workplace::Workplace;
use worker::store::settings::Keys;

use crate::pg::Pg;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// An empty database, and a directory for files that belong to it.
pub struct Place {
    pub kind: Kind,
    dir: tempfile::TempDir,
    server: Option<Pg>,
}

impl Place {
    pub async fn new(kind: Kind) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Pg::new().await),
        };
        Ok(Self { kind, dir, server })
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("worker.db")
    }

    pub fn url(&self) -> String {
        match &self.server {
            Some(server) => server.url(),
            None => format!("sqlite://{}", self.file().display()),
        }
    }

    /// The shipped configuration with this database and that inventory, as a file.
    pub fn configuration(&self, inventory: &Path) -> Result<PathBuf> {
        let shipped = include_str!("../../jobs.toml");
        let inventory = inventory.to_str().context("a temporary path in UTF-8")?;
        let text = shipped.replacen("examples/connections.csv", inventory, 1).replacen(
            "sqlite://worker.db",
            &self.url(),
            1,
        );
        let path = self.dir.path().join("jobs.toml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    pub fn config(&self, inventory: &Path) -> Result<Config> {
        let path = self.configuration(inventory)?;
        let text = std::fs::read_to_string(&path)?;
        Config::parse(&text, &Origin::file(&path)).map_err(|errors| anyhow::anyhow!("{errors}"))
    }

    /// Opened by the worker, with its schema.
    pub async fn prepared(&self, inventory: &Path) -> Result<Workplace> {
        let keys = Keys { fingerprint: [7; 16], pseudonym: [7; 32] };
        Ok(Workplace::real(&self.config(inventory)?, &keys).await?)
    }

    /// Gives the room on the disk back.
    pub async fn remove(self) -> Result<()> {
        if let Some(server) = &self.server {
            let name = server.name();
            let beside = server.url().replacen(&format!("/{name}?"), "/postgres?", 1);
            let mut connection = sqlx::PgConnection::connect(&beside).await?;
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
        }
        Ok(self.dir.close()?)
    }
}
