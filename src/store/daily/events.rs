//! What happened on the campaign's days, from what is written down about each connection. Rows
//! are few: those of the days that are counted, found by their time. Which of the campaign's
//! days a time falls on depends on its zone, so it is worked out here and not in SQL.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use futures_util::TryStreamExt;

use crate::domain::calendar::midnight;
use crate::domain::daily::{Count, Measure};
use crate::store::{Error, Tx, with_tx};

/// Which days are counted.
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    pub zone: Tz,
    /// The first day there is anything to count about.
    pub founded: NaiveDate,
    pub today: NaiveDate,
}

/// The last time that a connection `k` was told before a moment `m` (and before the prompt
/// itself), as an expression for one column of the ledger: mail, host's own means or a webhook that counts.
macro_rules! last_told {
    ($of:literal, $before:literal) => {
        concat!(
            "(SELECT l.prompt_id FROM prompt_connections t ",
            "JOIN prompts l ON l.prompt_id = t.prompt_id ",
            "WHERE t.connection_key = ",
            $of,
            " AND l.state = 'sent' AND l.bounced_at IS NULL ",
            "AND l.is_notice AND ",
            $before,
            " ORDER BY l.sent_at DESC, l.prompt_id DESC LIMIT 1)"
        )
    };
}

/// The first time that connection was told at a stage.
macro_rules! first_told {
    ($of:literal) => {
        concat!(
            "(SELECT min(f.sent_at) FROM prompt_connections u ",
            "JOIN prompts f ON f.prompt_id = u.prompt_id ",
            "WHERE u.connection_key = ",
            $of,
            " AND f.stage = q.stage AND f.state = 'sent' ",
            "AND f.bounced_at IS NULL AND f.is_notice)"
        )
    };
}

/// The stage that a connection was held back at last before a moment, and since when.
macro_rules! held {
    ($of:literal, $before:literal) => {
        concat!(
            "LEFT JOIN hold_backs h ON h.connection_key = ",
            $of,
            " AND h.held_at = ",
            "(SELECT max(b.held_at) FROM hold_backs b WHERE b.connection_key = ",
            $of,
            " AND b.held_at <= ",
            $before,
            ")"
        )
    };
}

/// Each connection that was told at a stage, once: with where it was before.
const TOLD: &str = concat!(
    "SELECT p.sent_at AS at, p.stage AS into_stage, q.stage, ",
    first_told!("s.connection_key"),
    " AS since, h.stage AS held_stage, h.held_at ",
    "FROM prompts p JOIN prompt_connections s ON s.prompt_id = p.prompt_id ",
    "LEFT JOIN prompts q ON q.prompt_id = ",
    last_told!("s.connection_key", "l.stage <> p.stage AND l.sent_at <= p.sent_at"),
    " ",
    held!("s.connection_key", "p.sent_at"),
    " ",
    "WHERE p.sent_at >= $1 AND p.sent_at < $2 AND p.state = 'sent' AND p.bounced_at IS NULL ",
    "AND p.is_notice AND NOT EXISTS (",
    "SELECT 1 FROM prompt_connections e JOIN prompts o ON o.prompt_id = e.prompt_id ",
    "WHERE e.connection_key = s.connection_key AND o.stage = p.stage AND o.state = 'sent' ",
    "AND o.bounced_at IS NULL AND o.is_notice AND (o.sent_at < p.sent_at ",
    "OR (o.sent_at = p.sent_at AND o.prompt_id < p.prompt_id)))"
);

/// Each connection that began or ceased to be awaiting, with what it had been told.
const TURNED: &str = concat!(
    "SELECT c.changed_at AS at, c.after AS into_stage, q.stage, ",
    first_told!("c.connection_key"),
    " AS since, h.stage AS held_stage, h.held_at ",
    "FROM changes c LEFT JOIN prompts q ON q.prompt_id = ",
    last_told!("c.connection_key", "l.sent_at <= c.changed_at"),
    " ",
    held!("c.connection_key", "c.changed_at"),
    " ",
    "WHERE c.changed_at >= $1 AND c.changed_at < $2 AND (",
    "(c.what = 'readiness' AND (c.before = 'awaiting' OR c.after = 'awaiting')) OR ",
    "(c.what = 'presence' AND c.after IN ('gone', 'removed') AND EXISTS (SELECT 1 FROM connections n ",
    "WHERE n.connection_key = c.connection_key AND n.readiness = 'awaiting')))"
);

/// Connections of messages that came back after the day on which they were counted as told.
const CAME_BACK: &str = "SELECT p.bounced_at AS at, p.stage AS into_stage, p.stage AS stage, \
        p.sent_at AS since, h.stage AS held_stage, h.held_at \
     FROM prompts p JOIN prompt_connections s ON s.prompt_id = p.prompt_id \
     LEFT JOIN hold_backs h ON 1 = 0 \
     WHERE p.bounced_at >= $1 AND p.bounced_at < $2 AND p.sent_at < $1 AND p.is_notice";

const MESSAGES: &str = "SELECT sent_at AS at, stage AS word FROM prompts \
     WHERE sent_at >= $1 AND sent_at < $2 AND state = 'sent' AND channel <> 'file'";

/// The language of a mail's recipient.
macro_rules! mails {
    ($at:literal) => {
        concat!(
            "SELECT p.",
            $at,
            " AS at, COALESCE((SELECT min(w.locale) FROM prompt_connections s ",
            "JOIN people w ON w.connection_key = s.connection_key AND w.recipient = p.recipient ",
            "WHERE s.prompt_id = p.prompt_id), '') AS word FROM prompts p ",
            "WHERE p.",
            $at,
            " >= $1 AND p.",
            $at,
            " < $2 AND p.state = 'sent' ",
            "AND p.channel IN ('email', 'host')"
        )
    };
}

const HELD: &str =
    "SELECT held_at AS at, stage AS word FROM hold_backs WHERE held_at >= $1 AND held_at < $2";

#[derive(sqlx::FromRow)]
struct Step {
    at: DateTime<Utc>,
    into_stage: Option<String>,
    stage: Option<String>,
    since: Option<DateTime<Utc>>,
    held_stage: Option<String>,
    held_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Word {
    at: DateTime<Utc>,
    word: String,
}

/// Numbers as they are added up.
struct Sums {
    zone: Tz,
    counts: BTreeMap<(NaiveDate, Measure, String, Option<NaiveDate>), u64>,
}

impl Sums {
    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    fn add(
        &mut self,
        at: DateTime<Utc>,
        measure: Measure,
        part: &str,
        since: Option<DateTime<Utc>>,
    ) {
        let since = since.map(|since| self.day(since));
        *self.counts.entry((self.day(at), measure, part.to_owned(), since)).or_default() += 1;
    }

    /// Somebody leaves where they were: the stage told last, or nowhere; and those who are held
    /// back since.
    fn leave(&mut self, step: &Step, told: Measure, held: Measure) {
        let stage = step.stage.as_deref().unwrap_or_default();
        self.add(step.at, told, stage, step.since.filter(|_| step.stage.is_some()));
        if let (Some(stage), Some(at)) = (&step.held_stage, step.held_at)
            && step.since.is_none_or(|since| since < at)
        {
            self.add(step.at, held, stage, Some(at));
        }
    }
}

impl Counting {
    /// Everything that happened from a day on, up to the end of today.
    pub(super) async fn events(&self, tx: &mut Tx, from: NaiveDate) -> Result<Vec<Count>, Error> {
        let end = self.today.succ_opt().unwrap_or(self.today);
        let span = (midnight(self.zone, from), midnight(self.zone, end));
        let mut sums = Sums { zone: self.zone, counts: BTreeMap::new() };
        steps(tx, TOLD, span, |step| {
            let stage = step.into_stage.as_deref().unwrap_or_default();
            sums.add(step.at, Measure::Told, stage, None);
            if step.stage.is_some() || step.held_stage.is_some() {
                sums.leave(&step, Measure::Moved, Measure::HeldMoved);
            }
        })
        .await?;
        steps(tx, TURNED, span, |step| match step.into_stage.as_deref() {
            Some("ready") => sums.leave(&step, Measure::BecameReady, Measure::HeldReady),
            Some("awaiting") => sums.add(step.at, Measure::FellBack, "", None),
            _ => sums.leave(&step, Measure::Left, Measure::HeldLeft),
        })
        .await?;
        steps(tx, CAME_BACK, span, |step| sums.leave(&step, Measure::Left, Measure::HeldLeft))
            .await?;
        for (sql, measure) in [
            (MESSAGES, Measure::Messages),
            (HELD, Measure::Held),
            (mails!("sent_at"), Measure::Mails),
            (mails!("bounced_at"), Measure::Bounced),
        ] {
            words(tx, sql, span, |word| sums.add(word.at, measure, &word.word, None)).await?;
        }
        let count =
            |((day, measure, part, since), number)| Count { day, measure, part, since, number };
        Ok(sums.counts.into_iter().map(count).collect())
    }
}

type Span = (DateTime<Utc>, DateTime<Utc>);

async fn steps(
    tx: &mut Tx,
    sql: &'static str,
    (from, until): Span,
    mut each: impl FnMut(Step),
) -> Result<(), Error> {
    with_tx!(tx, db => {
        let mut rows = sqlx::query_as(sql).bind(from).bind(until).fetch(db);
        while let Some(step) = rows.try_next().await? {
            each(step);
        }
    });
    Ok(())
}

async fn words(
    tx: &mut Tx,
    sql: &'static str,
    (from, until): Span,
    mut each: impl FnMut(Word),
) -> Result<(), Error> {
    with_tx!(tx, db => {
        let mut rows = sqlx::query_as(sql).bind(from).bind(until).fetch(db);
        while let Some(word) = rows.try_next().await? {
            each(word);
        }
    });
    Ok(())
}
