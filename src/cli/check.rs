//! `worker check`

use std::io::{self, Write};

use crate::jobs::checking::{Check, Checking, Checks, Verdict};
use crate::jobs::exit::Exit;

use super::context::{Context, Trouble, environment, fresh_keys};
use super::format::Format;

const EXAMPLES: &str = "\
Examples:
  worker check --offline              what needs no network, for a first look and for CI
  worker check                        asks Xero, your page and your mail server too; sends nothing
  worker check --webhooks             and a signed test event to each webhook
  worker check --format json | jq '.checks[] | select(.verdict != \"fine\")'";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Ask nobody but the database and the inventory
    #[arg(long)]
    offline: bool,
    /// Send a signed test event, of the type `check`, to each webhook that a stage uses
    #[arg(long, conflicts_with = "offline")]
    webhooks: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let checks = match context.configured() {
        Ok(configured) => {
            let keys = fresh_keys(&mut context.random()?);
            let checking = Checking {
                config: &configured.config,
                is_builtin: configured.is_builtin,
                clock: &context.clock,
                env: &environment,
                keys: &keys,
                offline: arguments.offline,
                webhooks: arguments.webhooks,
            };
            checking.run().await
        }
        // The page with the marked lines says more than a list would.
        Err(Trouble::Config(errors)) if arguments.format == Format::Json => {
            Checks::of_errors(&errors)
        }
        Err(trouble) => return Err(trouble),
    };
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Json => {
            let document = serde_json::json!({
                "wrong": checks.count(Verdict::Wrong),
                "doubtful": checks.count(Verdict::Doubtful),
                "fine": checks.count(Verdict::Fine),
                "checks": checks,
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => text(&checks, &mut out)?,
    }
    Ok(checks.exit())
}

fn text(checks: &Checks, out: &mut dyn Write) -> io::Result<()> {
    let mut groups: Vec<&str> = Vec::new();
    for check in &checks.0 {
        if !groups.contains(&check.group) {
            groups.push(check.group);
        }
    }
    for group in groups {
        writeln!(out, "{group}")?;
        for check in checks.0.iter().filter(|check| check.group == group) {
            let Check { what, verdict, text, remedy, .. } = check;
            let mark = match verdict {
                Verdict::Fine => "fine    ",
                Verdict::Doubtful => "doubtful",
                Verdict::Wrong => "WRONG   ",
            };
            writeln!(out, "  {mark}  {what}: {text}")?;
            if let Some(remedy) = remedy {
                writeln!(out, "            {remedy}")?;
            }
        }
    }
    let [wrong, doubtful, fine] =
        [Verdict::Wrong, Verdict::Doubtful, Verdict::Fine].map(|verdict| checks.count(verdict));
    writeln!(out, "{wrong} wrong, {doubtful} doubtful, {fine} fine")
}
