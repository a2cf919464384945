//! Erasing people's data by age, and in the end all of it. What counts stays: which prompts
//! there were and what they showed, by pseudonym, so that nobody is told twice and no promise
//! is lost.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use crate::domain::audit::{Act, Kind};
use crate::domain::pseudonym::{masked, pseudonym};

use super::audit::append;
use super::bulk;
use super::dialect::Dialect;
use super::erasing::{note_aliases, rewrite};
use super::forgotten::key;
use super::prompts::leasing_lock;
use super::settings::{self, CLOSED, FINGERPRINT_KEY, Keys, PSEUDONYM_KEY, hex, lock_for_scan};
use super::{Error, Store, Tx, with_tx};

/// Recipients that are renamed at a time.
const BATCH: usize = 1_000;

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Messages: what they said, and to whom.
    pub prompts: u64,
    /// Rows that named people.
    pub people: u64,
    /// Names of tenants and accounts.
    pub connections: u64,
    pub exemptions: u64,
    pub suppressions: u64,
    /// What people wrote with an address in it.
    pub texts: u64,
}

/// A prompt of which nothing is left to happen, before a time.
const OVER: &str = "state IN ('sent', 'refused') AND COALESCE(sent_at, sending_at, made_at) < $1";

async fn change(tx: &mut Tx, sql: &str, before: DateTime<Utc>) -> Result<u64, Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    Ok(with_tx!(tx, db => {
        sqlx::query(sql).bind(before).execute(db).await.map(|done| done.rows_affected())
    })?)
}

/// Gives the recipients of these prompts their pseudonyms, and forgets what was said.
async fn purge_prompts(tx: &mut Tx, over: &str, before: DateTime<Utc>) -> Result<u64, Error> {
    let key = key(tx).await?;
    let named =
        format!("SELECT DISTINCT recipient FROM prompts WHERE {over} AND recipient LIKE '%@%'");
    let named: Vec<String> = with_tx!(&mut *tx, db => {
        sqlx::query_scalar(AssertSqlSafe(named)).bind(before).fetch_all(db).await
    })?;
    let over_then = over.replace("$1", "$2");
    let columns = [("recipient", bulk::Kind::Text), ("alias", bulk::Kind::Text)];
    for batch in named.chunks(BATCH) {
        let rename = format!(
            "UPDATE prompts SET recipient = n.alias FROM {} \
             WHERE prompts.recipient = n.recipient AND {over_then}",
            Dialect::of_tx(tx).records(&columns, batch.len())
        );
        let records: Vec<serde_json::Value> = batch
            .iter()
            .map(|name| serde_json::json!({"recipient": name, "alias": pseudonym(&key, name)}))
            .collect();
        let records = serde_json::Value::Array(records).to_string();
        with_tx!(&mut *tx, db => {
            sqlx::query(AssertSqlSafe(rename)).bind(records).bind(before).execute(db).await.map(|_| ())
        })?;
    }
    if !named.is_empty() {
        note_aliases(tx, before).await?;
    }
    let erase = format!(
        "UPDATE prompts SET digest = NULL, outcome = NULL \
         WHERE {over} AND (digest IS NOT NULL OR outcome IS NOT NULL)"
    );
    change(tx, &erase, before).await
}

impl Store {
    /// Erases what is older than `before` and not needed any more.
    ///
    /// # Errors
    /// The database cannot be used; nothing is erased then.
    pub async fn purge(
        &self,
        before: DateTime<Utc>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Purged, Error> {
        const PEOPLE: &str = "DELETE FROM people WHERE connection_key IN (\
            SELECT connection_key FROM connections WHERE presence = 'gone' AND absent_since < $1)";
        const NAMES: &str = "UPDATE connections \
            SET tenant_name = NULL, account_id = NULL, locale = NULL \
            WHERE presence = 'gone' AND absent_since < $1 AND (tenant_name IS NOT NULL \
                OR account_id IS NOT NULL OR locale IS NOT NULL)";
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        leasing_lock(&mut tx).await?;
        let purged = Purged {
            prompts: purge_prompts(&mut tx, OVER, before).await?,
            people: change(&mut tx, PEOPLE, before).await?,
            connections: change(&mut tx, NAMES, before).await?,
            exemptions: change(&mut tx, "DELETE FROM exemptions WHERE until < $1", before).await?,
            ..Purged::default()
        };
        let act = Act::new(Kind::Purged, now).by(by).with("before", before.to_rfc3339());
        append(&mut tx, &[act.with("erased", serde_json::json!(purged))]).await?;
        tx.commit().await?;
        Ok(purged)
    }

    /// Erases all people at the end of a campaign, and destroys the key of their pseudonyms;
    /// `fresh` takes its place, so that nothing that was named before can be told to be
    /// anybody's. No run works on this database from then on.
    ///
    /// # Errors
    /// The database cannot be used; nothing is erased then.
    pub async fn close_campaign(
        &self,
        by: &str,
        now: DateTime<Utc>,
        fresh: &Keys,
    ) -> Result<Purged, Error> {
        // Whatever state they are in: nothing happens to them any more.
        const ALL: &str = "$1 = $1";
        const NAMES: &str = "UPDATE connections SET tenant_name = NULL, account_id = NULL, \
            locale = NULL, reachable = (1 = 0) WHERE $1 = $1 AND (tenant_name IS NOT NULL OR \
                account_id IS NOT NULL OR locale IS NOT NULL OR reachable)";
        const BODIES: &str = "UPDATE announcements SET body = '' WHERE $1 = $1";
        let mut tx = self.begin().await?;
        lock_for_scan(&mut tx).await?;
        leasing_lock(&mut tx).await?;
        let purged = Purged {
            prompts: purge_prompts(&mut tx, ALL, now).await?,
            people: change(&mut tx, "DELETE FROM people WHERE $1 = $1", now).await?,
            connections: change(&mut tx, NAMES, now).await?,
            exemptions: change(&mut tx, "DELETE FROM exemptions WHERE $1 = $1", now).await?,
            suppressions: change(&mut tx, "DELETE FROM suppressions WHERE $1 = $1", now).await?,
            texts: rewrite(&mut tx, |text| masked(text, None)).await?,
        };
        for sql in
            [BODIES, "DELETE FROM bad_rows WHERE $1 = $1", "DELETE FROM forgotten WHERE $1 = $1"]
        {
            change(&mut tx, sql, now).await?;
        }
        settings::set(&mut tx, PSEUDONYM_KEY, &hex(&fresh.pseudonym)).await?;
        settings::set(&mut tx, FINGERPRINT_KEY, &hex(&fresh.fingerprint)).await?;
        settings::set(&mut tx, CLOSED, &now.to_rfc3339()).await?;
        let purge = Act::new(Kind::Purged, now).by(by).with("before", now.to_rfc3339());
        let purge = purge.with("erased", serde_json::json!(purged));
        append(&mut tx, &[purge, Act::new(Kind::KeyDestroyed, now).by(by)]).await?;
        tx.commit().await?;
        Ok(purged)
    }

    /// # Errors
    /// The campaign of this database was closed, or the database cannot be used.
    pub async fn require_open(&self) -> Result<(), Error> {
        match self.setting(CLOSED).await? {
            Some(_) => Err(Error::Closed),
            None => Ok(()),
        }
    }
}
