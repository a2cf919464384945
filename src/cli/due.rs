//! `worker due`

use std::io::{self, BufWriter, Write};

use crate::domain::decide::Rules;
use crate::jobs::bearings::Bearings;
use crate::jobs::due::{Due, due};
use crate::jobs::exit::Exit;
use crate::jobs::messages::{Signing, links};
use crate::report::plan_text::counted;
use crate::report::pseudonym::Naming;

use super::context::{Context, Trouble, environment, moment, shows_addresses};

/// In which form the due people are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DueFormat {
    Text,
    /// One JSON object a line.
    Jsonl,
    /// The same as jsonl.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  worker due --format jsonl                          one line for each person who is due, with links";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// As if it were this day or time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Show names and addresses also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: DueFormat,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, keys) = context.existing(config).await?;
    let now = match &arguments.at {
        Some(at) => moment("--at", at, config)?,
        None => context.now(),
    };
    let bearings = Bearings::take(&store, now).await?;
    let rules = Rules { removal: None, ..bearings.rules(config) };
    let naming = match shows_addresses(arguments.show_addresses) {
        true => Naming::Addresses,
        false => Naming::Pseudonyms(&keys.pseudonym),
    };
    // Whoever only counts needs no secret.
    let links = links(config, Signing::Real, &environment).ok();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut people: u64 = 0;
    due(&store, &rules, bearings.edition, naming, links.as_ref(), |due| {
        people += 1;
        print(due, arguments.format, &mut out)
    })
    .await?;
    store.close().await;
    if arguments.format == DueFormat::Text && people == 0 {
        writeln!(out, "Nobody is due now.")?;
        if let Some(stage) = config.campaign.next_stage(now) {
            let opens = config.campaign.opens(stage).with_timezone(&config.campaign.zone);
            writeln!(
                out,
                "The next stage, {}, opens on {}.",
                stage.name,
                opens.format("%Y-%m-%d")
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn print(due: &Due<'_>, format: DueFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        DueFormat::Jsonl | DueFormat::Json => writeln!(out, "{}", serde_json::to_string(due)?),
        DueFormat::Text => {
            let count: usize = due.grants.iter().map(|grant| grant.connections.len()).sum();
            let connections = counted(count as u64, "connection");
            writeln!(out, "{:<16} {connections:>15}  {}", due.stage, due.recipient)
        }
    }
}
