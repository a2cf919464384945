//! A plan for people: where it stands, what would happen, and what is held back.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Deserialize;

use crate::domain::campaign::Campaign;

use super::plan::{Plan, PromptEntry, RemovalEntry, Tomorrow};
use super::progress::Progress;

/// Lines of each list that are shown; the JSON document has all.
const SHOWN: usize = 15;

#[derive(Deserialize)]
struct HeldBack {
    connection_key: String,
    action: String,
    reasons: Vec<ReasonText>,
}

#[derive(Deserialize)]
struct ReasonText {
    code: String,
    text: String,
}

/// Writes it.
///
/// # Errors
/// `out` or a temporary file.
pub fn write(
    campaign: &Campaign,
    progress: &Progress,
    plan: &mut Plan,
    out: &mut dyn Write,
) -> io::Result<()> {
    let kind = if progress.dry_run { "dry run, nothing was changed or sent" } else { "run" };
    writeln!(out, "Job {} ({kind})", progress.job)?;
    standing(campaign, progress, out)?;
    for gate in &plan.blocked_by {
        writeln!(out, "  {:<8} blocked: {} ({})", gate.step, gate.text, gate.code.as_str())?;
    }
    for warning in &plan.warnings {
        writeln!(
            out,
            "  {:<8} warning: {} ({})",
            warning.step,
            warning.text,
            warning.code.as_str()
        )?;
    }
    prompts(plan, out)?;
    if !progress.dry_run {
        sent(progress, out)?;
    }
    if let Some(tomorrow) = &plan.tomorrow {
        writeln!(out, "Tomorrow, {}: {}", tomorrow.day, outlook(tomorrow))?;
    }
    removals(plan, out)?;
    held_back(plan, out)
}

/// What became of the prompts of a real run.
fn sent(progress: &Progress, out: &mut dyn Write) -> io::Result<()> {
    let [sent, unknown, failures] =
        [progress.prompts_sent, progress.prompts_unknown, progress.failures]
            .map(Option::unwrap_or_default);
    if sent + unknown + failures > 0 {
        writeln!(out, "Sent: {sent} · unknown {unknown} · failed {failures}")?;
    }
    Ok(())
}

fn outlook(tomorrow: &Tomorrow) -> String {
    let prompts = counted(tomorrow.prompts, "prompt");
    match tomorrow.first_day {
        Some(most) if most < tomorrow.prompts => {
            format!("stage {} opens, {prompts}, at most {most} on its first day", tomorrow.stage)
        }
        _ => format!("stage {} opens, {prompts}", tomorrow.stage),
    }
}

/// Where the campaign stands, in a few lines.
///
/// # Errors
/// `out` cannot be written.
pub fn standing(campaign: &Campaign, progress: &Progress, out: &mut dyn Write) -> io::Result<()> {
    let deadline = campaign.deadline.with_timezone(&campaign.zone);
    writeln!(
        out,
        "  deadline {} ({}), {}",
        deadline.format("%Y-%m-%d %H:%M"),
        campaign.zone.name(),
        days_left(progress.days_to_deadline.unwrap_or_default())
    )?;
    let Some(connections) = progress.connections else {
        return writeln!(out, "  no complete scan yet");
    };
    let percent = match progress.ready_percent {
        Some(percent) => format!("{percent:.1}% ready"),
        None => "nobody concerned".to_owned(),
    };
    writeln!(out, "  {}, {percent}", counted(connections, "connection"))?;
    let line = |out: &mut dyn Write, fields: &[(&str, Option<u64>)]| {
        let words: Vec<String> = fields
            .iter()
            .filter_map(|(name, count)| Some(format!("{name} {}", (*count)?)))
            .collect();
        writeln!(out, "    {}", words.join(" · "))
    };
    line(
        out,
        &[
            ("broad only", progress.broad_only),
            ("mixed", progress.mixed),
            ("granular", progress.granular),
            ("unaffected", progress.unaffected),
            ("unknown", progress.unknown),
        ],
    )?;
    line(
        out,
        &[
            ("ready", progress.ready),
            ("of them with an older token", progress.token_behind),
            ("awaiting", progress.awaiting),
        ],
    )?;
    line(
        out,
        &[
            ("of the awaiting: exempt", progress.exempt),
            ("covered", progress.covered),
            ("manual", progress.manual),
            ("unreachable", progress.unreachable),
        ],
    )?;
    line(out, &[("beside them: gone", progress.gone), ("bad rows", progress.bad_rows)])
}

fn days_left(days: i64) -> String {
    match u64::try_from(days) {
        Ok(0) => "less than a day left".to_owned(),
        Ok(left) => format!("{} left", counted(left, "day")),
        Err(_) => "passed".to_owned(),
    }
}

/// A number with its noun.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The width of a column that holds all of these, up to where a long one stands out alone.
fn width<'a>(words: impl Iterator<Item = &'a String>) -> usize {
    words.map(|word| word.chars().count()).filter(|width| *width <= 48).max().unwrap_or_default()
}

fn prompts(plan: &mut Plan, out: &mut dyn Write) -> io::Result<()> {
    let total = plan.prompts.len();
    writeln!(out, "Prompts planned: {total}")?;
    let shown: Vec<PromptEntry> = plan.prompts.first(SHOWN)?;
    let channels = width(shown.iter().map(|prompt| &prompt.channel));
    let recipients = width(shown.iter().map(|prompt| &prompt.recipient));
    for PromptEntry { channel, recipient, reason, .. } in &shown {
        writeln!(out, "  {channel:<channels$}  {recipient:<recipients$}  {reason}")?;
    }
    more(total, shown.len(), out)
}

fn removals(plan: &mut Plan, out: &mut dyn Write) -> io::Result<()> {
    let total = plan.removals.len();
    writeln!(out, "Removals planned: {total}")?;
    let shown: Vec<RemovalEntry> = plan.removals.first(SHOWN)?;
    for removal in &shown {
        writeln!(
            out,
            "  {} not before {}: {}",
            removal.connection_id, removal.not_before, removal.reason
        )?;
    }
    more(total, shown.len(), out)
}

fn held_back(plan: &mut Plan, out: &mut dyn Write) -> io::Result<()> {
    let total = plan.held_back.len();
    writeln!(out, "Held back: {total}")?;
    if total == 0 {
        return Ok(());
    }
    let mut by_code: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let mut example: Option<String> = None;
    plan.held_back.each(|held: HeldBack| {
        for reason in &held.reasons {
            let entry = by_code
                .entry((held.action.clone(), reason.code.clone()))
                .or_insert_with(|| (0, reason.text.clone()));
            entry.0 += 1;
        }
        example.get_or_insert(held.connection_key);
        Ok(())
    })?;
    for ((action, code), (count, text)) in by_code {
        writeln!(out, "  {count:>6}  {action:<6}  {code:<22}  e.g. {text}")?;
    }
    writeln!(
        out,
        "  `worker explain {}` tells more of one of them, --format json lists all",
        example.as_deref().unwrap_or("ID")
    )
}

fn more(total: u64, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    match total.saturating_sub(shown as u64) {
        0 => Ok(()),
        more => writeln!(out, "  … and {more} more (--format json lists all)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_said_as_people_say_them() {
        let said: Vec<String> = [295, 1, 0, -1].into_iter().map(days_left).collect();
        assert_eq!(said, ["295 days left", "1 day left", "less than a day left", "passed"]);
    }
}
