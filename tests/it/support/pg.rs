//! PostgreSQL: one cluster per test process on a socket of its own, one database per test.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};

use super::server::{Recipe, Server, program};

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let bin = |name: &str| program(name, "postgresql");
    Server::start(&Recipe {
        name: "postgres",
        user: "postgres",
        prepare: format!(
            "$as {} -D \"$dir/data\" -U postgres -A trust -E UTF8 --locale=C --no-sync",
            bin("initdb")
        ),
        serve: format!(
            "$as {} -D \"$dir/data\" -k \"$dir\" -h '' -c fsync=off -c full_page_writes=off \
             -c synchronous_commit=off -c max_connections=200 \
             -c log_line_prefix='session=%c role=%u db=%d '",
            bin("postgres")
        ),
        stop: "INT",
        is_up: format!("$as {} -h \"$dir\" -U postgres", bin("pg_isready")),
    })
});

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database.
pub struct Pg {
    name: String,
    dir: PathBuf,
}

impl Pg {
    pub async fn new() -> Self {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        Self::on(&SERVER.dir, &name).await
    }

    /// In the cluster whose socket is in this directory.
    pub async fn on(dir: &Path, name: &str) -> Self {
        let server = Self { name: "postgres".to_owned(), dir: dir.to_owned() };
        server.execute(&format!("create database {name}")).await;
        Self { name: name.to_owned(), dir: dir.to_owned() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        let dir = self.dir.display();
        format!("postgres://postgres@localhost/{}?host={dir}", self.name)
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the test's own server answers")
    }

    /// Runs statements.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql).into_sql_str();
        self.connect().await.execute(sql).await.expect("the test's own statement");
    }
}
