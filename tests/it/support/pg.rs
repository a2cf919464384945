//! PostgreSQL: one cluster per test process on a socket of its own, one database per test.

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
}

impl Pg {
    pub async fn new() -> Self {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let server = Self { name: "postgres".to_owned() };
        server.execute(&format!("create database {name}")).await;
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        let dir = SERVER.dir.display();
        format!("postgres://postgres@localhost/{}?host={dir}", self.name)
    }

    /// For another role.
    pub fn url_as(&self, role: &str) -> String {
        self.url().replace("postgres://postgres@", &format!("postgres://{role}@"))
    }

    /// What the server was told by the sessions of an application whose statements it logs,
    /// each with its session.
    pub fn statements_of(&self, role: &str) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(SERVER.dir.join("log")).expect("the server's log");
        let mark = format!(" role={role} ");
        let mut statements = Vec::new();
        for line in log.lines() {
            let Some((session, said)) = line.split_once(&mark) else { continue };
            let said = said.split_once(" LOG:  ").map_or(said, |(_, said)| said);
            let is_statement = said.starts_with("statement: ") || said.starts_with("execute ");
            if let Some((_, statement)) = said.split_once(": ").filter(|_| is_statement) {
                statements.push((session.to_owned(), statement.trim().to_owned()));
            }
        }
        statements
    }

    /// Ends every other connection to this database.
    pub async fn kill_others(&self) -> usize {
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_all(&mut self.connect().await)
        .await
        .expect("the test's own statement")
        .len()
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
