//! The progress report as one page: its style and its drawings stand in it, so that it can be
//! mailed, kept and printed; it loads nothing and runs nothing.

mod charts;
pub mod simulated;
mod tables;
mod together;

use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::domain::campaign::Campaign;
use crate::domain::forecast::Outlook;

use super::chart::grouped;
use super::document::Document;
use super::text::{counts, foreseen};
use super::together::Together;
use charts::Figure;
use tables::Table;

const PAGE: &str = include_str!("report.html.j2");
const PARTS: &str = include_str!("parts.html.j2");
const TOGETHER: &str = include_str!("together.html.j2");
const STYLE: &str = include_str!("style.css");

/// A number with its name.
#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
    more: String,
    kind: &'static str,
}

/// A line of a list.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

/// All that the template is given.
#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    app: &'a str,
    today: String,
    headline: String,
    lead: String,
    tiles: Vec<Tile>,
    classes: Figure,
    changes: Option<Since>,
    anomalies: Vec<&'a str>,
    forecast: String,
    burndown: Figure,
    fits: Option<Table>,
    what_if: Option<Table>,
    organic: String,
    funnel: Figure,
    stages: Table,
    curves: Option<Figure>,
    lifts: Option<Table>,
    cohorts: Vec<Table>,
    holdouts: String,
    held_back: Vec<Table>,
    facts: Vec<Fact>,
    listed: Vec<Table>,
    made: String,
}

/// What changed, and since when.
#[derive(Serialize)]
struct Since {
    since: String,
    text: String,
}

/// Writes it.
///
/// # Errors
/// `out` cannot be written.
pub fn write(document: &Document, campaign: &Campaign, out: &mut dyn Write) -> io::Result<()> {
    let page = page(document, campaign).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

/// Writes the page of several apps.
///
/// # Errors
/// `out` cannot be written.
pub fn write_together(together: &Together, out: &mut dyn Write) -> io::Result<()> {
    let page = Value::from(Serde(together::page(together, STYLE)));
    let page = render(TOGETHER, page).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

fn render(template: &str, page: Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("parts", PARTS)?;
    let source = format!("{{% from \"parts\" import head, figure, table %}}{template}");
    environment.add_template_owned("page", source)?;
    environment.get_template("page")?.render(page)
}

fn page(document: &Document, campaign: &Campaign) -> Result<String, minijinja::Error> {
    let changes = document.changes.as_ref().map(|changes| {
        let words = changes.by.iter();
        let words: Vec<String> =
            words.map(|(what, by)| format!("{} {by:+}", what.replace('_', " "))).collect();
        let text = if words.is_empty() { "nothing has changed".into() } else { words.join(", ") };
        Since { since: changes.since.to_string(), text }
    });
    let anomalies: Vec<&str> = document.anomalies.iter().map(|it| it.text.as_str()).collect();
    let page = Page {
        style: STYLE,
        app: &document.app,
        today: document.today.to_string(),
        headline: headline(document),
        lead: lead(document, campaign),
        tiles: tiles(document),
        classes: charts::classes(document),
        changes,
        anomalies,
        forecast: sentence(&format!("Forecast: {}", foreseen(&document.outlook))),
        burndown: charts::burndown(document),
        fits: tables::fits(document),
        what_if: tables::what_if(document),
        organic: organic(document),
        funnel: charts::funnel(document),
        stages: tables::stages(document),
        curves: charts::curves(document),
        lifts: tables::lifts(document),
        cohorts: tables::cohorts(document),
        holdouts: holdouts(document),
        held_back: tables::held_back(document),
        facts: facts(document, campaign),
        listed: tables::listed(document),
        made: made(document, campaign),
    };
    render(PAGE, Value::from(Serde(page)))
}

fn sentence(text: &str) -> String {
    format!("{text}.")
}

fn headline(document: &Document) -> String {
    let progress = &document.progress;
    let days = progress.days_to_deadline.unwrap_or_default();
    let left = match days {
        1 => ", 1 day left".to_owned(),
        0 => ", less than a day left".to_owned(),
        days if days > 0 => format!(", {days} days left"),
        _ => ", the deadline has passed".to_owned(),
    };
    match (progress.ready_percent, progress.connections) {
        (Some(percent), _) => format!("{percent:.1}% ready{left}"),
        (None, Some(0)) => format!("No connections{left}"),
        (None, Some(_)) => format!("Nobody known to be concerned{left}"),
        (None, None) => format!("Not scanned yet{left}"),
    }
}

fn lead(document: &Document, campaign: &Campaign) -> String {
    let deadline = campaign.deadline.with_timezone(&campaign.zone);
    let is_over = document.outlook == Outlook::Over;
    let verb = if is_over { "was" } else { "is" };
    let deadline = format!("The deadline {verb} {}", deadline.format("%-d %B %Y, %H:%M"));
    let target = document.target_percent;
    let track = match document.progress.on_track {
        Some(true) if is_over => format!("The target of {target}% was reached."),
        Some(false) if is_over => format!("The target of {target}% was missed."),
        Some(true) => format!("On track for the target of {target}%."),
        Some(false) if document.fits.iter().any(|fit| !fit.fits) => {
            "Not on track: a stage comes too late for everybody to be told in time.".to_owned()
        }
        Some(false) => format!("Not on track for the target of {target}%."),
        None => "Too early to say whether it is on track.".to_owned(),
    };
    format!("{deadline} ({}). {track}", campaign.zone.name())
}

fn tiles(document: &Document) -> Vec<Tile> {
    let progress = &document.progress;
    let Some(connections) = progress.connections else { return Vec::new() };
    let tile = |name, value: String, more: String, kind| Tile { name, value, more, kind };
    let plain = |name, value: Option<u64>, more: String| {
        tile(name, grouped(value.unwrap_or_default()), more, "")
    };
    let tenants = document.tenants;
    let mut tiles = vec![
        plain("Connections", Some(connections), String::new()),
        plain("Ready", progress.ready, behind(progress.token_behind)),
        plain("Awaiting", progress.awaiting, parts(document)),
        plain(
            "Tenants with a ready connection",
            Some(tenants.ready),
            format!("of {}", grouped(tenants.concerned)),
        ),
    ];
    if let Some(projection) = document.outlook.projection() {
        let share = projection.ready_percent;
        let is_good = progress.on_track == Some(true);
        tiles.push(tile(
            "Ready at the deadline",
            format!("{:.1}%", share.middle),
            format!("{:.1} to {:.1}", share.low, share.high),
            if is_good { "good" } else { "bad" },
        ));
        tiles.push(tile(
            "Lost at the deadline",
            counts(projection.awaiting).split(' ').next().unwrap_or_default().to_owned(),
            counts(projection.awaiting)
                .split_once(" (")
                .map_or(String::new(), |(_, rest)| rest.trim_end_matches(')').to_owned()),
            "",
        ));
    }
    tiles
}

fn behind(token_behind: Option<u64>) -> String {
    match token_behind {
        Some(behind) if behind > 0 => format!("{} with an older token", grouped(behind)),
        _ => String::new(),
    }
}

/// Those of the awaiting who are in a case of their own.
fn parts(document: &Document) -> String {
    let progress = &document.progress;
    let parts = [
        ("exempt", progress.exempt),
        ("covered", progress.covered),
        ("manual", progress.manual),
        ("unreachable", progress.unreachable),
    ];
    let words: Vec<String> = parts
        .into_iter()
        .filter_map(|(name, count)| Some((name, count.filter(|count| *count > 0)?)))
        .map(|(name, count)| format!("{} {name}", grouped(count)))
        .collect();
    words.join(", ")
}

fn organic(document: &Document) -> String {
    match document.funnel.organic {
        0 => "Nobody became ready before a prompt since counting began.".to_owned(),
        1 => "One connection became ready before any prompt: it is organic.".to_owned(),
        many => format!("{} became ready before any prompt: they are organic.", grouped(many)),
    }
}

fn holdouts(document: &Document) -> String {
    let holdouts = &document.holdouts;
    match (holdouts.holdouts, holdouts.window_opens) {
        (Some(count), _) => {
            format!("{} holdouts: awaiting with the removal window open.", grouped(count))
        }
        (None, Some(opens)) => {
            let foreseen = document.outlook.projection().and_then(|it| it.holdouts);
            let foreseen = foreseen.map_or(String::new(), |holdouts| {
                format!(", with {} holdouts by then", counts(holdouts))
            });
            format!("The removal window opens on {}{foreseen}.", opens.format("%-d %B %Y"))
        }
        (None, None) => {
            "Removal is not configured: whoever is awaiting at the deadline is lost.".to_owned()
        }
    }
}

fn facts(document: &Document, campaign: &Campaign) -> Vec<Fact> {
    let removals = document.removals;
    let promises = &document.promises;
    let day = |at: chrono::DateTime<chrono::Utc>| {
        at.with_timezone(&campaign.zone).format("%-d %B %Y").to_string()
    };
    let dates = match (promises.earliest, promises.latest) {
        (Some(earliest), Some(latest)) if earliest == latest => format!(", for {}", day(latest)),
        (Some(earliest), Some(latest)) => format!(", from {} to {}", day(earliest), day(latest)),
        _ => String::new(),
    };
    let unreachable = &document.unreachable;
    let at_xero = document.xero.as_ref().map(|at_xero| {
        let read_at = at_xero.list.read_at.with_timezone(&campaign.zone);
        let read_at = read_at.format("%-d %B %Y, %H:%M");
        let objection = at_xero.objection.as_ref().map_or(String::new(), |list| {
            let why = list.detail.as_deref().unwrap_or(&list.outcome);
            format!("; a later list changed nothing: {why}")
        });
        let value = format!(
            "{}; {} removed and not back, {} connections not in the inventory (list of \
             {read_at}{objection})",
            at_xero.room(),
            grouped(at_xero.away),
            grouped(at_xero.list.not_in_inventory)
        );
        Fact { name: "At Xero", value }
    });
    let facts = vec![
        Fact {
            name: "Removed",
            value: format!(
                "{}: {} returned, {} back with broad scopes, {} still awaited, {} lost; {} retained",
                grouped(removals.removed),
                grouped(removals.returned),
                grouped(removals.back_broad),
                grouped(removals.awaited),
                grouped(removals.lost),
                grouped(removals.retained)
            ),
        },
        Fact {
            name: "Promised removal dates",
            value: format!(
                "{} awaiting connections{dates}; {} have come",
                grouped(promises.connections),
                grouped(promises.come)
            ),
        },
        Fact {
            name: "Unreachable",
            value: format!(
                "{} connections; {} addresses are never written to",
                grouped(unreachable.connections),
                grouped(unreachable.suppressed_addresses)
            ),
        },
    ];
    facts.into_iter().chain(at_xero).collect()
}

fn made(document: &Document, campaign: &Campaign) -> String {
    let local = |at: chrono::DateTime<chrono::Utc>| {
        at.with_timezone(&campaign.zone).format("%-d %B %Y, %H:%M").to_string()
    };
    let scan = document.last_scan_at.map_or("none yet".to_owned(), local);
    format!(
        "Made {} ({}); last complete scan: {scan}. Intervals hold four truths of five.",
        local(document.made_at),
        campaign.zone.name()
    )
}

#[cfg(test)]
mod tests;
