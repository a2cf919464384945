//! A simulated campaign as a document: every mail, removal and return, day by day, and how it
//! ended.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::document::Document;

/// Something that happens in a simulated campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub at: DateTime<Utc>,
    /// `mail`, `webhook`, `file`, `put_off`, `refused`, `unknown`, `bounced`, `removed`,
    /// `found_gone`, `removal_unknown`, `removal_failed`, `crossed`, `returned`, or `customer`.
    pub what: &'static str,
    /// The stage of a message, or what a customer does.
    pub about: Option<String>,
    /// Whom it concerns: an address or a pseudonym; the connection of a removal.
    pub whom: Option<String>,
    /// The connections that a message shows.
    pub connections: Option<u64>,
}

/// What happens on a day of the campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: NaiveDate,
    /// How often each thing happens, messages by their stage.
    pub counts: BTreeMap<String, u64>,
}

/// When the messages of a stage go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageSpan {
    pub stage: String,
    pub messages: u64,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// What stops a step, and on how many runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub step: &'static str,
    pub code: String,
    pub text: String,
    pub first_at: DateTime<Utc>,
    pub runs: u64,
}

/// How it stands at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ending {
    pub connections: u64,
    pub ready: u64,
    pub awaiting: u64,
    pub ready_percent: Option<f64>,
    /// The same when the deadline comes.
    pub ready_percent_at_deadline: Option<f64>,
    pub removed: u64,
    pub returned: u64,
    pub gone: u64,
    pub messages: u64,
}

/// One course that a campaign may take.
#[derive(Debug, Serialize)]
pub struct Course {
    pub ending: Ending,
    pub stages: Vec<StageSpan>,
    pub stopped: Vec<Stopped>,
    pub days: Vec<Day>,
    pub calendar: Vec<Event>,
    /// The progress report as it stands at the end.
    pub report: Document,
    #[serde(skip)]
    pub at_first: Option<Document>,
}

/// A campaign, simulated.
#[derive(Debug, Serialize)]
pub struct Simulated {
    pub app: String,
    pub seed: u64,
    pub began_at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub time_zone: String,
    pub deadline: DateTime<Utc>,
    /// What was taken for granted, in sentences.
    pub assumed: Vec<String>,
    /// What is worth knowing before anything else, in sentences.
    pub remarks: Vec<String>,
    /// The progress report after the first run, with the forecast from the history so far.
    pub at_first: Document,
    /// What the program does by itself.
    pub if_nobody_reacts: Course,
    pub with_customers: Course,
    /// The same customers under another configuration.
    pub against: Option<Against>,
}

/// Another configuration, and what is different with it.
#[derive(Debug, Serialize)]
pub struct Against {
    pub configuration: String,
    pub if_nobody_reacts: Course,
    pub with_customers: Course,
    pub differences: Vec<Difference>,
}

/// A number that is not the same under both configurations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub what: String,
    pub before: String,
    pub after: String,
}

impl Event {
    /// What a day's count of it goes by.
    #[must_use]
    pub fn kind(&self) -> String {
        match (self.what, &self.about) {
            ("mail" | "webhook" | "file" | "customer", Some(about)) => {
                format!("{}: {about}", self.what)
            }
            (what, _) => what.to_owned(),
        }
    }

    fn is_message(&self) -> bool {
        matches!(self.what, "mail" | "webhook" | "file")
    }
}

/// The totals of each day in a zone.
#[must_use]
pub fn days(calendar: &[Event], zone: Tz) -> Vec<Day> {
    let mut days: BTreeMap<NaiveDate, BTreeMap<String, u64>> = BTreeMap::new();
    for event in calendar {
        let day = event.at.with_timezone(&zone).date_naive();
        *days.entry(day).or_default().entry(event.kind()).or_default() += 1;
    }
    days.into_iter().map(|(day, counts)| Day { day, counts }).collect()
}

/// When the messages of each stage go out, in the order in which they begin.
#[must_use]
pub fn stages(calendar: &[Event], zone: Tz) -> Vec<StageSpan> {
    let mut spans: Vec<StageSpan> = Vec::new();
    for event in calendar.iter().filter(|event| event.is_message()) {
        let day = event.at.with_timezone(&zone).date_naive();
        let stage = event.about.clone().unwrap_or_default();
        match spans.iter_mut().find(|span| span.stage == stage) {
            Some(span) => {
                span.messages += 1;
                span.last = span.last.max(day);
            }
            None => spans.push(StageSpan { stage, messages: 1, first: day, last: day }),
        }
    }
    spans
}

/// Messages that went out.
#[must_use]
pub fn messages(calendar: &[Event]) -> u64 {
    calendar.iter().filter(|event| event.is_message()).count() as u64
}

/// What is different between two courses.
#[must_use]
pub fn differences(before: &Course, after: &Course) -> Vec<Difference> {
    let percent = |percent: Option<f64>| percent.map_or("-".to_owned(), |it| format!("{it:.1}%"));
    let ends = |course: &Course| {
        let end = &course.ending;
        let mut all = vec![
            ("ready at the deadline".to_owned(), percent(end.ready_percent_at_deadline)),
            ("ready at the end".to_owned(), end.ready.to_string()),
            ("awaiting at the end".to_owned(), end.awaiting.to_string()),
            ("messages".to_owned(), end.messages.to_string()),
            ("removed".to_owned(), end.removed.to_string()),
            ("returned".to_owned(), end.returned.to_string()),
        ];
        all.extend(course.stages.iter().map(|span| {
            let StageSpan { stage, messages, first, last } = span;
            (format!("stage {stage}"), format!("{messages} from {first} to {last}"))
        }));
        all
    };
    let (one, other) = (ends(before), ends(after));
    let mut names: Vec<&String> = one.iter().chain(&other).map(|(name, _)| name).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let value = |all: &[(String, String)], wanted: &str| {
        let found = all.iter().find(|(name, _)| name == wanted);
        found.map_or("none".to_owned(), |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|name| Difference {
            what: name.clone(),
            before: value(&one, name),
            after: value(&other, name),
        })
        .filter(|difference| difference.before != difference.after)
        .collect()
}
