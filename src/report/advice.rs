//! Advice on scopes, for people, to paste into jobs.toml, and as the justification that Xero's
//! certification asks for.

use std::io::{self, Write};

use serde::Serialize;

use crate::domain::advice::{Advice, Advised, AskedFor, Comparison, Reason, Unread, Without};

use super::plan_text::counted;

/// Entries of a list that are shown.
const SHOWN: usize = 5;

/// The advice with what surrounds it.
#[derive(Debug, Serialize)]
pub struct AdviceReport {
    #[serde(flatten)]
    pub advice: Advice,
    /// Lines in which no call was found.
    pub unread: UnreadLines,
    /// With a configuration; with a database it tells of the grants too.
    pub compared: Option<Comparison>,
}

#[derive(Debug, Default, Serialize)]
pub struct UnreadLines {
    pub lines: u64,
    /// Each reason once, with the first line of it.
    pub first: Vec<UnreadLine>,
}

#[derive(Debug, Serialize)]
pub struct UnreadLine {
    /// From 1.
    pub line: u64,
    pub reason: Unread,
}

impl UnreadLines {
    pub fn note(&mut self, line: u64, reason: Unread) {
        self.lines += 1;
        if self.first.iter().all(|known| known.reason != reason) {
            self.first.push(UnreadLine { line, reason });
        }
    }
}

/// Why no call was found in a line.
#[must_use]
pub fn unread_text(reason: Unread) -> &'static str {
    match reason {
        Unread::NoPath => "nothing in it is a path of Xero's, such as /api.xro/2.0/Invoices",
        Unread::NoMethod => "it has a path and no method, such as GET or POST",
        Unread::UnknownPath => {
            "no API of Xero's has such a path, or several have one: write it in full, from its root on, \
             such as /assets.xro/1.0/Settings"
        }
    }
}

fn reason_text(reason: &Reason) -> String {
    match reason {
        Reason::Call { call, times: 1 } => call.to_string(),
        Reason::Call { call, times } => format!("{call} ({times} times)"),
        Reason::UseCase { title, .. } => format!("the use case \"{title}\""),
        Reason::Replaces { scope } => format!("takes over from {scope}"),
        Reason::AskedBefore => "asked for so far, and stays as it is".to_owned(),
        Reason::Offline => "a refresh token; without one access ends after 30 minutes".to_owned(),
    }
}

fn reasons(advised: &Advised, most: usize) -> String {
    let mut texts: Vec<String> = advised.reasons.iter().map(reason_text).collect();
    let more = texts.len().saturating_sub(most);
    if more > 1 {
        texts.truncate(most);
        texts.push(format!("and {more} more"));
    }
    texts.join(", ")
}

/// # Errors
/// `out` cannot be written.
pub fn text(report: &AdviceReport, out: &mut dyn Write) -> io::Result<()> {
    let AdviceReport { advice, unread, compared } = report;
    let scopes = counted(advice.scopes.len() as u64, "scope");
    let verb = if advice.scopes.len() == 1 { "is" } else { "are" };
    writeln!(out, "{scopes} {verb} enough, each for:")?;
    let width = advice.required_scopes.iter().map(|name| name.len()).max().unwrap_or_default();
    for advised in &advice.scopes {
        writeln!(out, "  {:<width$}  {}", advised.scope, reasons(advised, SHOWN))?;
    }
    if !advice.choices.is_empty() {
        writeln!(out, "Where another scope would do as well:")?;
    }
    for choice in &advice.choices {
        let calls: Vec<String> = choice.calls.iter().map(ToString::to_string).collect();
        let others: Vec<&str> =
            choice.one_of.iter().copied().filter(|name| *name != choice.chosen).collect();
        let (others, calls) = (others.join(" or "), calls.join(", "));
        writeln!(out, "  {} and not {others}, for {calls}: {}", choice.chosen, choice.because)?;
    }
    without("No scope to ask for:", &advice.no_scope, out)?;
    without("Needs no consent of a user:", &advice.elsewhere, out)?;
    if advice.consents.len() > 1 {
        writeln!(out, "It takes {}:", counted(advice.consents.len() as u64, "consent"))?;
        for consent in &advice.consents {
            writeln!(out, "  {}", consent.join(" "))?;
        }
    }
    if !advice.warnings.is_empty() {
        writeln!(out, "Mind:")?;
    }
    for warning in &advice.warnings {
        writeln!(out, "  {}: {}", warning.scopes.join(" "), warning.text)?;
    }
    for note in &advice.notes {
        writeln!(out, "  {note}")?;
    }
    if unread.lines > 0 {
        writeln!(out, "{} without a call in it:", counted(unread.lines, "line"))?;
    }
    for UnreadLine { line, reason } in &unread.first {
        writeln!(out, "  from line {line} on: {}", unread_text(*reason))?;
    }
    compared.as_ref().map_or(Ok(()), |compared| comparison(compared, out))
}

fn without(title: &str, list: &[Without], out: &mut dyn Write) -> io::Result<()> {
    if !list.is_empty() {
        writeln!(out, "{title}")?;
    }
    list.iter().try_for_each(|one| writeln!(out, "  {}: {}", one.what, one.text))
}

fn comparison(compared: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    for asked in compared.asked_for.iter().take(SHOWN) {
        let AskedFor { of_their_own, more, less, connections, .. } = asked;
        let who = match (of_their_own, compared.known) {
            (false, None) => "The campaign".to_owned(),
            (false, Some(_)) => {
                format!("The campaign, for {}", counted(*connections, "connection"))
            }
            (true, _) => {
                format!("{} with required scopes of their own", counted(*connections, "connection"))
            }
        };
        match (&more[..], &less[..]) {
            ([], []) => writeln!(out, "{who}: asked for exactly that")?,
            _ => writeln!(out, "{who}:")?,
        }
        if !more.is_empty() {
            writeln!(out, "  asked for more than is used: {}", more.join(" "))?;
        }
        if !less.is_empty() {
            writeln!(out, "  asked for less, so calls will fail: {}", less.join(" "))?;
        }
    }
    let more = compared.asked_for.len().saturating_sub(SHOWN);
    if more > 0 {
        writeln!(out, "and {more} more sets of rows' own (--format json lists all)")?;
    }
    if let (Some(known), Some(hold_all)) = (compared.known, compared.hold_all) {
        let known = counted(known, "connection");
        writeln!(out, "Of {known} whose scopes are known {hold_all} hold all that is needed")?;
        for lacking in compared.lacking.iter().take(SHOWN) {
            writeln!(out, "  {:>6} lack {}", lacking.connections, lacking.scopes.join(" "))?;
        }
    }
    Ok(())
}

/// To paste below `[campaign]`.
///
/// # Errors
/// `out` cannot be written.
pub fn toml(report: &AdviceReport, out: &mut dyn Write) -> io::Result<()> {
    let advice = &report.advice;
    for warning in &advice.warnings {
        writeln!(out, "# {}: {}", warning.scopes.join(" "), warning.text)?;
    }
    for one in &advice.no_scope {
        writeln!(out, "# {}: {}", one.what, one.text)?;
    }
    writeln!(out, "required_scopes = [")?;
    for advised in &advice.scopes {
        writeln!(out, "    \"{}\", # {}", advised.scope, reasons(advised, SHOWN))?;
    }
    writeln!(out, "]")
}

/// The justification: what each scope is for, all of it.
///
/// # Errors
/// `out` cannot be written.
pub fn markdown(report: &AdviceReport, app: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let advice = &report.advice;
    match app {
        Some(app) => writeln!(out, "# Scopes of {app}, and what each is for\n")?,
        None => writeln!(out, "# Scopes, and what each is for\n")?,
    }
    writeln!(out, "| scope | needed for |\n|---|---|")?;
    for advised in &advice.scopes {
        let reasons: Vec<String> = advised
            .reasons
            .iter()
            .map(|reason| match reason {
                // How often says nothing about whether.
                Reason::Call { call, .. } => format!("`{call}`"),
                other => reason_text(other),
            })
            .collect();
        writeln!(out, "| `{}` | {} |", advised.scope, reasons.join("<br>"))?;
    }
    writeln!(
        out,
        "\nThe set is the smallest there is: without any one of these scopes something that is listed beside it \
         stops working, and where the app only reads, the scope is the one for reading."
    )?;
    for choice in &advice.choices {
        let calls: Vec<String> = choice.calls.iter().map(|call| format!("`{call}`")).collect();
        let others: Vec<String> = choice
            .one_of
            .iter()
            .filter(|name| **name != choice.chosen)
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(
            out,
            "\nFor {} the app uses `{}` and not {}: {}.",
            calls.join(", "),
            choice.chosen,
            others.join(" or "),
            choice.because
        )?;
    }
    if !advice.warnings.is_empty() {
        writeln!(out, "\n## To mind\n")?;
    }
    for warning in &advice.warnings {
        let scopes: Vec<String> = warning.scopes.iter().map(|name| format!("`{name}`")).collect();
        writeln!(out, "- {}: {}.", scopes.join(", "), warning.text)?;
    }
    let nothing: Vec<&Without> = advice.no_scope.iter().chain(&advice.elsewhere).collect();
    if !nothing.is_empty() {
        writeln!(out, "\n## Not asked for\n")?;
    }
    for one in nothing {
        writeln!(out, "- `{}`: {}", one.what, one.text)?;
    }
    Ok(())
}
