//! `worker run-once`

use std::io::{self, BufWriter, Write};

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, FixedClock};
use crate::config::Job;
use crate::jobs::exit::Exit;
use crate::jobs::run::{Finished, Setting, complain};
use crate::jobs::workplace::Workplace;
use crate::jobs::{Failure, scan};
use crate::report::plan_text;
use crate::store::settings::Keys;

use super::context::{
    Configured, Context, Trouble, environment, fresh_keys, moment, shows_addresses,
};
use super::format::Format;
use super::is_closed_pipe;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  worker run-once --dry-run                          who would be told what; changes nothing
  worker run-once --dry-run --at 2027-07-15          as if it were that day
  worker run-once --job campaign --log json          for cron";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Only this job; may be repeated
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<String>,
    /// Print the plan; change, send and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Plan as if it were this day or time
    #[arg(long, value_name = "TIME", requires = "dry_run")]
    at: Option<String>,
    /// Show addresses in the result also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let jobs = chosen(&configured, &arguments.jobs)?;
    let at = match &arguments.at {
        Some(at) => Some(FixedClock(moment("--at", at, &configured.config)?)),
        None => None,
    };
    let clock: &dyn Clock = match &at {
        Some(fixed) => fixed,
        None => &context.clock,
    };
    let cancel = CancellationToken::new();
    listen_for_signals(cancel.clone());
    let mut random = context.random()?;
    let keys = fresh_keys(&mut random);
    let watch = Watch::new(context.terminal.clone());
    let setting = Setting {
        config: &configured.config,
        is_builtin: configured.is_builtin,
        dry_run: arguments.dry_run,
        clock,
        env: &environment,
        watcher: &watch,
        cancel: &cancel,
        show_addresses: shows_addresses(arguments.show_addresses),
    };
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(scan::Error::Interrupted.into()),
        opened = open(&setting, &keys) => opened,
    };
    let workplace = match opened {
        Ok(workplace) => workplace,
        Err(failure) => {
            complain(&failure);
            for job in jobs {
                let mut finished = setting.report_failed_start(job, failure.exit(), &mut random);
                print(&setting, &mut finished, arguments.format)?;
            }
            return Ok(failure.exit());
        }
    };
    let mut exit = Exit::Done;
    for job in jobs {
        let mut finished = setting.run(job, &workplace, &mut random).await;
        exit = exit.and(finished.exit);
        print(&setting, &mut finished, arguments.format)?;
        if cancel.is_cancelled() {
            exit = exit.and(Exit::CouldNotRun);
            break;
        }
    }
    workplace.close().await;
    Ok(exit)
}

async fn open(setting: &Setting<'_>, keys: &Keys) -> Result<Workplace, Failure> {
    Ok(match setting.dry_run {
        true => Workplace::copy(setting.config, keys).await?,
        false => Workplace::real(setting.config, keys).await?,
    })
}

fn chosen<'a>(configured: &'a Configured, names: &[String]) -> Result<Vec<&'a Job>, Trouble> {
    let jobs = &configured.config.jobs;
    if let Some(unknown) = names.iter().find(|name| jobs.iter().all(|job| job.name != **name)) {
        let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        return Err(Trouble::Usage(
            format!("there is no job {unknown:?}"),
            format!("the configuration has: {}", known.join(", ")),
        ));
    }
    Ok(jobs.iter().filter(|job| names.is_empty() || names.contains(&job.name)).collect())
}

/// Prints the plan. Where nobody reads on, the run goes on all the same.
fn print(setting: &Setting<'_>, finished: &mut Finished, format: Format) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let Finished { progress, plan, .. } = finished;
    let written = match format {
        Format::Json => plan.write_json(progress, &mut out),
        Format::Text => plan_text::write(&setting.config.campaign, progress, plan, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        written => written,
    }
}

/// SIGTERM and SIGINT end the run in order.
fn listen_for_signals(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        match signal(kind) {
            Ok(mut signals) => {
                let cancel = cancel.clone();
                tokio::spawn(async move {
                    signals.recv().await;
                    tracing::warn!("asked to stop: finishing in order");
                    cancel.cancel();
                });
            }
            Err(error) => tracing::warn!("signals cannot be listened for: {error}"),
        }
    }
}
