//! `worker outcomes`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::jobs::exit::Exit;
use crate::jobs::outcomes::{Error, Import, Summary};
use crate::jobs::run::new_id;
use crate::report::plan_text::counted;

use super::context::{Context, Trouble};
use super::format::Format;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Deliveries, bounces, complaints, and what you sent by your own means
    Import {
        /// CSV, JSON Lines, or a Maildir of bounces
        file: PathBuf,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    let Command::Import { file, format } = command;
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, _) = context.existing(config).await?;
    let import = Import {
        store: &store,
        campaign: &config.campaign,
        now: context.now(),
        id: new_id(&context.clock, &mut context.random()?),
    };
    let summary = match import.run(&file).await {
        Ok(summary) => summary,
        Err(Error::Store(error)) => return Err(error.into()),
        Err(error) => {
            return Err(Trouble::Usage(
                error.to_string(),
                "give CSV with a column `kind`, JSON Lines, or a Maildir: see docs/commands.md, \
                 \"outcomes import\""
                    .to_owned(),
            ));
        }
    };
    store.close().await;
    say(format, &summary)?;
    Ok(exit(&summary))
}

/// What could not be taken in is an effect that failed, and all of it a mistaken file.
fn exit(summary: &Summary) -> Exit {
    if summary.bad == 0 {
        Exit::Done
    } else if summary.bad == summary.read {
        Exit::Configuration
    } else {
        Exit::EffectFailed
    }
}

fn say(format: Format, summary: &Summary) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::json!(summary)),
        Format::Text => {
            writeln!(
                out,
                "{} taken in, {} known before or of no consequence, {} about other mail, {} bad.",
                summary.applied, summary.unchanged, summary.foreign, summary.bad
            )?;
            for problem in &summary.problems {
                writeln!(out, "  {}: {}", problem.place, problem.reason)?;
            }
            let told = summary.problems.len() as u64;
            if summary.bad > told {
                writeln!(out, "  and {}", counted(summary.bad - told, "further bad line"))?;
            }
            Ok(())
        }
    }
}
