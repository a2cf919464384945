//! `[removal]`: which holdouts lose their connection, when, and how many.

use toml::Spanned;

use super::problem::{Kind, Wrong};
use super::table::Table;
use super::value::{Days, FromToml, Percent, Value};
use crate::domain::campaign::{Approval, PerPerson, RemovalPolicy, Stage};
use crate::domain::class::Class;
use crate::domain::win_back::DAYS;

/// Percent, where nothing else is written.
const TENTH: f64 = 10.0;

/// Reads the table and holds it against the stages and the calls to Xero, if those are right
/// themselves.
pub(super) fn read(
    root: &Table<'_>,
    stages: Option<&[Stage]>,
    calls_per_minute: Option<u32>,
) -> Option<RemovalPolicy> {
    let table = root.table("removal")?;
    let enabled = table.get("enabled").unwrap_or(false);
    let days = |Days(days): Days| days;
    let percent = |key| table.get(key).map_or(TENTH, |Percent(percent): Percent| percent);
    let min_prompts = table.spanned::<u32>("min_prompts");
    let min_notice_days = table.spanned::<Days>("min_notice_days");
    table.need(enabled, "min_prompts", "3");
    table.need(enabled, "min_notice_days", "21");
    if let Some(stages) = stages {
        enough_stages(&table, min_prompts.as_ref(), stages);
        enough_notice(&table, min_notice_days.as_ref(), stages);
        if enabled && final_stage(stages).is_none() {
            table.wrong(
                "removal is enabled, and no stage is the final notice",
                "write `final = true` at the [[campaign.stages]] that names the removal date",
            );
        }
    }
    if enabled && calls_per_minute == Some(1) {
        table.wrong(
            "removal is enabled, and `calls_per_minute` of [xero] is 1: Xero's list is read within the minute before each removal",
            "write at least `calls_per_minute = 2` in [xero]",
        );
    }
    let approval = table.get("approval").unwrap_or(Approval::One);
    let approvers = approvers(&table, enabled, approval);
    let policy = RemovalPolicy {
        enabled,
        opens_days_before: table.knob(enabled, "opens_days_before", "30").map(days),
        classes: classes(&table),
        min_prompts: min_prompts.map(Spanned::into_inner),
        min_notice_days: min_notice_days.map(|notice| days(notice.into_inner())),
        approval,
        approvers,
        plan_valid_days: table.get("plan_valid_days").map_or(7, days),
        per_person: table.get("per_person").unwrap_or(PerPerson::One),
        wait_days: table.get("wait_days").map_or(7, days),
        max_inventory_age_minutes: table.get("max_inventory_age_minutes").unwrap_or(15),
        max_per_run: table.knob(enabled, "max_per_run", "50"),
        max_per_day: table.knob(enabled, "max_per_day", "200"),
        max_percent: table.knob(enabled, "max_percent", "5").map(|Percent(percent)| percent),
        ramp: table.items("ramp"),
        max_failed_percent: percent("max_failed_percent"),
        min_returned_percent: percent("min_returned_percent"),
        max_drift_percent: percent("max_drift_percent"),
        covered: table.get("covered").unwrap_or(false),
        win_back_days: win_back_days(&table),
    };
    table.finish();
    Some(policy)
}

fn final_stage(stages: &[Stage]) -> Option<&Stage> {
    stages.iter().find(|stage| stage.is_final)
}

/// Stages from the deadline on come when removals are over.
fn enough_stages(table: &Table<'_>, min_prompts: Option<&Spanned<u32>>, stages: &[Stage]) {
    let before = stages.iter().filter(|stage| stage.day.offset() < 0).count();
    if let Some(min) = min_prompts
        && u64::from(*min.get_ref()) > before as u64
    {
        let message = format!(
            "`min_prompts` is {}, and only {before} of the stages are before the deadline: nobody could be told so often",
            min.get_ref()
        );
        let help = format!("write {before} or less, or add [[campaign.stages]] with `days_before`");
        table.reading().report(min.span(), Kind::Wrong, Wrong::new(message, help));
    }
}

/// Notice is counted from the sending, so it ends on the deadline's day at the latest only
/// if the final notice's day is farther from it.
fn enough_notice(table: &Table<'_>, min_notice: Option<&Spanned<Days>>, stages: &[Stage]) {
    let days_left = final_stage(stages).map(|stage| -stage.day.offset());
    // A final stage from the deadline on is reported as that.
    if let (Some(notice), Some(days_left)) = (min_notice, days_left.filter(|days| *days > 0))
        && i64::from(notice.get_ref().0) >= days_left
    {
        let message = format!(
            "`min_notice_days` is {}, and the final notice goes out {days_left} days before the deadline: it would never be over in time",
            notice.get_ref().0
        );
        let help = format!("write less than {days_left}, or an earlier day for the final stage");
        table.reading().report(notice.span(), Kind::Wrong, Wrong::new(message, help));
    }
}

/// Three days, each later than the one before.
fn win_back_days(table: &Table<'_>) -> [u32; 3] {
    let days: Vec<u32> =
        table.items::<Days>("win_back_days").into_iter().map(|Days(days)| days).collect();
    let Some(value) = table.value("win_back_days") else { return DAYS };
    match <[u32; 3]>::try_from(days) {
        Ok(days) if days.is_sorted_by(|one, next| one < next) => days,
        _ => {
            value.wrong(Wrong::new(
                "`win_back_days` is not three days, each later than the one before",
                "write `win_back_days = [0, 7, 21]`: after a removal people are told at once, \
                 reminded, and told for the last time",
            ));
            DAYS
        }
    }
}

fn approvers(table: &Table<'_>, enabled: bool, approval: Approval) -> Vec<String> {
    let needed = match approval {
        Approval::None => 0,
        Approval::One => 1,
        Approval::Two => 2,
    };
    table.need(enabled && needed > 0, "approvers", "[\"alice\", \"bob\"]");
    let mut names: Vec<String> = table.items("approvers");
    names.sort();
    names.dedup();
    if let Some(value) = table.value("approvers")
        && names.len() < needed
        && (enabled || !names.is_empty())
    {
        let message =
            format!("`approvers` names {}, and `approval` asks for {needed}", names.len());
        let help = "write the names of different people, or another `approval`";
        value.wrong(Wrong::new(message, help));
    }
    names
}

/// Broad-only grants, where nothing else is written.
fn classes(table: &Table<'_>) -> Vec<Class> {
    match table.list::<Removable>("classes") {
        Some(classes) => classes.into_iter().map(|class| class.into_inner().0).collect(),
        None => vec![Class::BroadOnly],
    }
}

/// The classes that an awaiting grant can have.
#[derive(Clone, Copy)]
struct Removable(Class);

impl FromToml for Removable {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let words = [Class::BroadOnly, Class::Mixed, Class::Granular]
            .map(|class| (class.as_str(), Self(class)));
        value.word(&words)
    }
}

impl FromToml for Approval {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("one", Self::One), ("two", Self::Two), ("none", Self::None)])
    }
}

impl FromToml for PerPerson {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("one", Self::One), ("all", Self::All)])
    }
}
