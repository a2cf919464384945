//! Who was written to by mail, and what became of it.

use crate::store::{Error, Store, with_db};

/// Somebody who was written to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Mailed {
    pub recipient: String,
    /// Mails that were taken and did not come back.
    pub taken: i64,
    /// Mails that were refused for good, or came back.
    pub failed: i64,
}

impl Store {
    /// Everybody who was written to by mail.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn mailed(&self) -> Result<Vec<Mailed>, Error> {
        const SQL: &str = "SELECT recipient, \
                sum(CASE WHEN state = 'sent' AND bounced_at IS NULL THEN 1 ELSE 0 END) AS taken, \
                sum(CASE WHEN state = 'refused' OR bounced_at IS NOT NULL THEN 1 ELSE 0 END) \
                    AS failed \
             FROM prompts WHERE channel = 'email' AND state IN ('sent', 'refused') \
             GROUP BY recipient ORDER BY recipient";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }
}
