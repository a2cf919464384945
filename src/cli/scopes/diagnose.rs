//! `worker scopes diagnose`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::diagnosis::{Diagnosis, HttpAnswer, Meaning, Observation};
use crate::jobs::exit::Exit;
use crate::jobs::signals::{Taken, take_in};
use crate::store::{ScopeSets, Store};

use super::super::context::{Context, Trouble};
use super::super::format::Format;
use super::super::lines::{LONGEST_LINE, next_line};
use super::json_line;

const EXAMPLES: &str = "\
Examples:
  curl -si https://api.xero.com/api.xro/2.0/Invoices -H \"…\" | worker scopes diagnose -
  worker scopes diagnose --status 401 --header \"WWW-Authenticate: insufficient_scope\" --request \"GET /Journals\"
  worker scopes diagnose answers.jsonl --record";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Arguments {
    /// An answer as curl -i prints it, a body, or a log with an answer in JSON on each line; `-` is
    /// standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["status", "header", "body"])]
    file: Option<PathBuf>,
    /// What was asked: a method and a path
    #[arg(long, value_name = "CALL")]
    request: Option<String>,
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    status: Option<u16>,
    /// A header, such as "WWW-Authenticate: insufficient_scope"
    #[arg(long, value_name = "HEADER", conflicts_with = "file")]
    header: Vec<String>,
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    body: Option<String>,
    /// Remember in the database whose grants were seen to lack a scope: they are prompted before others
    #[arg(long, requires = "file")]
    record: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Diagnoses of a log, by meaning.
#[derive(Default)]
struct Summary {
    meanings: BTreeMap<Meaning, (u64, Diagnosis)>,
    others: u64,
    recorded: u64,
    nobody_known: u64,
}

/// The line in JSON.
#[derive(Serialize)]
struct OfLine<'a> {
    line: u64,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<bool>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Some(path) = &arguments.file else {
        let answer = typed(&arguments)?;
        one(&answer.diagnose(), arguments.format)?;
        return Ok(Exit::Done);
    };
    let unreadable = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Trouble::Usage(message, "give a file, or - for standard input".to_owned())
    };
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(BufReader::new(io::stdin())),
        false => Box::new(BufReader::new(File::open(path).map_err(unreadable)?)),
    };
    let first = next_line(&mut *input).map_err(unreadable)?.unwrap_or_default();
    if Observation::read(&first).is_some() {
        return log(context, &arguments, first, &mut *input).await;
    }
    let mut rest = Vec::new();
    input.take(LONGEST_LINE as u64).read_to_end(&mut rest).map_err(unreadable)?;
    let mut answer = HttpAnswer::read(&format!("{first}\n{}", String::from_utf8_lossy(&rest)));
    if arguments.request.is_some() {
        answer.request = arguments.request;
    }
    if arguments.record {
        return Err(Trouble::Usage(
            "a single answer does not tell whose grant it was".to_owned(),
            "give a log in JSON, one answer a line, with connection_id or xero_user_id: see docs/scopes.md".to_owned(),
        ));
    }
    one(&answer.diagnose(), arguments.format)?;
    Ok(Exit::Done)
}

fn typed(arguments: &Arguments) -> Result<HttpAnswer, Trouble> {
    let headers = arguments.header.iter().map(|header| {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Trouble::Usage(
                format!("--header {header:?} has no colon"),
                "write it as \"WWW-Authenticate: insufficient_scope\"".to_owned(),
            )
        })?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    Ok(HttpAnswer {
        request: arguments.request.clone(),
        status: arguments.status,
        headers: headers.collect::<Result<_, Trouble>>()?,
        body: arguments.body.clone().unwrap_or_default(),
    })
}

fn one(diagnosis: &Diagnosis, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => json_line(diagnosis, &mut out),
        Format::Text => {
            writeln!(out, "{}: {}", diagnosis.meaning.as_str(), diagnosis.text)?;
            let helps = if diagnosis.reauthorise { "helps" } else { "does not help" };
            writeln!(out, "  consenting again {helps}")?;
            writeln!(out, "  what to do: {}", diagnosis.remedy)?;
            if let Some(seconds) = diagnosis.retry_after {
                writeln!(out, "  not before {seconds} seconds have passed")?;
            }
            if let Some(id) = &diagnosis.correlation_id {
                writeln!(out, "  Xero's support asks for Xero-Correlation-Id {id}")?;
            }
            Ok(())
        }
    }
}

async fn log(
    context: &Context,
    arguments: &Arguments,
    first: String,
    input: &mut dyn BufRead,
) -> Result<Exit, Trouble> {
    let known: Option<(Store, ScopeSets)> = match arguments.record {
        true => {
            let (store, _) = context.existing(&context.configured()?.config).await?;
            let sets = store.scope_sets().await?;
            Some((store, sets))
        }
        false => None,
    };
    let mut summary = Summary::default();
    let mut line = Some(first);
    let mut number = 0;
    while let Some(text) = line {
        number += 1;
        match Observation::read(&text) {
            Some(seen) => {
                let diagnosis = seen.answer.diagnose();
                let taken = match &known {
                    Some((store, sets)) => {
                        Some(take_in(store, sets, &seen, &diagnosis, context.now()).await?)
                    }
                    None => None,
                };
                summary.add(number, diagnosis, taken, arguments.format)?;
            }
            None => summary.others += u64::from(!text.trim().is_empty()),
        }
        line = next_line(input)?;
    }
    if let Some((store, _)) = known {
        store.close().await;
    }
    if arguments.format == Format::Text {
        summary.text(arguments.record, &mut io::stdout().lock())?;
    }
    Ok(Exit::Done)
}

impl Summary {
    fn add(
        &mut self,
        line: u64,
        diagnosis: Diagnosis,
        taken: Option<Taken>,
        format: Format,
    ) -> io::Result<()> {
        self.recorded += u64::from(taken == Some(Taken::Recorded));
        self.nobody_known += u64::from(taken == Some(Taken::NobodyKnown));
        if format == Format::Json {
            let recorded = taken.map(|taken| taken == Taken::Recorded);
            let of_line = OfLine { line, diagnosis: &diagnosis, recorded };
            json_line(&of_line, &mut io::stdout().lock())?;
        }
        let (count, _) = self.meanings.entry(diagnosis.meaning).or_insert((0, diagnosis));
        *count += 1;
        Ok(())
    }

    fn text(&self, recorded: bool, out: &mut dyn Write) -> io::Result<()> {
        for (meaning, (count, diagnosis)) in &self.meanings {
            // What one call needed says nothing about the others.
            let helps = if diagnosis.reauthorise { "helps" } else { "does not help" };
            writeln!(out, "{count:>8}  {}: consenting again {helps}", meaning.as_str())?;
            if *meaning != Meaning::Fine {
                writeln!(out, "          {}", diagnosis.remedy)?;
            }
        }
        if self.others > 0 {
            writeln!(out, "{:>8}  lines with no answer in them", self.others)?;
        }
        if recorded {
            writeln!(
                out,
                "Recorded: {} grants are prompted before others; of {} answers nobody's grant is known here",
                self.recorded, self.nobody_known
            )?;
        }
        Ok(())
    }
}
