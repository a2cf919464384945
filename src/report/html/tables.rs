//! The tables of the page.

use serde::Serialize;

use crate::domain::forecast::Interval;
use crate::report::chart::grouped;
use crate::report::document::{CohortCount, Document, HeldBack};
use crate::report::text::{foreseen, points};

/// Rows of a cohort that the page has; the JSON document has all.
const MOST: usize = 15;

#[derive(Serialize)]
pub struct Table {
    pub(super) title: String,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
    /// Its cells are words, not numbers.
    pub(super) is_text: bool,
}

#[derive(Serialize)]
pub(super) struct Row {
    kind: &'static str,
    cells: Vec<String>,
}

pub(super) fn row(cells: impl Into<Vec<String>>) -> Row {
    Row { kind: "", cells: cells.into() }
}

pub(super) fn table(title: &str, head: &[&'static str], rows: Vec<Row>) -> Table {
    Table { title: title.to_owned(), head: head.to_vec(), rows, is_text: false }
}

/// A table of what others have in words or numbers already.
pub(super) fn words(
    title: &str,
    head: &[&'static str],
    rows: Vec<Vec<String>>,
    is_text: bool,
) -> Table {
    Table { is_text, ..table(title, head, rows.into_iter().map(row).collect()) }
}

fn share(interval: Interval) -> String {
    let Interval { low, middle, high } = interval.map(|share| 100.0 * share);
    format!("{middle:.1}% ({low:.1}–{high:.1})")
}

pub(super) fn fits(document: &Document) -> Option<Table> {
    let day = |day: Option<chrono::NaiveDate>| day.map_or("never".into(), |day| day.to_string());
    let rows: Vec<Row> = document
        .fits
        .iter()
        .map(|fit| Row {
            kind: if fit.fits { "" } else { "late" },
            cells: vec![
                fit.stage.clone(),
                if fit.fits { day(fit.last_safe_day) } else { "too late".into() },
                fit.opens.to_string(),
                grouped(fit.messages),
                fit.working_days.map_or("–".into(), |days| days.to_string()),
                day(fit.done_by),
                fit.needed_by.to_string(),
            ],
        })
        .collect();
    let head =
        ["stage", "last safe day", "opens", "messages", "working days", "done by", "needed by"];
    (!rows.is_empty()).then(|| table("From numbers, caps, working days and notice", &head, rows))
}

pub(super) fn what_if(document: &Document) -> Option<Table> {
    let rows: Vec<Row> = document
        .what_if
        .iter()
        .map(|tried| {
            let late = match tried.too_late.as_slice() {
                [] => "every stage fits".to_owned(),
                stages => format!("too late: {}", stages.join(", ")),
            };
            row([tried.change.clone(), foreseen(&tried.outlook), late])
        })
        .collect();
    let head = ["change", "forecast", "stages"];
    (!rows.is_empty()).then(|| Table {
        is_text: true,
        ..table("Other configurations, tried on the forecast", &head, rows)
    })
}

pub(super) fn stages(document: &Document) -> Table {
    let rows = document.funnel.stages.iter().map(|stage| {
        let after = |days| {
            let is_watched = stage.curve.len() > days;
            let ready = stage.ready_after(days).filter(|_| is_watched);
            ready.map_or("–".to_owned(), share)
        };
        row([
            stage.stage.clone(),
            stage.due.map_or("–".into(), grouped),
            grouped(stage.told),
            grouped(stage.held_back),
            grouped(stage.ready),
            after(7),
            after(30),
        ])
    });
    let head =
        ["stage", "due", "told", "held back", "ready", "ready after 7 days", "after 30 days"];
    table("Due, told, ready", &head, rows.collect())
}

pub(super) fn lifts(document: &Document) -> Option<Table> {
    let rows: Vec<Row> = document
        .lifts
        .iter()
        .map(|lift| {
            row([
                lift.stage.clone(),
                lift.days.to_string(),
                share(lift.told_ready),
                share(lift.held_back_ready),
                points(lift.lift),
            ])
        })
        .collect();
    let head = ["stage", "after days", "told: ready", "passed over: ready", "lift in points"];
    (!rows.is_empty()).then(|| table("Lift", &head, rows))
}

pub(super) fn cohorts(document: &Document) -> Vec<Table> {
    let lists = [
        ("By year of the connection", "connected", &document.cohorts.by_age),
        ("By tenant type", "type", &document.cohorts.by_tenant_type),
        ("By language", "language", &document.cohorts.by_locale),
    ];
    lists
        .into_iter()
        .filter(|(_, _, list)| !list.is_empty())
        .map(|(title, name, list)| {
            let shown: Vec<Row> = list.iter().take(MOST).map(cohort).collect();
            let title = match list.len().saturating_sub(MOST) {
                0 => title.to_owned(),
                more => format!("{title}; {more} more in the JSON report"),
            };
            table(&title, &[name, "ready", "awaiting", "share ready"], shown)
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn cohort(it: &CohortCount) -> Row {
    let whole = (it.ready + it.awaiting).max(1);
    row([
        it.cohort.clone().unwrap_or_else(|| "not known".to_owned()),
        grouped(it.ready),
        grouped(it.awaiting),
        format!("{:.1}%", 100.0 * it.ready as f64 / whole as f64),
    ])
}

pub(super) fn held_back(document: &Document) -> Vec<Table> {
    let holdouts = &document.holdouts;
    let day = holdouts.counted_on.map_or(String::new(), |day| format!(", on {day}"));
    let lists = [
        (format!("Prompts held back{day}"), &holdouts.prompts_held_back),
        (format!("Removals held back{day}"), &holdouts.removals_held_back),
    ];
    let rows = |list: &[HeldBack]| {
        list.iter()
            .map(|held| row([held.code.clone(), held.text.clone(), grouped(held.connections)]))
            .collect()
    };
    let head = ["code", "reason", "connections"];
    lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(title, list)| Table { is_text: true, ..table(&title, &head, rows(list)) })
        .collect()
}

/// Names and addresses, only where they may be shown.
pub(super) fn listed(document: &Document) -> Vec<Table> {
    let Some(listed) = &document.unreachable.listed else { return Vec::new() };
    let connections = listed.connections.iter().map(|it| {
        row([
            it.connection.clone(),
            it.account_id.clone().unwrap_or_default(),
            it.tenant_name.clone().unwrap_or_default(),
        ])
    });
    let addresses = listed.addresses.iter().map(|it| {
        row([it.address.clone(), it.reason.clone(), it.since.format("%Y-%m-%d").to_string()])
    });
    let text = |title: &str, head: &[&'static str], rows: Vec<Row>| {
        (!rows.is_empty()).then(|| Table { is_text: true, ..table(title, head, rows) })
    };
    [
        text(
            "Connections that nobody can be told of",
            &["connection", "account", "tenant"],
            connections.collect(),
        ),
        text(
            "Addresses that are never written to",
            &["address", "reason", "since"],
            addresses.collect(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
