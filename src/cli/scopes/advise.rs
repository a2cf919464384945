//! `worker scopes advise`

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;

use crate::domain::advice::{Call, Comparison, Line, Needs, UseCase, compare};
use crate::domain::scopes::{ScopeSet, ScopeText, meant};
use crate::jobs::exit::Exit;
use crate::report::advice::{AdviceReport, UnreadLines, markdown, text, toml, unread_text};

use super::super::context::{Configured, Context, Trouble};
use super::super::lines::next_line;
use super::json_line;

const EXAMPLES: &str = "\
Examples:
  worker scopes advise --endpoint \"GET /Invoices\" --endpoint \"POST /Contacts\"
  zcat access.log.*.gz | worker scopes advise --calls -
  worker scopes advise --use-case receivables --format toml
  worker scopes advise --replaces \"accounting.transactions accounting.contacts\"
  worker scopes advise --calls calls.txt --format markdown > justification.md";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Arguments {
    /// A call that the app makes: a method and a path, such as "GET /Invoices"
    #[arg(long, value_name = "CALL")]
    endpoint: Vec<String>,
    /// Calls, one a line, or any log with methods and paths in it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    calls: Vec<PathBuf>,
    /// What the app is for
    #[arg(long, value_name = "NAME", value_parser = use_cases())]
    use_case: Vec<String>,
    /// The scopes that the app asked for so far
    #[arg(long, value_name = "SCOPES")]
    replaces: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: AdviceFormat,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum AdviceFormat {
    Text,
    Json,
    /// To paste below `[campaign]`
    Toml,
    /// The justification that Xero's certification asks for
    Markdown,
}

fn use_cases() -> PossibleValuesParser {
    UseCase::all().iter().map(|one| one.name.as_str()).into()
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let mut unread = UnreadLines::default();
    let needs = needs(&arguments, &mut unread)?;
    let configured = context.configured_if_any()?;
    let campaign = configured.as_ref().map(|configured| configured.config.campaign.required);
    let advice = needs.advise(campaign.unwrap_or_default());
    let compared = match &configured {
        Some(configured) => Some(compared(context, configured, advice.set()).await?),
        None => None,
    };
    let report = AdviceReport { advice, unread, compared };
    let mut out = io::stdout().lock();
    match arguments.format {
        AdviceFormat::Text => text(&report, &mut out)?,
        AdviceFormat::Json => json_line(&report, &mut out)?,
        AdviceFormat::Toml => toml(&report, &mut out)?,
        AdviceFormat::Markdown => {
            let app = configured.as_ref().map(|configured| configured.config.app.name.as_str());
            markdown(&report, app, &mut out)?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// What is asked for on the command line and in files.
fn needs(arguments: &Arguments, unread: &mut UnreadLines) -> Result<Needs, Trouble> {
    let mut needs = Needs::default();
    for typed in &arguments.endpoint {
        match Call::read(typed) {
            Line::Call(call) => needs.call(call),
            Line::Nothing => return Err(no_call(typed, "it is empty")),
            Line::Unread(reason) => return Err(no_call(typed, unread_text(reason))),
        }
    }
    for path in &arguments.calls {
        let unreadable = |error: io::Error| {
            let message = format!("the calls of {} cannot be read: {error}", path.display());
            Trouble::Usage(message, "give a file, or - for standard input".to_owned())
        };
        if path == Path::new("-") {
            read_calls(&mut io::stdin().lock(), &mut needs, unread).map_err(unreadable)?;
        } else {
            let file = File::open(path).map_err(unreadable)?;
            read_calls(&mut BufReader::new(file), &mut needs, unread).map_err(unreadable)?;
        }
    }
    for one in arguments.use_case.iter().filter_map(|name| UseCase::find(name)) {
        needs.use_case(one);
    }
    for typed in &arguments.replaces {
        let ScopeText { set, unknown, .. } = ScopeText::read(typed);
        if let Some(word) = unknown.first() {
            let remedy = match meant(word) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "`worker scopes list` has them all".to_owned(),
            };
            return Err(Trouble::Usage(format!("--replaces {word:?} is no scope"), remedy));
        }
        needs.replaces(set);
    }
    if needs.is_empty() {
        return Err(nothing(unread));
    }
    Ok(needs)
}

fn no_call(typed: &str, why: &str) -> Trouble {
    Trouble::Usage(
        format!("--endpoint {typed:?} is no call: {why}"),
        "write a method and a path, such as \"GET /Invoices\"".to_owned(),
    )
}

fn nothing(unread: &UnreadLines) -> Trouble {
    match unread.first.first() {
        Some(first) => Trouble::Usage(
            format!(
                "no call of Xero's in {} lines; line {}: {}",
                unread.lines,
                first.line,
                unread_text(first.reason)
            ),
            "is it the log of the calls that go out to Xero?".to_owned(),
        ),
        None => Trouble::Usage(
            "there is nothing to advise on".to_owned(),
            "name calls with --endpoint or --calls, a --use-case, or the scopes so far with --replaces"
                .to_owned(),
        ),
    }
}

/// Reads every line, in constant memory.
fn read_calls(
    input: &mut dyn BufRead,
    needs: &mut Needs,
    unread: &mut UnreadLines,
) -> io::Result<()> {
    let mut number = 0;
    while let Some(line) = next_line(input)? {
        number += 1;
        match Call::read(&line) {
            Line::Call(call) => needs.call(call),
            Line::Nothing => {}
            Line::Unread(reason) => unread.note(number, reason),
        }
    }
    Ok(())
}

/// Against the configuration, and against what the grants hold, where there is a database.
async fn compared(
    context: &Context,
    configured: &Configured,
    advised: ScopeSet,
) -> Result<Comparison, Trouble> {
    let config = &configured.config;
    let holdings = match context.existing_if_any(config).await {
        Ok(Some((store, _))) => {
            let holdings = store.holdings().await?;
            store.close().await;
            Some(holdings)
        }
        Ok(None) => None,
        Err(error) => {
            let remedy = error.remedy();
            tracing::warn!(%remedy, "what the grants hold is left out: {error}");
            None
        }
    };
    Ok(compare(advised, config.campaign.required, holdings.as_deref()))
}
