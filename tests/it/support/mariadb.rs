//! MariaDB: one server per test process on a socket of its own, one database per test.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, SqlSafeStr};

use super::server::{Recipe, Server, program};

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let bin = |name: &str| program(name, "mariadb-server");
    Server::start(&Recipe {
        name: "mariadb",
        user: "mysql",
        prepare: format!(
            "$as {} --no-defaults --datadir=\"$dir/data\" --auth-root-authentication-method=normal \
             --skip-test-db",
            bin("mariadb-install-db")
        ),
        serve: format!(
            "$as {} --no-defaults --datadir=\"$dir/data\" --socket=\"$dir/socket\" \
             --skip-networking --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M",
            bin("mariadbd")
        ),
        stop: "TERM",
        is_up: format!(
            "$as {} --no-defaults --socket=\"$dir/socket\" -u root ping",
            bin("mariadb-admin")
        ),
    })
});

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database.
pub struct MariaDb {
    name: String,
}

impl MariaDb {
    pub async fn new() -> Self {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let server = Self { name: "mysql".to_owned() };
        server.execute(&format!("create database {name} character set utf8mb4")).await;
        Self { name }
    }

    pub fn url(&self) -> String {
        let socket = SERVER.dir.join("socket");
        format!("mariadb://root@localhost/{}?socket={}", self.name, socket.display())
    }

    pub async fn connect(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url()).await.expect("the test's own server answers")
    }

    /// Runs statements.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql).into_sql_str();
        self.connect().await.execute(sql).await.expect("the test's own statement");
    }

    /// Ends every other connection to this database.
    pub async fn kill_others(&self) {
        let mut connection = self.connect().await;
        let others: Vec<i64> = sqlx::query_scalar(
            "select id from information_schema.processlist \
             where db = database() and id <> connection_id()",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the test's own statement");
        for id in others {
            let kill = AssertSqlSafe(format!("kill {id}")).into_sql_str();
            connection.execute(kill).await.expect("the test's own statement");
        }
    }
}
