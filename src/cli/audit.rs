//! `worker audit`

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::audit::{Entry, Fault, Found, Hash, Head, Kind};
use crate::domain::pseudonym::pseudonym;
use crate::domain::recipient::exemption_id;
use crate::jobs::exit::Exit;

use super::context::{Context, Trouble, moment};
use super::format::Format;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The record of what was done and decided, oldest first
    List(List),
    /// Whether the record is as it was written
    Verify {
        /// A head that a log knows (`audit_head` of a progress event): it has to be in the record
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only this kind; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// From this day or time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this day or time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only about this: an id of a prompt, connection, tenant, grant, plan or scan, an account,
    /// an address, or a pseudonym
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only the newest ones, so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    match command {
        Command::List(list) => list.run(context).await,
        Command::Verify { head, format } => verify(context, head.as_deref(), format).await,
    }
}

/// What an entry must be like.
struct Filter {
    kinds: Vec<Kind>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// Any of these.
    names: Option<[String; 2]>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let is = |name: &Option<String>, names: &[String; 2]| {
            name.as_ref().is_some_and(|name| names.contains(name))
        };
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.as_str() == entry.kind))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self
                .names
                .as_ref()
                .is_none_or(|names| is(&entry.subject, names) || is(&entry.person, names))
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<Exit, Trouble> {
        let configured = context.configured()?;
        let config = &configured.config;
        let time = |option: &str, text: &Option<String>| {
            text.as_ref().map(|text| moment(option, text, config)).transpose()
        };
        let kinds = self.kinds.iter().map(|word| kind(word)).collect::<Result<_, _>>()?;
        let (since, until) = (time("--since", &self.since)?, time("--until", &self.until)?);
        let (store, keys) = context.existing(config).await?;
        let names = self.subject.map(|typed| {
            let id = exemption_id(&typed);
            [pseudonym(&keys.pseudonym, &id), id]
        });
        let filter = Filter { kinds, since, until, names };
        let mut page = Page::begin(self.format, config.campaign.zone)?;
        let mut newest: VecDeque<Entry> = VecDeque::new();
        let each = |entry: Entry| -> Result<(), Trouble> {
            if !filter.takes(&entry) {
                return Ok(());
            }
            let Some(limit) = self.limit else { return Ok(page.put(&entry)?) };
            newest.push_back(entry);
            if newest.len() > limit {
                newest.pop_front();
            }
            Ok(())
        };
        store.audit_entries(each).await?;
        store.close().await;
        for entry in &newest {
            page.put(entry)?;
        }
        page.end()?;
        Ok(Exit::Done)
    }
}

fn kind(word: &str) -> Result<Kind, Trouble> {
    Kind::parse(word).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        Trouble::Usage(
            format!("there is no kind {word:?}"),
            format!("the kinds are: {}", known.join(", ")),
        )
    })
}

/// Entries on their way out, one at a time.
struct Page {
    out: BufWriter<io::Stdout>,
    format: Format,
    zone: Tz,
    count: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    number: i64,
    at: DateTime<Utc>,
    run_id: Option<uuid::Uuid>,
    kind: &'a str,
    subject: Option<&'a str>,
    person: Option<&'a str>,
    by: Option<&'a str>,
    detail: Option<&'a RawValue>,
    hash: &'a str,
}

impl Page {
    fn begin(format: Format, zone: Tz) -> io::Result<Self> {
        let mut out = BufWriter::new(io::stdout());
        if format == Format::Json {
            out.write_all(b"[")?;
        }
        Ok(Self { out, format, zone, count: 0 })
    }

    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        self.count += 1;
        let Entry { number, at, run, kind, subject, person, by, detail, hash } = entry;
        if self.format == Format::Json {
            if self.count > 1 {
                self.out.write_all(b",")?;
            }
            let line = Line {
                number: *number,
                at: *at,
                run_id: *run,
                kind,
                subject: subject.as_deref(),
                person: person.as_deref(),
                by: by.as_deref(),
                // One that was altered may be anything.
                detail: serde_json::from_str(detail).ok(),
                hash,
            };
            return Ok(serde_json::to_writer(&mut self.out, &line)?);
        }
        let at = at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S");
        write!(self.out, "{number:>7} {at} {kind}")?;
        if let Some(by) = by {
            write!(self.out, " by {by}")?;
        }
        for name in [subject, person].into_iter().flatten() {
            write!(self.out, " {name}")?;
        }
        let detail = told(detail);
        let separator = if detail.is_empty() { "" } else { ": " };
        writeln!(self.out, "{separator}{detail}")
    }

    fn end(mut self) -> io::Result<()> {
        match (self.format, self.count) {
            (Format::Json, _) => self.out.write_all(b"]\n")?,
            (Format::Text, 0) => writeln!(self.out, "Nothing like this is recorded.")?,
            (Format::Text, _) => {}
        }
        self.out.flush()
    }
}

/// An entry's detail, for people.
pub(super) fn told(detail: &str) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(detail).unwrap_or_default();
    let told = fields.iter().map(|(name, value)| match value {
        serde_json::Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What `verify` found.
#[derive(Serialize)]
struct Verified {
    whole: bool,
    /// Of a whole record.
    entries: Option<i64>,
    head: Option<String>,
    /// The first entry that is not as it was written, and why.
    first_wrong: Option<i64>,
    found: Option<&'static str>,
}

async fn verify(context: &Context, head: Option<&str>, format: Format) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let logged = head.map(|text| text.trim().to_ascii_lowercase().parse::<Hash>());
    let logged = logged.transpose().map_err(|error| {
        Trouble::Usage(
            format!("--head is no head of the record: it is {error}"),
            "give the field audit_head of a logged progress event".to_owned(),
        )
    })?;
    let (store, _) = context.existing(&configured.config).await?;
    let verified = store.verify_audit(logged).await?;
    store.close().await;
    let mut out = io::stdout().lock();
    if format == Format::Json {
        let document = match verified {
            Ok(head) => Verified::whole(head),
            Err(fault) => Verified::wrong(fault),
        };
        writeln!(out, "{}", serde_json::to_string(&document).map_err(io::Error::from)?)?;
    }
    match (verified, format) {
        (Ok(_), Format::Json) => {}
        (Ok(Head { number: 0, .. }), Format::Text) => writeln!(out, "Nothing is recorded yet.")?,
        (Ok(Head { number, hash }), Format::Text) => {
            writeln!(out, "The record is whole up to entry {number}, head {hash}.")?;
        }
        (Err(fault), _) => {
            let text = format!("entry {} {}", fault.number, fault.found.text());
            tracing::error!(remedy = remedy(fault.found), "the record is not whole: {text}");
            return Ok(Exit::Stopped);
        }
    }
    Ok(Exit::Done)
}

fn remedy(found: Found) -> &'static str {
    match found {
        Found::NotInIt => {
            "is this the database that the log is of? if it was restored, the log is newer: look \
             at which entries are missing; else somebody rewrote it: compare it with a backup"
        }
        _ => {
            "somebody wrote to the database by hand, or the file is damaged: compare it with a \
             backup from this entry on, and with the heads in your logs (docs/audit.md)"
        }
    }
}

impl Verified {
    fn whole(head: Head) -> Self {
        let entries = Some(head.number);
        let head = (head.number > 0).then(|| head.hash.to_string());
        Self { whole: true, entries, head, first_wrong: None, found: None }
    }

    fn wrong(fault: Fault) -> Self {
        let (first_wrong, found) = (Some(fault.number), Some(fault.found.as_str()));
        Self { whole: false, entries: None, head: None, first_wrong, found }
    }
}
