//! What was sent about connections, for telling their stories.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::grant::ConnectionKey;
use crate::store::dialect::{Dialect, Ids, with_ids};
use crate::store::{Error, Store, with_db};

/// A prompt that showed a connection, and what became of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PromptStory {
    pub connection_key: Uuid,
    pub prompt_id: Uuid,
    pub stage: String,
    pub channel: String,
    pub recipient: String,
    pub state: String,
    /// When it was handed over last.
    pub sending_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub bounced_at: Option<DateTime<Utc>>,
    /// What the other side said.
    pub outcome: Option<String>,
    pub settled_by: Option<String>,
    /// The removal date that it promised.
    pub removal_from: Option<DateTime<Utc>>,
}

impl Store {
    /// The prompts that showed these connections, oldest first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn prompt_stories(&self, keys: &[ConnectionKey]) -> Result<Vec<PromptStory>, Error> {
        let sql = format!(
            "SELECT c.connection_key, p.prompt_id, p.stage, p.channel, p.recipient, p.state, \
                p.sending_at, p.sent_at, p.bounced_at, p.outcome, p.settled_by, c.removal_from \
             FROM {} WHERE p.sending_at IS NOT NULL ORDER BY p.sending_at, p.prompt_id",
            Dialect::of(self).shown_with_prompts()
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        Ok(with_db!(self, db => sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(db).await)?)
    }

    /// The connections that prompts showed.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn shown_by(&self, prompts: &[Uuid]) -> Result<Vec<ConnectionKey>, Error> {
        let sql = with_ids(
            self,
            "SELECT DISTINCT connection_key FROM prompt_connections WHERE prompt_id {ids} \
             ORDER BY connection_key",
        );
        let keys: Vec<Uuid> = with_db!(self, db => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(Ids(prompts.to_vec())).fetch_all(db).await
        })?;
        Ok(keys.into_iter().map(ConnectionKey).collect())
    }
}
