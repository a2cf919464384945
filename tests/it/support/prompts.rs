//! Prompts put into a database by hand, as a run would have left them.

use worker::store::Store;

use super::world::World;

/// The id of a prompt of the tests, by its number.
pub fn prompt_id(number: usize) -> String {
    format!("1a2b3c4d-0000-5000-8000-{number:012}")
}

impl World {
    /// A prompt of the first stage by e-mail, in this state, with one connection.
    pub async fn prompt(&self, number: usize, recipient: &str, state: &str) {
        let id = prompt_id(number);
        let (id, run) = match &self.store {
            Store::Sqlite(_) => (format!("X'{}'", id.replace('-', "")), "zeroblob(16)"),
            Store::Postgres(_) => {
                (format!("'{id}'::uuid"), "'00000000-0000-0000-0000-000000000000'")
            }
        };
        let notice = if self.is_postgres() { "true" } else { "1" };
        let sent = if state == "sent" { "'2026-12-01T00:00:00.000000+00:00'" } else { "NULL" };
        self.execute(&format!(
            "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, day, \
             due_at, attempts, fence, is_notice, sending_at, sent_at, reference, run_id, made_at) \
             VALUES ({id}, '{recipient}', 'invitation', 'email', 1, '{state}', '2026-12-01', \
             '2026-12-01T00:00:00.000000+00:00', 1, 1, {notice}, \
             '2026-12-01T00:00:00.000000+00:00', {sent}, 'provider-{number}', {run}, \
             '2026-12-01T00:00:00.000000+00:00')"
        ))
        .await;
    }

    /// One column of a prompt, as text; empty for NULL.
    pub async fn of_prompt(&self, number: usize, column: &str) -> String {
        let id = prompt_id(number);
        let id = match &self.store {
            Store::Sqlite(_) => format!("X'{}'", id.replace('-', "")),
            Store::Postgres(_) => format!("'{id}'::uuid"),
        };
        let sql = format!(
            "SELECT COALESCE(CAST({column} AS text), '') FROM prompts WHERE prompt_id = {id}"
        );
        self.texts(&sql).await.pop().expect("that prompt")
    }
}
