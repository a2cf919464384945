//! The campaign day by day, for a spreadsheet: what was counted, then what is foreseen.

use std::io::{self, Write};

use crate::domain::daily::Measure;
use crate::domain::forecast::Interval;

use super::document::Document;

/// Columns after those that are counted.
const FORESEEN: [&str; 6] = [
    "awaiting_low",
    "awaiting_middle",
    "awaiting_high",
    "ready_percent_low",
    "ready_percent_middle",
    "ready_percent_high",
];

/// What is counted of all connections, in the order of its columns.
pub fn columns() -> impl Iterator<Item = &'static str> {
    let of_all = |measure: &&Measure| {
        !measure.is_event() && !matches!(measure, Measure::HeldBackPrompt | Measure::HeldBackRemove)
    };
    Measure::ALL.iter().filter(of_all).map(|measure| measure.as_str())
}

/// Writes it.
///
/// # Errors
/// `out` cannot be written.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    head("", out)?;
    rows(document, "", out)
}

/// Writes the days of several apps, each with its name in front.
///
/// # Errors
/// `out` cannot be written.
pub fn write_several(apps: &[Document], out: &mut dyn Write) -> io::Result<()> {
    head("app,", out)?;
    for app in apps {
        let name = app.app.replace('"', "\"\"");
        rows(app, &format!("\"{name}\","), out)?;
    }
    Ok(())
}

fn head(first: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut head = vec!["day", "kind"];
    head.extend(columns());
    head.extend(FORESEEN);
    writeln!(out, "{first}{}", head.join(","))
}

fn rows(document: &Document, first: &str, out: &mut dyn Write) -> io::Result<()> {
    for day in &document.days {
        let mut cells = vec![day.day.to_string(), "counted".to_owned()];
        cells.extend(
            columns().map(|column| {
                day.number(column).map_or(String::new(), |number| number.to_string())
            }),
        );
        cells.extend(FORESEEN.map(|_| String::new()));
        writeln!(out, "{first}{}", cells.join(","))?;
    }
    let course = document.outlook.projection().map(|projection| projection.course.as_slice());
    for ahead in course.unwrap_or_default() {
        let mut cells = vec![ahead.day.to_string(), "foreseen".to_owned()];
        cells.extend(columns().map(|_| String::new()));
        for Interval { low, middle, high } in [ahead.awaiting, ahead.ready_percent] {
            cells.extend([low, middle, high].map(|value| value.to_string()));
        }
        writeln!(out, "{first}{}", cells.join(","))?;
    }
    Ok(())
}
