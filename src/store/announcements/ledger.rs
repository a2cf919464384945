//! The ledger of announcements. Unlike a mail, one may be delivered again, so that a row
//! whose lease ran out goes back to where it was.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Kind};
use crate::domain::grant::ConnectionKey;
use crate::store::audit::append;
use crate::store::bulk;
use crate::store::dialect::{Dialect, time_text};
use crate::store::{Error, Store, with_db, with_tx};

/// Something to be told.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The same for the same news, whoever finds it.
    pub id: Uuid,
    pub webhook: String,
    pub connection: ConnectionKey,
    pub what: &'static str,
    pub body: String,
}

/// By whom, until when, and which.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    pub webhook: &'a str,
    pub owner: Uuid,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub most: usize,
}

/// One in one's hands.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Leased {
    #[sqlx(rename = "announcement_id")]
    pub id: Uuid,
    pub fence: i64,
    /// With the one that is to come.
    pub attempts: i64,
    pub body: String,
}

/// What came of wanting to lease.
#[derive(Clone, Debug, Default)]
pub struct Leasing {
    pub leased: Vec<Leased>,
    /// The present pause, if there is one; nothing was leased then.
    pub paused: Option<String>,
}

/// One that was in one's hands, and where it goes from there.
#[derive(Clone, Debug)]
pub struct Ended {
    pub id: Uuid,
    pub fence: i64,
    /// `queued`, `sent` or `refused`.
    pub state: &'static str,
    pub outcome: Option<String>,
    /// When a queued one may go.
    pub due_at: DateTime<Utc>,
    /// The attempt does not count.
    pub is_free: bool,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    id: Uuid,
    webhook: &'a str,
    connection: Uuid,
    what: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct EndRecord<'a> {
    id: Uuid,
    fence: i64,
    state: &'a str,
    outcome: Option<&'a str>,
    due: String,
    sent: Option<String>,
    back: i64,
}

impl Store {
    /// Queues what is not known yet; tells how many that were.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn add_announcements(
        &self,
        announcements: &[Announcement],
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        if announcements.is_empty() {
            return Ok(0);
        }
        let records: Vec<NewRecord<'_>> = announcements.iter().map(Announcement::record).collect();
        // Without a condition SQLite would take ON for the beginning of a join's.
        let sql = format!(
            "INSERT INTO announcements (announcement_id, webhook, connection_key, what, body, \
                state, due_at, attempts, fence, made_at) \
             SELECT n.id, n.webhook, n.connection, n.what, n.body, 'queued', $2, 0, 0, $2 \
             FROM {} WHERE true ON CONFLICT (announcement_id) DO NOTHING",
            Dialect::of(self).records(
                &[
                    ("id", bulk::Kind::Uuid),
                    ("webhook", bulk::Kind::Text),
                    ("connection", bulk::Kind::Uuid),
                    ("what", bulk::Kind::Text),
                    ("body", bulk::Kind::Text),
                ],
                records.len(),
            )
        );
        let records = json(&records);
        let mut tx = self.begin().await?;
        let added = with_tx!(&mut tx, db => {
            let added = sqlx::query(AssertSqlSafe(sql)).bind(records).bind(now).execute(db).await;
            added.map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(added)
    }

    /// Takes back what a worker left behind that is gone, and drops what has been overtaken:
    /// the connection is asked for again, or there is later news of it. Told now, it would
    /// undo that.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn sweep_announcements(
        &self,
        webhook: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        const AGAIN: &str = "UPDATE announcements SET state = 'queued' \
            WHERE webhook = $1 AND state = 'leased' AND lease_until <= $2";
        const VOID: &str = "UPDATE announcements SET state = 'void' \
            WHERE webhook = $1 AND state = 'queued' AND (\
                EXISTS (SELECT 1 FROM announcements later \
                    WHERE later.connection_key = announcements.connection_key \
                        AND later.webhook = announcements.webhook \
                        AND later.made_at > announcements.made_at) \
                OR EXISTS (SELECT 1 FROM prompt_connections s \
                    JOIN prompts p ON p.prompt_id = s.prompt_id \
                    WHERE s.connection_key = announcements.connection_key \
                        AND p.channel = $2 AND p.sending_at > announcements.made_at))";
        let channel = format!("webhook:{webhook}");
        let mut tx = self.begin().await?;
        with_tx!(&mut tx, db => {
            sqlx::query(AGAIN).bind(webhook).bind(now).execute(db).await.map(|_| ())
        })?;
        with_tx!(&mut tx, db => {
            sqlx::query(VOID).bind(webhook).bind(channel).execute(db).await.map(|_| ())
        })?;
        tx.commit().await
    }

    /// Leases what is due for a webhook, the least tried first, so that one that is never
    /// taken keeps none of the others from going.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn lease_announcements(&self, lease: Lease<'_>) -> Result<Leasing, Error> {
        const PAUSE: &str =
            "SELECT reason FROM pauses WHERE resumed_at IS NULL ORDER BY paused_at LIMIT 1";
        let sql = format!(
            "UPDATE announcements SET state = 'leased', lease_owner = $2, lease_until = $3, \
                fence = fence + 1, attempts = attempts + 1 \
             WHERE announcement_id IN (SELECT announcement_id FROM announcements \
                WHERE webhook = $1 AND state = 'queued' AND due_at <= $4 \
                ORDER BY attempts, due_at LIMIT $5 {}) \
             RETURNING announcement_id, fence, attempts, body",
            Dialect::of(self).passing_over_locked()
        );
        let mut tx = self.begin().await?;
        let paused: Option<String> =
            with_tx!(&mut tx, db => sqlx::query_scalar(PAUSE).fetch_optional(db).await)?;
        if paused.is_some() {
            tx.rollback().await?;
            return Ok(Leasing { paused, ..Leasing::default() });
        }
        let leased = with_tx!(&mut tx, db => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(lease.webhook)
                .bind(lease.owner)
                .bind(lease.until)
                .bind(lease.now)
                .bind(i64::try_from(lease.most).unwrap_or(i64::MAX))
                .fetch_all(db)
                .await
        })?;
        tx.commit().await?;
        Ok(Leasing { leased, paused: None })
    }

    /// Writes down what became of leased ones, as far as they are still in these hands.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn end_announcements(
        &self,
        ended: &[Ended],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let records: Vec<EndRecord<'_>> = ended.iter().map(|ended| ended.record(now)).collect();
        let sql = format!(
            "UPDATE announcements SET state = n.state, outcome = n.outcome, due_at = n.due, \
                sent_at = n.sent, attempts = announcements.attempts - n.back, lease_until = NULL \
             FROM {} WHERE announcements.announcement_id = n.id AND announcements.fence = n.fence \
                AND announcements.state = 'leased' \
             RETURNING announcement_id, webhook, connection_key, what, announcements.state AS state",
            Dialect::of(self).records(
                &[
                    ("id", bulk::Kind::Uuid),
                    ("fence", bulk::Kind::Int),
                    ("state", bulk::Kind::Text),
                    ("outcome", bulk::Kind::Text),
                    ("due", bulk::Kind::Time),
                    ("sent", bulk::Kind::Time),
                    ("back", bulk::Kind::Int),
                ],
                records.len(),
            )
        );
        let records = json(&records);
        let mut tx = self.begin().await?;
        let ended: Vec<Recorded> = with_tx!(&mut tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(records).fetch_all(db).await
        })?;
        let acts: Vec<Act> = ended.iter().filter_map(|one| one.act(now)).collect();
        append(&mut tx, &acts).await?;
        tx.commit().await
    }

    /// How many wait for each webhook, due or not.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn waiting_announcements(&self) -> Result<Vec<(String, i64)>, Error> {
        const SQL: &str = "SELECT webhook, count(*) FROM announcements \
            WHERE state IN ('queued', 'leased') GROUP BY webhook ORDER BY webhook";
        Ok(with_db!(self, db => sqlx::query_as(SQL).fetch_all(db).await)?)
    }
}

/// One that was just changed.
#[derive(sqlx::FromRow)]
struct Recorded {
    announcement_id: Uuid,
    webhook: String,
    connection_key: Uuid,
    what: String,
    state: String,
}

impl Recorded {
    fn act(&self, now: DateTime<Utc>) -> Option<Act> {
        let kind = match self.state.as_str() {
            "sent" => Kind::Announced,
            "refused" => Kind::AnnouncementRefused,
            _ => return None,
        };
        let act = Act::new(kind, now).about(self.connection_key);
        let act = act.with("webhook", self.webhook.as_str()).with("what", self.what.as_str());
        Some(act.with("announcement", self.announcement_id.to_string()))
    }
}

fn json(records: &impl Serialize) -> String {
    serde_json::to_string(records).unwrap_or_default()
}

impl Announcement {
    fn record(&self) -> NewRecord<'_> {
        NewRecord {
            id: self.id,
            webhook: &self.webhook,
            connection: self.connection.0,
            what: self.what,
            body: &self.body,
        }
    }
}

impl Ended {
    fn record(&self, now: DateTime<Utc>) -> EndRecord<'_> {
        EndRecord {
            id: self.id,
            fence: self.fence,
            state: self.state,
            outcome: self.outcome.as_deref(),
            due: time_text(self.due_at),
            sent: (self.state == "sent").then(|| time_text(now)),
            back: i64::from(self.is_free),
        }
    }
}
