//! A simulated campaign for a terminal.

use std::io::{self, Write};

use chrono_tz::Tz;

use super::calendar::{Course, Day, Event, Simulated};
use super::plan_text::counted;
use super::text::foreseen;

/// Writes it.
///
/// # Errors
/// `out` cannot be written.
pub fn write(simulated: &Simulated, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    let day = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).format("%Y-%m-%d");
    writeln!(
        out,
        "{}: simulated from {} to {} (deadline {}, days in {}), seed {}",
        simulated.app,
        day(simulated.began_at),
        day(simulated.until),
        day(simulated.deadline),
        zone.name(),
        simulated.seed
    )?;
    writeln!(out, "Nothing real was called or written.")?;
    writeln!(out, "Assumed")?;
    for text in &simulated.assumed {
        writeln!(out, "  {text}")?;
    }
    if !simulated.remarks.is_empty() {
        writeln!(out, "To know first")?;
    }
    for remark in &simulated.remarks {
        writeln!(out, "  {remark}")?;
    }
    writeln!(out, "Forecast from the history so far: {}", foreseen(&simulated.at_first.outlook))?;
    writeln!(out)?;
    writeln!(out, "IF NOBODY REACTS")?;
    course(&simulated.if_nobody_reacts, zone, false, out)?;
    writeln!(out)?;
    writeln!(out, "WITH CUSTOMERS OF SEED {}", simulated.seed)?;
    course(&simulated.with_customers, zone, true, out)?;
    let Some(against) = &simulated.against else { return Ok(()) };
    writeln!(out)?;
    writeln!(out, "AGAINST {}", against.configuration)?;
    if against.differences.is_empty() {
        writeln!(out, "  the same customers end the same way")?;
    }
    for difference in &against.differences {
        writeln!(out, "  {}: {} -> {}", difference.what, difference.before, difference.after)?;
    }
    Ok(())
}

fn course(course: &Course, zone: Tz, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    let end = &course.ending;
    let percent = |percent: Option<f64>| percent.map_or("-".to_owned(), |it| format!("{it:.1}%"));
    writeln!(
        out,
        "At the end: {}, {} ready ({}; {} at the deadline), {} awaiting",
        counted(end.connections, "connection"),
        end.ready,
        percent(end.ready_percent),
        percent(end.ready_percent_at_deadline),
        end.awaiting
    )?;
    writeln!(
        out,
        "  {}, {} removed, {} of them returned, {} gone",
        counted(end.messages, "message"),
        end.removed,
        end.returned,
        end.gone
    )?;
    for span in &course.stages {
        let messages = counted(span.messages, "message");
        writeln!(out, "  stage {}: {messages}, {} to {}", span.stage, span.first, span.last)?;
    }
    for stopped in &course.stopped {
        writeln!(
            out,
            "  {} was stopped on {} from {} on: {} ({})",
            stopped.step,
            counted(stopped.runs, "run"),
            stopped.first_at.with_timezone(&zone).format("%Y-%m-%d"),
            stopped.text,
            stopped.code
        )?;
    }
    writeln!(out, "By day")?;
    if course.days.is_empty() {
        writeln!(out, "  nothing happens")?;
    }
    for day in &course.days {
        let counts: Vec<String> =
            day.counts.iter().map(|(what, count)| format!("{} {count}", spoken(what))).collect();
        writeln!(out, "  {} {}", day.day.format("%Y-%m-%d %a"), counts.join(" · "))?;
    }
    if is_whole {
        calendar(course, zone, out)?;
    }
    Ok(())
}

/// Every mail, removal and return.
///
/// # Errors
/// `out` cannot be written.
fn calendar(course: &Course, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Calendar")?;
    let mut days: std::slice::Iter<'_, Day> = course.days.iter();
    let mut today = None;
    for event in &course.calendar {
        let at = event.at.with_timezone(&zone);
        if today != Some(at.date_naive()) {
            today = Some(at.date_naive());
            if let Some(day) = days.next() {
                writeln!(out, "  {}", day.day.format("%Y-%m-%d %A"))?;
            }
        }
        writeln!(out, "    {} {}", at.format("%H:%M"), line(event))?;
    }
    Ok(())
}

/// What happens, as people say it.
pub(super) fn spoken(what: &str) -> String {
    what.replace('_', " ")
}

/// An event in words.
#[must_use]
pub fn line(event: &Event) -> String {
    let whom = event.whom.as_deref().unwrap_or("-");
    let about = event.about.as_deref().unwrap_or_default();
    match (event.what, event.connections) {
        ("customer", _) => format!("{whom} {about}"),
        (what, Some(count)) => {
            format!("{what} {about} to {whom}: {}", counted(count, "connection"))
        }
        (what, None) if about.is_empty() => format!("{} {whom}", spoken(what)),
        (what, None) => format!("{} {about} {whom}", spoken(what)),
    }
}
