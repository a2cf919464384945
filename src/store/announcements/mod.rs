//! What webhooks are told of connections that they were asked to show. One half finds out what
//! each was told last, the other is the ledger of what goes out: rows go from `queued` to
//! `leased` to what became of them. A row that was overtaken by the next word on its
//! connection is `void`.

mod ledger;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::connection::Presence;
use crate::domain::grant::{ConnectionKey, Readiness};

use crate::domain::win_back::{REMOVED, STAGES};

use super::connections::{presence, word};
use super::dialect::{Dialect, Ids, with_ids};
use super::{Error, Store, with_db};

pub use ledger::{Announcement, Ended, Lease, Leased, Leasing};

/// A connection that a webhook was asked to show, as the last scan left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub connection: ConnectionKey,
    pub presence: Presence,
    pub readiness: Readiness,
    pub manual: bool,
    /// It was removed, and a ready grant for its tenant was seen since.
    pub returned: bool,
}

/// The last word that a webhook had on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub webhook: String,
    pub connection: ConnectionKey,
    pub at: DateTime<Utc>,
    /// An announcement; `None` for a prompt.
    pub what: Option<String>,
    /// A prompt that shows it is on its way just now.
    pub is_underway: bool,
}

/// Connections in one page.
const PAGE: i64 = 500;

#[derive(sqlx::FromRow)]
struct ShownRow {
    connection_key: Uuid,
    presence: String,
    readiness: String,
    manual: bool,
    returned: bool,
}

#[derive(sqlx::FromRow)]
struct AskedRow {
    channel: String,
    connection_key: Uuid,
    asked_at: DateTime<Utc>,
    /// The last prompt that told of a removal.
    followed_at: Option<DateTime<Utc>>,
    underway: i64,
}

#[derive(sqlx::FromRow)]
struct SaidRow {
    webhook: String,
    connection_key: Uuid,
    what: String,
    made_at: DateTime<Utc>,
}

impl Store {
    /// Whether any webhook was ever handed a prompt.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn has_asked_webhooks(&self) -> Result<bool, Error> {
        const SQL: &str = "SELECT count(*) FROM (SELECT 1 FROM prompts \
            WHERE channel LIKE 'webhook:%' AND sending_at IS NOT NULL LIMIT 1) AS found";
        let count: i64 = with_db!(self, db => sqlx::query_scalar(SQL).fetch_one(db).await)?;
        Ok(count > 0)
    }

    /// The next connections that webhooks were asked to show and of which there may be news:
    /// of those that are still asked for only with `all`. Empty at the end.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn next_shown(
        &self,
        after: Option<ConnectionKey>,
        all: bool,
    ) -> Result<Vec<Shown>, Error> {
        // What each webhook was told last is compared here as well, in the words of `State`:
        // most of them need no second look.
        const SQL: &str = "SELECT connection_key, presence, readiness, manual, returned \
            FROM (SELECT connection_key, presence, readiness, manual, EXISTS (\
                    SELECT 1 FROM removals r WHERE r.connection_key = connections.connection_key \
                        AND r.state = 'removed' AND r.returned_at IS NOT NULL) AS returned \
                FROM connections \
                WHERE connection_key > $1 AND presence <> 'row_bad' \
                    AND ($2 OR presence IN ('gone', 'removed') OR manual \
                        OR readiness IN ('ready', 'unaffected'))) AS c \
            WHERE EXISTS (SELECT 1 FROM prompt_connections s \
                    JOIN prompts p ON p.prompt_id = s.prompt_id \
                    WHERE s.connection_key = c.connection_key AND p.channel LIKE 'webhook:%' \
                        AND p.sending_at IS NOT NULL \
                        AND (SELECT a.what FROM announcements a \
                            WHERE a.connection_key = c.connection_key \
                                AND 'webhook:' || a.webhook = p.channel \
                                AND a.made_at >= p.sending_at \
                            ORDER BY a.made_at DESC LIMIT 1) IS DISTINCT FROM \
                        CASE WHEN returned AND (presence = 'removed' \
                                OR presence = 'present' AND readiness = 'ready') THEN 'returned' \
                            WHEN presence = 'removed' THEN 'removed' \
                            WHEN presence = 'present' AND readiness = 'ready' THEN 'ready' \
                            ELSE 'withdrawn' END) \
            ORDER BY connection_key LIMIT $3";
        let after = after.map_or(Uuid::nil(), |key| key.0);
        let rows: Vec<ShownRow> = with_db!(self, db => {
            sqlx::query_as(SQL).bind(after).bind(all).bind(PAGE).fetch_all(db).await
        })?;
        rows.into_iter()
            .map(|row| {
                Ok(Shown {
                    connection: ConnectionKey(row.connection_key),
                    presence: presence(&row.presence)?,
                    readiness: word::<Readiness>("connections", "readiness", &row.readiness)?,
                    manual: row.manual,
                    returned: row.returned,
                })
            })
            .collect()
    }

    /// The last word that each webhook had on each of these connections. A prompt counts from
    /// when it was last handed over, taken or not: nobody knows what a refusal left behind.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_words(&self, keys: &[ConnectionKey]) -> Result<Vec<Word>, Error> {
        let stages = STAGES.map(|stage| format!("'{stage}'")).join(", ");
        let asked = format!(
            "SELECT p.channel, c.connection_key, max(p.sending_at) AS asked_at, \
                max(CASE WHEN p.stage IN ({stages}) THEN p.sending_at END) AS followed_at, \
                count(CASE WHEN p.state = 'sending' THEN 1 END) AS underway \
             FROM {} WHERE p.channel LIKE 'webhook:%' AND p.sending_at IS NOT NULL \
             GROUP BY p.channel, c.connection_key ORDER BY p.channel, c.connection_key",
            Dialect::of(self).shown_with_prompts()
        );
        let said = with_ids(
            self,
            "SELECT webhook, connection_key, what, made_at FROM announcements \
             WHERE connection_key {ids}",
        );
        let ids = Ids(keys.iter().map(|key| key.0).collect());
        let asked: Vec<AskedRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(asked)).bind(ids.clone()).fetch_all(db).await
        })?;
        let said: Vec<SaidRow> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(said)).bind(ids).fetch_all(db).await
        })?;
        let mut words: BTreeMap<(String, Uuid), Word> = asked
            .iter()
            .filter_map(AskedRow::word)
            .map(|word| ((word.webhook.clone(), word.connection.0), word))
            .collect();
        for SaidRow { webhook, connection_key, what, made_at } in said {
            let known = words.get_mut(&(webhook, connection_key));
            if let Some(word) = known.filter(|word| made_at >= word.at) {
                word.at = made_at;
                word.what = Some(what);
            }
        }
        Ok(words.into_values().collect())
    }
}

impl AskedRow {
    fn word(&self) -> Option<Word> {
        Some(Word {
            webhook: self.channel.strip_prefix("webhook:")?.to_owned(),
            connection: ConnectionKey(self.connection_key),
            at: self.asked_at,
            // A prompt that tells of a removal says what the news of it would.
            what: (self.followed_at == Some(self.asked_at)).then(|| REMOVED.to_owned()),
            is_underway: self.underway > 0,
        })
    }
}
