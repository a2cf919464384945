//! Taking prompts into one's hands, as far as the caps of the day and of each address let
//! through: rows that are there are leased, and those that are not are made as leased. One
//! worker leases at a time, so the caps hold for all of them together.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::reason::Reason;
use crate::domain::told::PromptState;
use crate::store::bulk::{Amount, Cell, Kind, Target, fill};
use crate::store::dialect::{Dialect, Ids, Words, with_ids};
use crate::store::erasing::Aliases;
use crate::store::home::count_effects;
use crate::store::leases::is_over;
use crate::store::{Error, Store, Tx, forgotten, with_tx};

use super::{day_text, used_today};

/// A prompt that is to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub prompt: Uuid,
    pub recipient: String,
    pub stage: String,
    pub channel: String,
    /// Which of the messages of a stage that goes out as often as there are removals.
    pub wave: i64,
}

/// By whom, until when, and on whose account.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub owner: Uuid,
    pub until: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// The campaign's day.
    pub day: NaiveDate,
    pub edition: i64,
    pub run: Uuid,
}

/// A prompt in one's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    pub prompt: Uuid,
    pub recipient: String,
    pub stage: String,
    pub channel: String,
    pub wave: i64,
    pub fence: i64,
    /// How often it was about to be sent before.
    pub attempts: u32,
    /// What it said then.
    pub digest: Option<String>,
    pub message_sha256: Option<String>,
}

/// What is used up of the caps.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    /// On this day of the campaign, by stage.
    pub today: BTreeMap<String, u64>,
    /// In this run, by all who take part in it.
    pub in_run: u64,
}

/// What came of wanting to lease.
#[derive(Clone, Debug, Default)]
pub struct Leasing {
    pub leased: Vec<Leased>,
    /// Prompts that a cap held back, each with the reasons.
    pub held_back: Vec<(Wanted, Vec<Reason>)>,
    /// The present pause, if there is one; nothing was leased then.
    pub paused: Option<String>,
}

/// The fence of the first lease.
const FIRST_FENCE: i64 = 1;

const PROMPTS: Target = Target {
    table: "prompts",
    columns: &[
        ("prompt_id", Kind::Uuid),
        ("recipient", Kind::Text),
        ("stage", Kind::Text),
        ("channel", Kind::Text),
        ("edition", Kind::Int),
        ("wave", Kind::Int),
        ("state", Kind::Text),
        ("day", Kind::Text),
        ("due_at", Kind::Time),
        ("attempts", Kind::Int),
        ("lease_owner", Kind::Uuid),
        ("lease_until", Kind::Time),
        ("fence", Kind::Int),
        ("is_notice", Kind::Bool),
        ("run_id", Kind::Uuid),
        ("made_at", Kind::Time),
    ],
    key: None,
    keep: &[],
};

#[derive(Clone, sqlx::FromRow)]
struct Row {
    prompt_id: Uuid,
    recipient: String,
    stage: String,
    channel: String,
    edition: i64,
    wave: i64,
    state: String,
    day: Option<String>,
    due_at: DateTime<Utc>,
    lease_until: Option<DateTime<Utc>>,
    fence: i64,
    attempts: i64,
    digest: Option<String>,
    message_sha256: Option<String>,
}

impl Row {
    fn may_be_leased(&self, now: DateTime<Utc>) -> bool {
        match PromptState::parse(&self.state) {
            Some(PromptState::Queued) => self.due_at <= now,
            Some(PromptState::Leased) => self.lease_until.is_none_or(|until| until <= now),
            _ => false,
        }
    }

    fn is_of(&self, wanted: &Wanted, edition: i64) -> bool {
        self.edition == edition
            && self.recipient == wanted.recipient
            && self.stage == wanted.stage
            && self.channel == wanted.channel
            && self.wave == wanted.wave
    }
}

impl Store {
    /// Leases what is wanted, in its order, as far as `caps` lets each through: it is given a
    /// prompt, what was used up before this, with this day's by stage brought forward, and how
    /// many messages its recipient has had today by mail.
    ///
    /// # Errors
    /// The run is over, or the database cannot be used.
    pub async fn lease_prompts(
        &self,
        wanted: Vec<Wanted>,
        lease: Lease,
        mut caps: impl FnMut(&Wanted, &Spent, u64) -> Result<(), Vec<Reason>>,
    ) -> Result<Leasing, Error> {
        let mut tx = self.begin().await?;
        lock(&mut tx).await?;
        if is_over(&mut tx, lease.run).await? {
            return Err(Error::RunOver);
        }
        let mut leasing = Leasing { paused: pause(&mut tx).await?, ..Leasing::default() };
        if leasing.paused.is_some() {
            tx.rollback().await?;
            return Ok(leasing);
        }
        let wanted = without_forgotten(&mut tx, wanted).await?;
        let mut spent = Spent {
            today: used_today(&mut tx, lease.day).await?,
            in_run: taken_on(&mut tx, lease.run).await?,
        };
        let rows = self.rows(&mut tx, &wanted).await?;
        let day = day_text(lease.day);
        let mut mails: HashMap<String, u64> = HashMap::new();
        for row in &rows {
            if row.channel == "email" && row.day.as_deref() == Some(day.as_str()) {
                *mails.entry(row.recipient.clone()).or_default() += 1;
            }
        }
        let mut fresh = Vec::new();
        let mut ids = Vec::new();
        for wanted in wanted {
            let row = rows.iter().find(|row| row.is_of(&wanted, lease.edition));
            if row.is_some_and(|row| !row.may_be_leased(lease.now)) {
                continue;
            }
            let had = mails.get(&wanted.recipient).copied().unwrap_or_default();
            if let Err(reasons) = caps(&wanted, &spent, had) {
                leasing.held_back.push((wanted, reasons));
                continue;
            }
            *spent.today.entry(wanted.stage.clone()).or_default() += 1;
            if wanted.channel == "email" {
                *mails.entry(wanted.recipient.clone()).or_default() += 1;
            }
            match row {
                Some(row) => ids.push(row.prompt_id),
                None => fresh.extend(cells(&wanted, lease)),
            }
            leasing.leased.push(leased(row, wanted));
        }
        let mut statements = Vec::new();
        fill(Dialect::of(self), &PROMPTS, Amount::All, &mut fresh, &mut statements)?;
        for statement in statements {
            statement.run(&mut tx).await?;
        }
        if !ids.is_empty() {
            let sql = with_ids(
                self,
                "UPDATE prompts SET state = 'leased', lease_owner = $2, lease_until = $3, day = $4, \
                    run_id = $5, fence = fence + 1 WHERE prompt_id {ids}",
            );
            with_tx!(&mut tx, db => {
                sqlx::query(AssertSqlSafe(sql))
                    .bind(Ids(ids))
                    .bind(lease.owner)
                    .bind(lease.until)
                    .bind(&day)
                    .bind(lease.run)
                    .execute(db)
                    .await
                    .map(|_| ())
            })?;
        }
        // A database that was restored from before this knows less than was sent: the count
        // tells (`store::home`). Nothing leaves before it is written down.
        let count =
            if leasing.leased.is_empty() { None } else { Some(count_effects(&mut tx).await?) };
        if count == Some(1) {
            // A number without its file would look like a database that was moved.
            self.keep_count(0).await?;
        }
        tx.commit().await?;
        if let Some(count) = count {
            self.keep_count(count).await?;
        }
        Ok(leasing)
    }

    async fn rows(&self, tx: &mut Tx, wanted: &[Wanted]) -> Result<Vec<Row>, Error> {
        let sql = format!(
            "SELECT prompt_id, recipient, stage, channel, edition, wave, state, day, due_at, \
                lease_until, fence, attempts, digest, message_sha256 FROM {}",
            Dialect::of(self).of_each("prompts", "recipient", Kind::Text, "p")
        );
        let recipients = wanted.iter().map(|wanted| wanted.recipient.clone()).collect();
        let aliases = Aliases::within(tx, &recipients).await?;
        let names = Words(aliases.with(recipients));
        let mut rows: Vec<Row> = with_tx!(tx, db => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(names).fetch_all(db).await
        })?;
        rows.iter_mut().for_each(|row| aliases.resolve(&mut row.recipient));
        Ok(rows)
    }
}

/// Whoever was erased since the plan was made is left out: a row would bring the address back.
async fn without_forgotten(tx: &mut Tx, wanted: Vec<Wanted>) -> Result<Vec<Wanted>, Error> {
    let forgotten = forgotten::within(tx).await?;
    Ok(wanted.into_iter().filter(|wanted| !forgotten.has(&wanted.recipient)).collect())
}

/// How many prompts a run has taken on.
async fn taken_on(tx: &mut Tx, run: Uuid) -> Result<u64, Error> {
    const SQL: &str = "SELECT count(*) FROM prompts WHERE run_id = $1";
    let count: i64 = with_tx!(tx, db => sqlx::query_scalar(SQL).bind(run).fetch_one(db).await)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Lets one worker lease at a time. On SQLite the write transaction itself does that.
pub(in crate::store) async fn lock(tx: &mut Tx) -> Result<(), Error> {
    /// Any number, as long as it is nobody else's in this database.
    const LEASING: i64 = 0x5845_524f_4c45_4153;
    match tx {
        Tx::Sqlite(_) => {}
        Tx::Postgres(tx) => {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(LEASING)
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// The reason of the pause in force.
pub(in crate::store) async fn pause(tx: &mut Tx) -> Result<Option<String>, Error> {
    const SQL: &str =
        "SELECT reason FROM pauses WHERE resumed_at IS NULL ORDER BY paused_at LIMIT 1";
    Ok(with_tx!(tx, db => sqlx::query_scalar(SQL).fetch_optional(db).await)?)
}

fn leased(row: Option<&Row>, wanted: Wanted) -> Leased {
    let Wanted { prompt, recipient, stage, channel, wave } = wanted;
    Leased {
        prompt: row.map_or(prompt, |row| row.prompt_id),
        recipient,
        stage,
        channel,
        wave,
        fence: row.map_or(FIRST_FENCE, |row| row.fence + 1),
        attempts: row.map_or(0, |row| u32::try_from(row.attempts).unwrap_or(u32::MAX)),
        digest: row.and_then(|row| row.digest.clone()),
        message_sha256: row.and_then(|row| row.message_sha256.clone()),
    }
}

fn cells(wanted: &Wanted, lease: Lease) -> [Cell; PROMPTS.columns.len()] {
    [
        Cell::Uuid(Some(wanted.prompt)),
        Cell::Text(Some(wanted.recipient.clone().into())),
        Cell::Text(Some(wanted.stage.clone().into())),
        Cell::Text(Some(wanted.channel.clone().into())),
        Cell::Int(Some(lease.edition)),
        Cell::Int(Some(wanted.wave)),
        Cell::word(Some(PromptState::Leased.as_str())),
        Cell::text(Some(day_text(lease.day))),
        Cell::Time(Some(lease.now)),
        Cell::Int(Some(0)),
        Cell::Uuid(Some(lease.owner)),
        Cell::Time(Some(lease.until)),
        Cell::Int(Some(FIRST_FENCE)),
        Cell::Bool(false),
        Cell::Uuid(Some(lease.run)),
        Cell::Time(Some(lease.now)),
    ]
}
