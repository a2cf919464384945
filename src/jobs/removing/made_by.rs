//! Everything that a plan of removals is made by, taken from the configuration: a change of
//! any of it makes the plan void.

use crate::config::{Config, Source};
use crate::delivery::templates::{TemplateProblem, Templates};
use crate::domain::campaign::{Approval, PerPerson, RemovalPolicy, Stage};
use crate::domain::confirmation::Facts;
use crate::domain::win_back::FollowUp;

/// By the names that jobs.toml has for it. That the step is switched on is no part of it: a
/// plan may be signed off before.
///
/// # Errors
/// The templates cannot be used.
pub fn made_by(config: &Config) -> Result<Facts, Vec<TemplateProblem>> {
    let messages = &config.messages;
    let templates = Templates::load(messages.templates.as_deref(), &messages.locale)?;
    let campaign = &config.campaign;
    let working = &campaign.working;
    let words = |words: &mut dyn Iterator<Item = String>| Some(words.collect::<Vec<_>>().join(" "));
    let app = &config.app;
    let mut facts = vec![
        ("client_id", Some(app.client_id.to_ascii_uppercase())),
        ("flow", Some(app.flow.as_str().to_owned())),
        ("inventory", Some(inventory(config))),
        ("deadline", Some(campaign.deadline.to_rfc3339())),
        ("time_zone", Some(campaign.zone.name().to_owned())),
        ("required_scopes", Some(campaign.required.canonical())),
        ("working_days", words(&mut working.days.iter().map(ToString::to_string))),
        ("hours", Some(format!("{}-{}", working.from, working.until))),
        ("holidays", words(&mut working.holidays.iter().map(ToString::to_string))),
        ("campaign.stages", words(&mut campaign.stages.iter().map(stage))),
        ("win_back", words(&mut config.win_back.iter().map(follow_up))),
        ("reconnect_url", app.reconnect_url.as_ref().map(|url| url.with_token("{token}"))),
        ("xero.api", Some(config.xero.api.to_string())),
        ("xero.identity", Some(config.xero.identity.to_string())),
        ("templates", Some(templates.sha256())),
    ];
    facts.extend(config.removal.as_ref().map(removal).into_iter().flatten());
    Ok(Facts::of(facts))
}

fn stage(stage: &Stage) -> String {
    let channels: Vec<String> = stage.channels.iter().map(ToString::to_string).collect();
    let is_final = if stage.is_final { " final" } else { "" };
    format!("{} {} {}{is_final};", stage.name, stage.day.offset(), channels.join(","))
}

fn follow_up(follow_up: &FollowUp) -> String {
    format!("{} {};", stage(&follow_up.stage), follow_up.days)
}

/// The address may hold a password, and is where a secret says; the query says what is read.
fn inventory(config: &Config) -> String {
    match &config.inventory.source {
        Source::Csv { .. } => "csv".to_owned(),
        Source::Jsonl { .. } => "jsonl".to_owned(),
        Source::Sql { query, .. } => format!("sql {query}"),
        Source::Table => "table".to_owned(),
    }
}

fn removal(policy: &RemovalPolicy) -> Vec<(&'static str, Option<String>)> {
    // Named one by one, so that a new key cannot be forgotten.
    let RemovalPolicy {
        enabled: _,
        opens_days_before,
        classes,
        min_prompts,
        min_notice_days,
        approval,
        approvers,
        plan_valid_days,
        per_person,
        wait_days,
        max_inventory_age_minutes,
        max_per_run,
        max_per_day,
        max_percent,
        ramp,
        max_failed_percent,
        min_returned_percent,
        max_drift_percent,
        covered,
        // What is told afterwards is no part of what is signed off.
        win_back_days: _,
    } = policy;
    let number = |number: &Option<u32>| number.map(|number| number.to_string());
    let mut classes: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
    classes.sort_unstable();
    let ramp: Vec<String> = ramp.iter().map(ToString::to_string).collect();
    let approval = match approval {
        Approval::One => "one",
        Approval::Two => "two",
        Approval::None => "none",
    };
    let per_person = match per_person {
        PerPerson::One => "one",
        PerPerson::All => "all",
    };
    vec![
        ("removal.opens_days_before", number(opens_days_before)),
        ("removal.classes", Some(classes.join(" "))),
        ("removal.min_prompts", number(min_prompts)),
        ("removal.min_notice_days", number(min_notice_days)),
        ("removal.approval", Some(approval.to_owned())),
        ("removal.approvers", Some(approvers.join(" "))),
        ("removal.plan_valid_days", Some(plan_valid_days.to_string())),
        ("removal.per_person", Some(per_person.to_owned())),
        ("removal.wait_days", Some(wait_days.to_string())),
        ("removal.max_inventory_age_minutes", Some(max_inventory_age_minutes.to_string())),
        ("removal.max_per_run", number(max_per_run)),
        ("removal.max_per_day", number(max_per_day)),
        ("removal.max_percent", max_percent.map(|percent| percent.to_string())),
        ("removal.ramp", Some(ramp.join(" "))),
        ("removal.max_failed_percent", Some(max_failed_percent.to_string())),
        ("removal.min_returned_percent", Some(min_returned_percent.to_string())),
        ("removal.max_drift_percent", Some(max_drift_percent.to_string())),
        ("removal.covered", Some(covered.to_string())),
    ]
}
