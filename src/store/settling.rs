//! Prompts whose outcome is unknown, and what a named person says became of them.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::Kind;

use super::audit::append;
use super::prompts::{RECORDED, Recorded};
use super::{Error, Store, with_db, with_tx};

/// A prompt, as far as it takes to talk about it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PromptHead {
    pub prompt_id: Uuid,
    pub recipient: String,
    pub stage: String,
    pub channel: String,
    pub state: String,
    pub sending_at: Option<DateTime<Utc>>,
    pub bounced_at: Option<DateTime<Utc>>,
}

pub(super) const HEAD: &str = "prompt_id, recipient, stage, channel, state, sending_at, bounced_at";

/// What became of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It arrived.
    Sent,
    /// It never left, and goes out again.
    NotSent,
}

impl Became {
    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::NotSent => "not-sent",
        }
    }
}

/// The first and the last id that begins with these hexadecimal digits.
pub(super) fn between(digits: &str) -> Option<(Uuid, Uuid)> {
    let bound = |filler: &str| {
        let rest = filler.repeat(32_usize.saturating_sub(digits.len()));
        Uuid::try_parse(&format!("{digits}{rest}")).ok()
    };
    Some((bound("0")?, bound("f")?))
}

impl Store {
    /// The prompts whose id begins with these hexadecimal digits, a few at most.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn prompts_beginning(&self, digits: &str) -> Result<Vec<PromptHead>, Error> {
        const SQL: &str = "WHERE prompt_id >= $1 AND prompt_id <= $2 ORDER BY prompt_id LIMIT 10";
        let Some((first, last)) = between(digits) else { return Ok(Vec::new()) };
        let statement = format!("SELECT {HEAD} FROM prompts {SQL}");
        Ok(with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(statement)).bind(first).bind(last).fetch_all(db).await
        })?)
    }

    /// Settles a prompt with an unknown outcome; tells whether it still was one.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn settle_prompt(
        &self,
        prompt: Uuid,
        became: Became,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let statement = match became {
            Became::Sent => {
                "UPDATE prompts SET state = 'sent', sent_at = COALESCE(sending_at, $3), \
                 settled_by = $2 WHERE prompt_id = $1 AND state = 'unknown'"
            }
            // The day's caps have not been used by it after all.
            Became::NotSent => {
                "UPDATE prompts SET state = 'queued', due_at = $3, day = NULL, \
                 lease_owner = NULL, lease_until = NULL, settled_by = $2 \
                 WHERE prompt_id = $1 AND state = 'unknown'"
            }
        };
        let statement = format!("{statement} RETURNING {RECORDED}");
        let mut tx = self.begin().await?;
        let settled: Option<Recorded> = with_tx!(&mut tx, db => {
            sqlx::query_as(AssertSqlSafe(statement))
                .bind(prompt)
                .bind(by)
                .bind(at)
                .fetch_optional(db)
                .await
        })?;
        if let Some(settled) = &settled {
            let act = settled.act(Kind::PromptSettled, at).by(by);
            append(&mut tx, &[act.with("as", became.as_str())]).await?;
        }
        tx.commit().await?;
        Ok(settled.is_some())
    }
}
