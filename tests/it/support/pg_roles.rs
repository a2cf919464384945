//! PostgreSQL as others use it: other roles, what they said, and ending their sessions.

use super::pg::Pg;

impl Pg {
    /// For another role.
    pub fn url_as(&self, role: &str) -> String {
        self.url().replace("postgres://postgres@", &format!("postgres://{role}@"))
    }

    /// What the server was told by the sessions of an application whose statements it logs,
    /// each with its session.
    pub fn statements_of(&self, role: &str) -> Vec<(String, String)> {
        let url = self.url();
        let (_, dir) = url.split_once("?host=").expect("a socket's directory");
        let log = std::fs::read_to_string(format!("{dir}/log")).expect("the server's log");
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
}
