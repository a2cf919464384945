//! Erasing one person. What counts stays: which prompts there were, what they showed, and that
//! this person, by pseudonym, is never written to again.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::address::Address;
use crate::domain::audit::{Act, Kind};
use crate::domain::pseudonym::{Forgotten, pseudonym, replaced};

use super::audit::append;
use super::erasing::rewrite;
use super::prompts::leasing_lock;
use super::settings::{PSEUDONYM_KEY, lock_for_scan, unhex};
use super::{Error, Store, Tx, with_db, with_tx};

const WHO: &str = "SELECT pseudonym FROM forgotten";

/// What was erased of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Rows of the inventory that named them.
    pub people: u64,
    /// Messages to them: what they said, and to whom.
    pub prompts: u64,
    /// The part of those that had not gone out, and never will.
    pub withdrawn: u64,
    pub suppressions: u64,
    pub exemptions: u64,
    /// What others wrote with the address in it.
    pub texts: u64,
}

/// What came of wanting to erase somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    Done(Erased),
    /// A message to them is being handed over just now.
    InFlight,
}

pub(super) async fn count(tx: &mut Tx) -> Result<usize, Error> {
    let who: Vec<String> = with_tx!(tx, db => sqlx::query_scalar(WHO).fetch_all(db).await)?;
    Ok(who.len())
}

/// Those who were erased by now.
pub(super) async fn within(tx: &mut Tx) -> Result<Forgotten, Error> {
    let who: Vec<String> = with_tx!(&mut *tx, db => sqlx::query_scalar(WHO).fetch_all(db).await)?;
    let key = if who.is_empty() { [0; 32] } else { key(tx).await? };
    Ok(Forgotten::new(key, who.into_iter().collect()))
}

pub(super) async fn key(tx: &mut Tx) -> Result<[u8; 32], Error> {
    const KEY: &str = "SELECT value FROM settings WHERE name = $1";
    let text: Option<String> = with_tx!(tx, db => {
        sqlx::query_scalar(KEY).bind(PSEUDONYM_KEY).fetch_optional(db).await
    })?;
    text.as_deref()
        .and_then(unhex)
        .ok_or_else(|| Error::inconsistent("settings", "value", PSEUDONYM_KEY))
}

async fn change(tx: &mut Tx, sql: &'static str, values: &[&str]) -> Result<u64, Error> {
    Ok(with_tx!(tx, db => {
        let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
        query.execute(db).await.map(|done| done.rows_affected())
    })?)
}

impl Store {
    /// Those who were erased, with the key of the database.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forgotten(&self, key: [u8; 32]) -> Result<Forgotten, Error> {
        let who: Vec<String> = with_db!(self, db => sqlx::query_scalar(WHO).fetch_all(db).await)?;
        Ok(Forgotten::new(key, who.into_iter().collect()))
    }

    /// Erases a person, unless a message to them is being handed over just now.
    ///
    /// # Errors
    /// The database cannot be used; nothing is erased then.
    pub async fn forget(
        &self,
        address: &Address,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Forgetting, Error> {
        const SENDING: &str =
            "SELECT count(*) FROM prompts WHERE recipient = $1 AND state = 'sending'";
        const PEOPLE: &str = "UPDATE people SET recipient = $2, email = NULL, name = NULL, \
            locale = NULL, time_zone = NULL, country = NULL WHERE recipient = $1";
        const PROMPTS: &str = "UPDATE prompts SET recipient = $2, digest = NULL, outcome = NULL \
            WHERE recipient = $1";
        // What somebody has in hand slips out of it: the fence has moved on.
        const WITHDRAW: &str = "UPDATE prompts SET state = 'refused', fence = fence + 1, day = NULL, \
            lease_owner = NULL, lease_until = NULL, outcome = 'the person was forgotten' \
            WHERE recipient = $1 AND state IN ('queued', 'leased')";
        const REACHABLE: &str = "UPDATE connections SET reachable = EXISTS (\
                SELECT 1 FROM connections other \
                JOIN people ON people.connection_key = other.connection_key \
                WHERE other.grant_id = connections.grant_id AND other.presence <> 'gone' \
                    AND people.email IS NOT NULL) \
            WHERE grant_id IN (SELECT own.grant_id FROM connections own \
                JOIN people ON people.connection_key = own.connection_key \
                WHERE people.recipient = $1)";
        const LOCALE: &str = "UPDATE connections SET locale = (SELECT min(people.locale) \
                FROM people WHERE people.connection_key = connections.connection_key) \
            WHERE connection_key IN (SELECT connection_key FROM people WHERE recipient = $1)";
        const NOTE: &str = "INSERT INTO forgotten (pseudonym, by_name, forgotten_at) \
            VALUES ($1, $2, $3) ON CONFLICT (pseudonym) DO NOTHING";
        let address = address.key();
        let mut tx = self.begin().await?;
        // A scan that is about to write, and whoever is about to lease, come before or after.
        lock_for_scan(&mut tx).await?;
        leasing_lock(&mut tx).await?;
        let sending: i64 = with_tx!(&mut tx, db => {
            sqlx::query_scalar(SENDING).bind(address).fetch_one(db).await
        })?;
        if sending > 0 {
            tx.rollback().await?;
            return Ok(Forgetting::InFlight);
        }
        let name = pseudonym(&key(&mut tx).await?, address);
        let erased = Erased {
            people: change(&mut tx, PEOPLE, &[address, &name]).await?,
            prompts: change(&mut tx, PROMPTS, &[address, &name]).await?,
            withdrawn: change(&mut tx, WITHDRAW, &[&name]).await?,
            suppressions: change(
                &mut tx,
                "DELETE FROM suppressions WHERE recipient = $1",
                &[address],
            )
            .await?,
            exemptions: change(
                &mut tx,
                "UPDATE exemptions SET subject = $2 WHERE subject = $1",
                &[address, &name],
            )
            .await?,
            texts: rewrite(&mut tx, |text| {
                replaced(text, |found| (found == Some(address)).then(|| name.clone()))
            })
            .await?,
        };
        change(&mut tx, REACHABLE, &[&name]).await?;
        change(&mut tx, LOCALE, &[&name]).await?;
        with_tx!(&mut tx, db => {
            sqlx::query(NOTE).bind(&name).bind(by).bind(now).execute(db).await.map(|_| ())
        })?;
        let act = Act::new(Kind::Forgotten, now).person(address).by(by);
        append(&mut tx, &[act.with("erased", serde_json::json!(erased))]).await?;
        tx.commit().await?;
        Ok(Forgetting::Done(erased))
    }
}
