//! A simulated campaign as one page, with the charts of the report.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::charts::{self, Figure};
use super::tables::{Table, words};
use super::{STYLE, render, sentence};
use crate::report::calendar::{Course, Simulated};
use crate::report::calendar_text::spoken;
use crate::report::chart::grouped;
use crate::report::text::foreseen;

const PAGE: &str = include_str!("simulated.html.j2");

#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
}

/// One course of the campaign.
#[derive(Serialize)]
struct Part {
    id: &'static str,
    title: String,
    tiles: Vec<Tile>,
    charts: Vec<Figure>,
    tables: Vec<Table>,
}

#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    app: &'a str,
    headline: String,
    lead: String,
    remarks: &'a [String],
    assumed: &'a [String],
    forecast: String,
    courses: Vec<Part>,
    made: String,
}

/// Writes it.
///
/// # Errors
/// `out` cannot be written.
pub fn write(simulated: &Simulated, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    let page = page(simulated, zone).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

fn page(simulated: &Simulated, zone: Tz) -> Result<String, minijinja::Error> {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).format("%-d %B %Y").to_string();
    let end = &simulated.with_customers.ending;
    let share = percent(end.ready_percent_at_deadline.or(end.ready_percent));
    let lost = end.removed.saturating_sub(end.returned);
    let mut courses = vec![
        Part {
            charts: charts(&simulated.with_customers),
            ..part(
                "customers",
                format!("With customers of seed {}", simulated.seed),
                &simulated.with_customers,
                zone,
            )
        },
        part("nobody", "If nobody reacts".to_owned(), &simulated.if_nobody_reacts, zone),
    ];
    if let Some(against) = &simulated.against {
        let rows = against
            .differences
            .iter()
            .map(|it| vec![it.what.clone(), it.before.clone(), it.after.clone()]);
        let head = ["", "this configuration", "the other"];
        let differences =
            words("What differs, with the same customers", &head, rows.collect(), true);
        let title = format!("Against {}", against.configuration);
        let mut other = part("against", title, &against.with_customers, zone);
        other.tables.insert(0, differences);
        courses.insert(1, other);
    }
    let page = Value::from(Serde(Page {
        style: STYLE,
        app: &simulated.app,
        headline: format!("{share} ready at the deadline, {} lost", grouped(lost)),
        lead: format!(
            "Simulated from {} to {}; the deadline is {} ({}).",
            day(simulated.began_at),
            day(simulated.until),
            day(simulated.deadline),
            zone.name()
        ),
        remarks: &simulated.remarks,
        assumed: &simulated.assumed,
        forecast: sentence(&format!(
            "Forecast from the history so far: {}",
            foreseen(&simulated.at_first.outlook)
        )),
        courses,
        made: format!(
            "Seed {}. Nothing real was called or written. The document in JSON has everything, event by event.",
            simulated.seed
        ),
    }));
    render(PAGE, page)
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or("–".to_owned(), |percent| format!("{percent:.1}%"))
}

fn charts(course: &Course) -> Vec<Figure> {
    let report = &course.report;
    let mut all = vec![charts::burndown(report), charts::funnel(report)];
    all.extend(charts::curves(report));
    all
}

fn part(id: &'static str, title: String, course: &Course, zone: Tz) -> Part {
    let end = &course.ending;
    let tile = |name, value: String| Tile { name, value };
    let tiles = vec![
        tile("Ready at deadline", percent(end.ready_percent_at_deadline)),
        tile("Ready at the end", grouped(end.ready)),
        tile("Awaiting at the end", grouped(end.awaiting)),
        tile("Messages", grouped(end.messages)),
        tile("Removed", grouped(end.removed)),
        tile("Returned", grouped(end.returned)),
    ];
    let spans = course.stages.iter().map(|span| {
        vec![
            span.stage.clone(),
            grouped(span.messages),
            span.first.to_string(),
            span.last.to_string(),
        ]
    });
    let mut tables =
        vec![words("Stages", &["stage", "messages", "first", "last"], spans.collect(), false)];
    if !course.stopped.is_empty() {
        let rows = course.stopped.iter().map(|it| {
            let first = it.first_at.with_timezone(&zone).format("%Y-%m-%d").to_string();
            vec![it.step.to_owned(), it.text.clone(), first, it.runs.to_string()]
        });
        let head = ["step", "what stopped it", "from", "runs"];
        tables.push(words("What was stopped", &head, rows.collect(), true));
    }
    let days = course.days.iter().map(|day| {
        let counts: Vec<String> =
            day.counts.iter().map(|(what, count)| format!("{} {count}", spoken(what))).collect();
        vec![day.day.format("%Y-%m-%d %a").to_string(), counts.join(" · ")]
    });
    tables.push(words("Day by day", &["day", "what happens"], days.collect(), true));
    Part { id, title, tiles, charts: Vec::new(), tables }
}
