//! The reports of several apps in one: each with its figures, and what they add up to.

use std::io::{self, Write};

use serde::Serialize;

use super::csv;
use super::document::Document;
use super::form::Form;
use super::html;
use super::text::foreseen;

/// What is counted of connections, and so can be added up.
pub(super) const SUMS: [&str; 14] = [
    "connections",
    "broad_only",
    "mixed",
    "granular",
    "unaffected",
    "unknown",
    "ready",
    "awaiting",
    "exempt",
    "covered",
    "manual",
    "unreachable",
    "removed",
    "returned",
];

/// Of those, what people read first.
pub(super) const SHOWN: [&str; 7] =
    ["connections", "broad_only", "mixed", "granular", "unknown", "ready", "awaiting"];

/// What several apps add up to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    pub apps: usize,
    /// Apps that were never scanned: they are not in the sums.
    pub not_scanned: Vec<String>,
    #[serde(flatten)]
    pub sums: serde_json::Map<String, serde_json::Value>,
    /// 100 · ready / (ready + awaiting) of all together, one decimal.
    pub ready_percent: Option<f64>,
}

/// The reports of several apps.
#[derive(Debug, Serialize)]
pub struct Together {
    pub total: Total,
    pub apps: Vec<Document>,
}

/// A count of an app, where it is known.
pub(super) fn count(document: &Document, what: &str) -> Option<u64> {
    document.standing.get(what).and_then(serde_json::Value::as_u64)
}

impl Together {
    #[must_use]
    pub fn new(apps: Vec<Document>) -> Self {
        let sum = |what: &str| apps.iter().filter_map(|app| count(app, what)).sum::<u64>();
        let total = Total {
            apps: apps.len(),
            not_scanned: apps
                .iter()
                .filter(|app| count(app, "connections").is_none())
                .map(|app| app.app.clone())
                .collect(),
            sums: SUMS.iter().map(|what| ((*what).to_owned(), sum(what).into())).collect(),
            ready_percent: percent(sum("ready"), sum("awaiting")),
        };
        Self { total, apps }
    }

    /// Writes it. As text and as a page it has a line for each app; JSON has each app's whole
    /// document, and CSV its days, with the app in front.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::Text => self.text(out),
            Form::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Form::Csv => csv::write_several(&self.apps, out),
            Form::Html => html::write_together(self, out),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut head = vec!["app".to_owned()];
        head.extend(SHOWN.map(|what| what.replace('_', " ")));
        head.push("ready %".to_owned());
        let mut lines = vec![head];
        lines.extend(self.apps.iter().map(|app| {
            let counts = SHOWN.map(|what| count(app, what).map_or("-".into(), |n| n.to_string()));
            line(&app.app, counts, app.progress.ready_percent)
        }));
        let sums = SHOWN.map(|what| self.total.sums[what].to_string());
        lines.push(line("all", sums, self.total.ready_percent));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> =
            (0..=SHOWN.len() + 1).map(|column| width(column).unwrap_or_default()).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        for app in &self.apps {
            writeln!(out, "{}: {}", app.app, foreseen(&app.outlook))?;
        }
        Ok(())
    }
}

fn line(app: &str, counts: [String; 7], ready: Option<f64>) -> Vec<String> {
    let ready = ready.map_or("-".to_owned(), |percent| format!("{percent:.1}"));
    [app.to_owned()].into_iter().chain(counts).chain([ready]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn percent(ready: u64, awaiting: u64) -> Option<f64> {
    let concerned = ready + awaiting;
    (concerned > 0).then(|| (1000.0 * ready as f64 / concerned as f64).round() / 10.0)
}
