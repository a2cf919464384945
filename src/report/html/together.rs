//! Several apps on one page.

use serde::Serialize;

use crate::report::chart::grouped;
use crate::report::text::foreseen;
use crate::report::together::{SHOWN, Together, count};

use super::tables::{Table, row, table};

const HEAD: [&str; 9] = [
    "app",
    "connections",
    "broad only",
    "mixed",
    "granular",
    "unknown",
    "ready",
    "awaiting",
    "share ready",
];

/// All that the template is given.
#[derive(Serialize)]
pub(super) struct Page {
    style: &'static str,
    today: String,
    names: String,
    headline: String,
    lead: String,
    standing: Table,
    forecasts: Table,
}

pub(super) fn page(together: &Together, style: &'static str) -> Page {
    let total = &together.total;
    let share = |ready: Option<f64>| ready.map_or("–".to_owned(), |ready| format!("{ready:.1}%"));
    let line = |name: &str, counts: [String; 7], ready: Option<f64>| {
        let cells = [name.to_owned()].into_iter().chain(counts).chain([share(ready)]);
        row(cells.collect::<Vec<_>>())
    };
    let mut rows: Vec<_> = together
        .apps
        .iter()
        .map(|app| {
            let counts = SHOWN.map(|what| count(app, what).map_or("–".into(), grouped));
            line(&app.app, counts, app.progress.ready_percent)
        })
        .collect();
    let sums = SHOWN.map(|what| grouped(total.sums[what].as_u64().unwrap_or_default()));
    rows.push(line("all", sums, total.ready_percent));
    let forecasts = together
        .apps
        .iter()
        .map(|app| row([app.app.clone(), app.deadline_day.to_string(), foreseen(&app.outlook)]));
    let names: Vec<&str> = together.apps.iter().map(|app| app.app.as_str()).collect();
    Page {
        style,
        today: together.apps.first().map_or(String::new(), |app| app.today.to_string()),
        names: names.join(" · "),
        headline: total
            .ready_percent
            .map_or("Nobody known to be concerned".to_owned(), |it| format!("{it:.1}% ready")),
        lead: match total.not_scanned.as_slice() {
            [] => format!("{} apps together.", total.apps),
            names => format!("{} apps; not scanned yet: {}.", total.apps, names.join(", ")),
        },
        standing: table("Connections", &HEAD, rows),
        forecasts: Table {
            is_text: true,
            ..table("Forecasts", &["app", "deadline", "forecast"], forecasts.collect())
        },
    }
}
