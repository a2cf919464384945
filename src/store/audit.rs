//! The record of what was done and decided. Entries are added inside the transaction that
//! writes what they record, so that there is never one without the other.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::audit::{Act, Check, Entry, Fault, Found, Hash, Head, Kind};

use super::bulk;
use super::dialect::{Dialect, Words, time_text, with_words};
use super::settings::{CLIENT_ID, PSEUDONYM_KEY, unhex};
use super::{Error, Store, Tx, with_db, with_tx};

const HEAD: &str = "head";

#[derive(Serialize)]
struct Record<'a> {
    number: i64,
    at: String,
    run: Option<Uuid>,
    kind: &'a str,
    subject: Option<&'a str>,
    person: Option<&'a str>,
    by: Option<&'a str>,
    detail: &'a str,
    hash: &'a str,
}

const COLUMNS_OF_RECORD: [(&str, bulk::Kind); 9] = [
    ("number", bulk::Kind::Int),
    ("at", bulk::Kind::Time),
    ("run", bulk::Kind::Uuid),
    ("kind", bulk::Kind::Text),
    ("subject", bulk::Kind::Text),
    ("person", bulk::Kind::Text),
    ("by", bulk::Kind::Text),
    ("detail", bulk::Kind::Text),
    ("hash", bulk::Kind::Text),
];

/// Adds entries, in their order. The end of the record is locked until the transaction ends,
/// so this comes last before the commit: then nobody who holds it waits for anything else.
pub(super) async fn append(tx: &mut Tx, acts: &[Act]) -> Result<(), Error> {
    const END: &str = "UPDATE audit_head SET number = $2, hash = $3, messages = messages + $4";
    if acts.is_empty() {
        return Ok(());
    }
    let messages = acts.iter().filter(|act| act.kind().is_of_messages()).count();
    let messages = i64::try_from(messages).unwrap_or(i64::MAX);
    let End { mut head, key, app } = lock(tx).await?;
    // A record begins with whose it is.
    let first = acts.first().filter(|_| head == Head::NONE);
    let bound = first.map(|act| Act::new(Kind::DatabaseBound, act.at()).with("client_id", app));
    let acts = bound.iter().chain(acts);
    let entries: Vec<Entry> = acts.map(|act| head.follow(act, key.as_ref())).collect();
    let records: Vec<Record<'_>> = entries.iter().map(record).collect();
    let records = serde_json::to_string(&records).unwrap_or_default();
    let hash = head.hash.to_string();
    let add = format!(
        "INSERT INTO audit (number, at, run_id, kind, subject, person, by_name, detail, hash) \
         SELECT n.number, n.at, n.run, n.kind, n.subject, n.person, n.by, n.detail, n.hash FROM {}",
        Dialect::of_tx(tx).records(&COLUMNS_OF_RECORD, entries.len())
    );
    match tx {
        Tx::Sqlite(tx) => {
            sqlx::query(AssertSqlSafe(add)).bind(records).execute(&mut **tx).await?;
            let end = END.replace("$2", "$1").replace("$3", "$2").replace("$4", "$3");
            let end = sqlx::query(AssertSqlSafe(end)).bind(head.number).bind(hash).bind(messages);
            end.execute(&mut **tx).await?;
        }
        // One way to the server and back in place of two, while others wait for the end.
        Tx::Postgres(tx) => {
            let both = AssertSqlSafe(format!("WITH added AS ({add}) {END}"));
            let both = sqlx::query(both).bind(records).bind(head.number).bind(hash).bind(messages);
            both.execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// The end of the record, with what the database is known by.
struct End {
    head: Head,
    /// Of pseudonyms.
    key: Option<[u8; 32]>,
    app: Option<String>,
}

#[derive(sqlx::FromRow)]
struct EndRow {
    number: i64,
    hash: String,
    key: Option<String>,
    app: Option<String>,
}

/// Holds the end of the record until the transaction ends.
async fn lock(tx: &mut Tx) -> Result<End, Error> {
    const LOCK: &str = "INSERT INTO audit_head (name, number, hash) VALUES ($1, 0, $2) \
        ON CONFLICT (name) DO UPDATE SET number = audit_head.number \
        RETURNING number, hash, (SELECT value FROM settings WHERE name = $3) AS key, \
            (SELECT value FROM settings WHERE name = $4) AS app";
    let row: EndRow = with_tx!(tx, db => {
        sqlx::query_as(LOCK)
            .bind(HEAD)
            .bind(Head::NONE.hash.to_string())
            .bind(PSEUDONYM_KEY)
            .bind(CLIENT_ID)
            .fetch_one(db)
            .await
    })?;
    let key = row.key.as_deref().and_then(unhex);
    Ok(End { head: head(row.number, &row.hash)?, key, app: row.app })
}

fn head(number: i64, hash: &str) -> Result<Head, Error> {
    let hash = hash.parse().map_err(|_| Error::inconsistent("audit_head", "hash", hash))?;
    Ok(Head { number, hash })
}

fn record(entry: &Entry) -> Record<'_> {
    Record {
        number: entry.number,
        at: time_text(entry.at),
        run: entry.run,
        kind: &entry.kind,
        subject: entry.subject.as_deref(),
        person: entry.person.as_deref(),
        by: entry.by.as_deref(),
        detail: &entry.detail,
        hash: &entry.hash,
    }
}

const COLUMNS: &str = "number, at, run_id, kind, subject, person, by_name, detail, hash";

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    at: DateTime<Utc>,
    run_id: Option<Uuid>,
    kind: String,
    subject: Option<String>,
    person: Option<String>,
    by_name: Option<String>,
    detail: String,
    hash: String,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let Row { number, at, run_id: run, kind, subject, person, by_name: by, detail, hash } = row;
        Self { number, at, run, kind, subject, person, by, detail, hash }
    }
}

impl Store {
    /// Where the record ends; `None` before its first entry.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn audit_head(&self) -> Result<Option<Head>, Error> {
        const SQL: &str = "SELECT number, hash FROM audit_head WHERE name = $1";
        let found: Option<(i64, String)> =
            with_db!(self, db => sqlx::query_as(SQL).bind(HEAD).fetch_optional(db).await)?;
        found.map(|(number, hash)| head(number, &hash)).transpose()
    }

    /// Follows the whole record, with `logged` as a head that a log knows.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn verify_audit(&self, logged: Option<Hash>) -> Result<Result<Head, Fault>, Error> {
        const BEYOND: &str = "SELECT min(number) FROM audit WHERE number > \
            (SELECT COALESCE(max(number), 0) FROM audit_head)";
        // What is added meanwhile is not looked at: the end is read first.
        let end = self.audit_head().await?.unwrap_or(Head::NONE);
        let mut check = Check::new(logged);
        let follow = |entry: Entry| match entry.number <= end.number {
            true => check.follow(&entry).map_err(Stop::Fault),
            false => Ok(()),
        };
        match self.audit_entries(follow).await {
            Ok(()) => {}
            Err(Stop::Fault(fault)) => return Ok(Err(fault)),
            Err(Stop::Error(error)) => return Err(error),
        }
        let beyond: Option<i64> =
            with_db!(self, db => sqlx::query_scalar(BEYOND).fetch_one(db).await)?;
        let beyond = beyond.map(|number| Fault { number, found: Found::Appended });
        Ok(check.end(end).and_then(|head| beyond.map_or(Ok(head), Err)))
    }

    /// Passes on all entries, in order.
    ///
    /// # Errors
    /// The database cannot be used, or `each` fails.
    pub async fn audit_entries<E: From<Error>>(
        &self,
        mut each: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!("SELECT {COLUMNS} FROM audit ORDER BY number");
        with_db!(self, db => {
            let mut rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).fetch(db);
            while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                each(row.into())?;
            }
        });
        Ok(())
    }

    /// The entries after a number, in order.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn audit_after(&self, number: i64) -> Result<Vec<Entry>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE number > $1 ORDER BY number");
        let rows: Vec<Row> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(number).fetch_all(db).await
        })?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }

    /// The entries about any of these, in order.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn audit_about(&self, subjects: Vec<String>) -> Result<Vec<Entry>, Error> {
        let sql = with_words(
            self,
            &format!("SELECT {COLUMNS} FROM audit WHERE subject {{words}} ORDER BY number"),
        );
        let rows: Vec<Row> = with_db!(self, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(Words(subjects)).fetch_all(db).await
        })?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }
}

/// Why a verification came to no end.
enum Stop {
    Fault(Fault),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
