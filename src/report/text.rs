//! The progress report for a terminal.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::campaign::Campaign;
use crate::domain::forecast::{Interval, Outlook};

use super::chart::grouped;
use super::document::{CohortCount, Cohorts, Document, HeldBack};
use super::plan_text::{counted, standing};

/// Kinds of a cohort that are shown; the other forms have all.
const SHOWN: usize = 8;
/// Days after the telling at which the text says how many are ready.
const AFTER: usize = 14;

/// Writes it.
///
/// # Errors
/// `out` cannot be written.
pub fn write(document: &Document, campaign: &Campaign, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}, {}", document.app, document.today)?;
    standing(campaign, &document.progress, out)?;
    let tenants = document.tenants;
    if tenants.concerned > 0 {
        let share = percent(tenants.ready, tenants.concerned);
        let concerned = counted(tenants.concerned, "tenant");
        writeln!(out, "  {concerned}, {} with a ready connection ({share})", tenants.ready)?;
    }
    changes(document, out)?;
    outlook(document, out)?;
    funnel(document, out)?;
    cohorts(&document.cohorts, out)?;
    stopped(document, out)?;
    people(document, campaign.zone, out)?;
    if !document.anomalies.is_empty() {
        writeln!(out, "To look at")?;
    }
    for anomaly in &document.anomalies {
        writeln!(out, "  {}", anomaly.text)?;
    }
    Ok(())
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", share(part, whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// An interval of shares.
fn shares(interval: Interval) -> String {
    let Interval { low, middle, high } = interval.map(|share| 100.0 * share);
    format!("{middle:.1}% ({low:.1} to {high:.1})")
}

/// An interval of counts.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts that were made floats"
)]
pub fn counts(interval: Interval) -> String {
    let [low, middle, high] =
        [interval.low, interval.middle, interval.high].map(|count| grouped(count.max(0.0) as u64));
    format!("{middle} ({low} to {high})")
}

fn changes(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let Some(changes) = &document.changes else { return Ok(()) };
    let words: Vec<String> =
        changes.by.iter().map(|(what, by)| format!("{} {by:+}", what.replace('_', " "))).collect();
    let words = if words.is_empty() { "nothing".to_owned() } else { words.join(" · ") };
    writeln!(out, "Changed since {}: {words}", changes.since)
}

/// What is foreseen, in one sentence.
#[must_use]
pub fn foreseen(outlook: &Outlook) -> String {
    match outlook {
        Outlook::TooEarly { text } => format!("too early to say: {text}"),
        Outlook::Over => "the deadline has passed".to_owned(),
        Outlook::Settled => "nobody is awaiting: it stays as it is".to_owned(),
        Outlook::Projected(projection) => {
            let Interval { low, middle, high } = projection.ready_percent;
            format!(
                "{middle:.1}% ready at the deadline ({low:.1} to {high:.1}), {} still awaiting",
                counts(projection.awaiting)
            )
        }
    }
}

fn outlook(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Forecast: {}", foreseen(&document.outlook))?;
    let progress = &document.progress;
    if let Some(on_track) = progress.on_track {
        let word = match (on_track, &document.outlook) {
            (true, Outlook::Over) => "reached",
            (false, Outlook::Over) => "missed",
            (true, _) => "on track",
            (false, _) => "not on track",
        };
        writeln!(out, "  {word}: the target is {}% ready", document.target_percent)?;
    }
    if let Some(holdouts) = document.outlook.projection().and_then(|it| it.holdouts) {
        writeln!(out, "  {} holdouts when the removal window opens", counts(holdouts))?;
    }
    for fit in &document.fits {
        let day =
            |day: Option<chrono::NaiveDate>| day.map_or("never".into(), |day| day.to_string());
        let word = if fit.fits { "" } else { ": TOO LATE" };
        writeln!(
            out,
            "  stage {} from {}, {}: last safe day {}, done by {}, needed by {}{word}",
            fit.stage,
            fit.opens,
            counted(fit.messages, "message"),
            day(fit.last_safe_day),
            day(fit.done_by),
            fit.needed_by
        )?;
    }
    for tried in &document.what_if {
        writeln!(out, "  with {}: {}", tried.change, foreseen(&tried.outlook))?;
        for stage in &tried.too_late {
            writeln!(out, "    stage {stage} would be too late")?;
        }
    }
    Ok(())
}

fn funnel(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let funnel = &document.funnel;
    writeln!(out, "Stages, by readiness and not by clicks")?;
    writeln!(out, "  organic, ready before any prompt: {}", funnel.organic)?;
    for row in &funnel.stages {
        let due = row.due.map_or(String::new(), |due| format!("due {due} · "));
        write!(out, "  {}: {due}told {} · ready {}", row.stage, row.told, row.ready)?;
        if let Some(ready) = row.ready_after(AFTER) {
            let days = row.curve.last().map_or(0, |point| point.days.min(AFTER));
            write!(out, " · after {} {}", counted(days as u64, "day"), shares(ready))?;
        }
        if row.held_back > 0 {
            write!(out, " · held back {}", row.held_back)?;
        }
        writeln!(out)?;
    }
    for lift in &document.lifts {
        writeln!(
            out,
            "  lift of {}: {} points after {} days: told {}, held back {}",
            lift.stage,
            points(lift.lift),
            lift.days,
            shares(lift.told_ready),
            shares(lift.held_back_ready)
        )?;
    }
    Ok(())
}

/// A difference of shares, in points.
#[must_use]
pub fn points(lift: Interval) -> String {
    let Interval { low, middle, high } = lift.map(|share| 100.0 * share);
    format!("{middle:+.1} ({low:+.1} to {high:+.1})")
}

fn cohorts(cohorts: &Cohorts, out: &mut dyn Write) -> io::Result<()> {
    let lists: [(&str, &[CohortCount]); 3] = [
        ("year of the connection", &cohorts.by_age),
        ("tenant type", &cohorts.by_tenant_type),
        ("language", &cohorts.by_locale),
    ];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let words: Vec<String> = list
            .iter()
            .take(SHOWN)
            .map(|it| {
                let name = it.cohort.as_deref().unwrap_or("not known");
                format!(
                    "{name} {} of {}",
                    percent(it.ready, it.ready + it.awaiting),
                    it.ready + it.awaiting
                )
            })
            .collect();
        let more = list.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" · and {more} more") } else { String::new() };
        writeln!(out, "Ready by {title}: {}{more}", words.join(" · "))?;
    }
    Ok(())
}

fn stopped(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let holdouts = &document.holdouts;
    if let Some(count) = holdouts.holdouts {
        writeln!(out, "Holdouts: {count}")?;
    }
    let lists: [(&str, &[HeldBack]); 2] =
        [("prompts", &holdouts.prompts_held_back), ("removals", &holdouts.removals_held_back)];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let day = holdouts.counted_on.map_or(String::new(), |day| format!(" on {day}"));
        writeln!(out, "Held back{day}: {title}")?;
        for held in list {
            writeln!(out, "  {:>6}  {:<22}  {}", held.connections, held.code, held.text)?;
        }
    }
    Ok(())
}

fn people(document: &Document, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d").to_string();
    document.removals.write("", out)?;
    if let Some(at_xero) = &document.xero {
        at_xero.write("", zone, out)?;
    }
    let promises = &document.promises;
    if promises.connections > 0 {
        let days = match (promises.earliest, promises.latest) {
            (Some(earliest), Some(latest)) => {
                format!(", from {} to {}", local(earliest), local(latest))
            }
            _ => String::new(),
        };
        let named = counted(promises.connections, "awaiting connection");
        writeln!(
            out,
            "Promised removal dates: of {named}{days}; {} of them have come",
            promises.come
        )?;
    }
    let unreachable = &document.unreachable;
    writeln!(
        out,
        "Unreachable: {} · addresses never written to: {}",
        counted(unreachable.connections, "connection"),
        unreachable.suppressed_addresses
    )?;
    let Some(listed) = &unreachable.listed else { return Ok(()) };
    for it in &listed.connections {
        let name = it.tenant_name.as_deref().unwrap_or_default();
        let account = it.account_id.as_deref().unwrap_or_default();
        writeln!(out, "  {}  {account}  {name}", it.connection)?;
    }
    for it in &listed.addresses {
        writeln!(out, "  {}  {} since {}", it.address, it.reason, local(it.since))?;
    }
    Ok(())
}
