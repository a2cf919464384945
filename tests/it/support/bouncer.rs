//! pgbouncer in front of a test's own cluster, giving out sessions for a transaction at a time.

use super::pg::Pg;
use super::server::{Recipe, Server, program};

pub struct Bouncer {
    server: Server,
    database: String,
}

impl Bouncer {
    /// With so few sessions that clients have to share them.
    pub fn before(pg: &Pg, sessions: u32) -> Self {
        let url = pg.url();
        let (_, dir) = url.split_once("?host=").expect("a socket's directory");
        let configuration = format!(
            "[databases]\n* = host={dir} user=postgres\n[pgbouncer]\npool_mode = transaction\n\
             listen_addr =\nlisten_port = 6432\nauth_type = any\ndefault_pool_size = {sessions}\n\
             max_client_conn = 200\nserver_lifetime = 3600\n"
        );
        let server = Server::start(&Recipe {
            name: "pgbouncer",
            user: "postgres",
            prepare: format!(
                "printf %s '{configuration}' >\"$dir/ini\"; \
                 echo \"unix_socket_dir = $dir\" >>\"$dir/ini\"; chmod 644 \"$dir/ini\""
            ),
            serve: format!("$as {} -q \"$dir/ini\"", program("pgbouncer", "pgbouncer")),
            stop: "INT",
            is_up: format!(
                "$as {} -h \"$dir\" -p 6432 -U postgres",
                program("pg_isready", "postgresql")
            ),
        });
        Self { server, database: pg.name().to_owned() }
    }

    pub fn url(&self) -> String {
        let dir = self.server.dir.display();
        format!("postgres://postgres@localhost:6432/{}?host={dir}", self.database)
    }
}
