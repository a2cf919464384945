//! A PostgreSQL cluster of a test's own, that can be stopped, crashed and started again.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection};
use worker::clock::{Clock, SystemClock};

use super::pg::Pg;
use super::replica::{LONG, signal};
use super::server::{Recipe, Server, program};

pub struct Cluster {
    server: Server,
}

impl Cluster {
    pub fn start() -> Self {
        let bin = |name: &str| program(name, "postgresql");
        let server = Server::start(&Recipe {
            name: "restarting",
            user: "postgres",
            prepare: format!(
                "$as {} -D \"$dir/data\" -U postgres -A trust -E UTF8 --locale=C --no-sync",
                bin("initdb")
            ),
            // Whatever ends it, it comes back, unless the file `down` says no.
            serve: format!(
                "( trap 'kill -INT $it; wait $it; exit' USR1; while :; do \
                 while [ -e \"$dir/down\" ]; do sleep 0.05; done; \
                 $as {} -D \"$dir/data\" -k \"$dir\" -h '' -c fsync=off -c full_page_writes=off \
                 -c max_connections=100 & it=$!; wait $it; sleep 0.05; done )",
                bin("postgres")
            ),
            stop: "USR1",
            is_up: format!("$as {} -h \"$dir\" -U postgres", bin("pg_isready")),
        });
        Self { server }
    }

    /// An empty database in it.
    pub async fn database(&self) -> Pg {
        Pg::on(&self.server.dir, "state").await
    }

    fn process(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.server.dir.join("data/postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    /// Ends every session and the server; it comes up again by itself.
    pub fn restart(&self) {
        if let Some(process) = self.process() {
            signal("-INT", process);
        }
    }

    /// The same without any order: it comes up in recovery.
    pub fn crash(&self) {
        if let Some(process) = self.process() {
            signal("-KILL", process);
        }
    }

    /// Ends it, and keeps it down.
    pub fn stop(&self) {
        std::fs::write(self.server.dir.join("down"), "").expect("a file of the test's own");
        self.restart();
        let deadline = Instant::now() + LONG;
        while self.process().is_some() {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn go_on(&self) {
        std::fs::remove_file(self.server.dir.join("down")).expect("it was stopped");
    }

    /// Waits until it answers again.
    pub async fn is_back(&self, database: &Pg) {
        let deadline = Instant::now() + LONG;
        while PgConnection::connect(&database.url()).await.is_err() {
            assert!(Instant::now() < deadline, "it does not come back");
            SystemClock.sleep(TimeDelta::milliseconds(20)).await;
        }
    }
}
