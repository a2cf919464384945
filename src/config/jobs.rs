//! `[[jobs]]`: what a run does, and when `worker run` starts it.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::problem::{Kind, Wrong};
use super::table::Table;
use super::value::{FromToml, Value};
use crate::schedule::Schedule;

/// The time budget of a job that writes none: an hourly one is over before the next fire.
const DEFAULT_BUDGET: Minutes = Minutes(50);

/// A named run.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    /// In the order of [`Step::ALL`], each once.
    pub steps: Vec<Step>,
    /// `None` for `run-once` only.
    pub schedule: Option<Schedule>,
    /// Whose wall clock the schedule means.
    pub zone: Tz,
    pub catch_up: CatchUp,
    /// How long a run may take; what is left then is for the next.
    pub budget: TimeDelta,
    /// Where the step `report` publishes it; the ending says in which form.
    pub report: Option<PathBuf>,
}

/// What becomes of fires that nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// The latest of them runs as soon as somebody is.
    Latest,
    /// None of them runs.
    Skip,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Scan,
    Prompt,
    Remove,
    Report,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Scan, Self::Prompt, Self::Remove, Self::Report];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Prompt => "prompt",
            Self::Remove => "remove",
            Self::Report => "report",
        }
    }
}

impl Job {
    /// Reads all jobs; where there are none, one with every step, for `run-once`.
    pub(super) fn read_all(root: &Table<'_>) -> Option<Vec<Self>> {
        let tables = match root.tables("jobs") {
            Some(tables) => tables,
            None if root.has("jobs") => return None,
            None => return Some(vec![Self::whole_campaign()]),
        };
        let count = tables.len();
        let mut jobs: Vec<Self> = Vec::new();
        for table in tables {
            jobs.extend(Self::read(&table, &jobs));
            table.finish();
        }
        (jobs.len() == count).then_some(jobs)
    }

    /// The job of a configuration that writes none: everything, when it is asked for.
    #[must_use]
    pub fn whole_campaign() -> Self {
        Self {
            name: "campaign".to_owned(),
            steps: Step::ALL.to_vec(),
            schedule: None,
            zone: Tz::UTC,
            catch_up: CatchUp::Latest,
            budget: DEFAULT_BUDGET.span(),
            report: None,
        }
    }

    fn read(table: &Table<'_>, above: &[Self]) -> Option<Self> {
        let name = table.require_spanned::<String>("name", "\"campaign\"");
        let steps = steps(table);
        let schedule = table.get("schedule");
        let zone = table.get("time_zone").unwrap_or(Tz::UTC);
        let catch_up = table.get("catch_up").unwrap_or(CatchUp::Latest);
        let budget = table.get("budget_minutes").unwrap_or(DEFAULT_BUDGET).span();
        let report = report(table, steps.as_deref());
        let name = name?;
        if above.iter().any(|other| other.name == *name.get_ref()) {
            let message = format!("a second job is called \"{}\"", name.get_ref());
            table.reading().report(
                name.span(),
                Kind::Wrong,
                Wrong::new(message, "write a name of its own"),
            );
        }
        Some(Self {
            name: name.into_inner(),
            steps: steps?,
            schedule,
            zone,
            catch_up,
            budget,
            report,
        })
    }
}

/// The endings of the forms that a report has.
pub const REPORT_ENDINGS: [&str; 4] = ["html", "json", "csv", "txt"];

/// A file of a known form, of a job that reports.
fn report(table: &Table<'_>, steps: Option<&[Step]>) -> Option<PathBuf> {
    let value = table.value("report")?;
    let path = table.get::<String>("report")?;
    let ending = Path::new(&path).extension().and_then(|ending| ending.to_str());
    if !ending.is_some_and(|ending| REPORT_ENDINGS.contains(&ending)) {
        value.wrong(Wrong::new(
            format!("`report` is \"{path}\", whose ending names no form of the report"),
            "let it end in .html, .json, .csv or .txt",
        ));
    }
    if steps.is_some_and(|steps| !steps.contains(&Step::Report)) {
        value.wrong(Wrong::new(
            "`report` names a file, and the job has no step `report`",
            "write `\"report\"` as the last of its `steps`, or leave `report` out",
        ));
    }
    Some(table.reading().resolve(&path))
}

fn steps(table: &Table<'_>) -> Option<Vec<Step>> {
    const ORDER: &str = "[\"scan\", \"prompt\", \"remove\", \"report\"]";
    table.need(true, "steps", ORDER);
    let value = table.value("steps")?;
    let written = table.list::<Step>("steps")?;
    if value.len() == Some(0) {
        value.wrong(Wrong::new(
            "`steps` is empty: the job would do nothing",
            format!("write `steps = {ORDER}`, or some of them"),
        ));
    }
    let mut steps: Vec<Step> = Vec::new();
    for step in &written {
        if let Some(before) = steps.last()
            && step.get_ref() <= before
        {
            let (this, before) = (step.get_ref().as_str(), before.as_str());
            let message = if this == before || steps.contains(step.get_ref()) {
                format!("`{this}` stands twice in `steps`")
            } else {
                format!("`{this}` cannot come after `{before}`")
            };
            let help = format!("keep the order {ORDER}, each at most once");
            table.reading().report(step.span(), Kind::Wrong, Wrong::new(message, help));
        }
        steps.push(*step.get_ref());
    }
    Some(steps)
}

impl FromToml for Step {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&Self::ALL.map(|step| (step.as_str(), step)))
    }
}

impl FromToml for CatchUp {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("latest", Self::Latest), ("skip", Self::Skip)])
    }
}

/// A time budget: at least a minute, at most a day.
struct Minutes(i64);

impl Minutes {
    fn span(&self) -> TimeDelta {
        TimeDelta::minutes(self.0)
    }
}

impl FromToml for Minutes {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(1..=24 * 60).map(Self)
    }
}

impl FromToml for Schedule {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        Self::parse(value.text()?)
            .map_err(|error| Wrong::new(format!("{}: {error}", value.label()), error.remedy()))
    }
}
