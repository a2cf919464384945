//! `worker run-once`

use std::io::{self, BufWriter, Write};

use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::clock::{Clock, FixedClock};
use crate::config::Job;
use crate::jobs::exit::Exit;
use crate::jobs::hold::Worker;
use crate::jobs::run::{Finished, Setting, complain, name_rights, new_id};
use crate::jobs::shutdown::Shutdown;
use crate::jobs::standing::{leave, snapshot};
use crate::jobs::weather::Patience;
use crate::jobs::workplace::Workplace;
use crate::jobs::{Failure, common_clock, run_span, scan};
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
    let shutdown = Shutdown::listening();
    tokio::select! {
        biased;
        () = shutdown.at_once.cancelled() => Ok(Exit::CouldNotRun),
        exit = all(context, arguments, &shutdown.asked) => exit,
    }
}

async fn all(
    context: &Context,
    arguments: Arguments,
    cancel: &CancellationToken,
) -> Result<Exit, Trouble> {
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
    let mut random = context.random()?;
    let keys = fresh_keys(&mut random);
    let watch = Watch::new(context.terminal.clone());
    let mut setting = Setting {
        config: &configured.config,
        is_builtin: configured.is_builtin,
        dry_run: arguments.dry_run,
        clock,
        env: &environment,
        watcher: &watch,
        cancel,
        show_addresses: shows_addresses(arguments.show_addresses),
        looks_ahead: true,
        until: None,
    };
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(scan::Error::Interrupted.into()),
        opened = open(&setting, &keys, &mut random) => opened,
    };
    let (workplace, worker) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            complain(&failure);
            for job in jobs {
                let mut finished = setting.report_failed_start(job, failure.exit(), &mut random);
                print(&setting, &mut finished, arguments.format)?;
            }
            return Ok(failure.exit());
        }
    };
    if let Some(worker) = &worker {
        setting.clock = &*worker.clock;
    }
    let mut exit = Exit::Done;
    for job in jobs {
        let mut finished = match &worker {
            None => setting.run(job, &workplace, &mut random).await,
            Some(worker) => held(&setting, worker, job, &workplace, &mut random).await,
        };
        exit = exit.and(finished.exit);
        print(&setting, &mut finished, arguments.format)?;
        if !arguments.dry_run
            && let Some(path) = &configured.config.metrics.textfile
        {
            let told = snapshot(Some(&workplace.store), &configured.config, setting.clock).await;
            if let Err(error) = leave(path, &told.text()) {
                tracing::warn!("the metrics cannot be written to {}: {error}", path.display());
            }
        }
        if cancel.is_cancelled() {
            exit = exit.and(Exit::CouldNotRun);
            break;
        }
    }
    workplace.close().await;
    Ok(exit)
}

/// Opens the database; a real run waits for one that is away.
async fn open(
    setting: &Setting<'_>,
    keys: &Keys,
    random: &mut StdRng,
) -> Result<(Workplace, Option<Worker>), Failure> {
    if setting.dry_run {
        return Ok((Workplace::copy(setting.config, keys).await?, None));
    }
    let mut patience = Patience::of(setting.config.database.wait);
    loop {
        let failure = match Workplace::real(setting.config, keys).await {
            Ok(workplace) => {
                let clock = common_clock(&workplace.store, setting.clock).await?;
                let id = new_id(setting.clock, random);
                let worker = Worker::new(workplace.store.clone(), clock, id);
                return Ok((workplace, Some(worker)));
            }
            Err(error) => error.into(),
        };
        if !patience.outlasts(&failure, setting.clock, setting.cancel).await {
            return Err(failure);
        }
    }
}

/// A real run: one at a time of each job, in all processes together.
async fn held(
    setting: &Setting<'_>,
    worker: &Worker,
    job: &Job,
    workplace: &Workplace,
    random: &mut StdRng,
) -> Finished {
    let run_id = new_id(setting.clock, random);
    let span = run_span(run_id, job);
    let turn = setting.take_turn(worker, job, workplace, run_id, random);
    let hold = match turn.instrument(span.clone()).await {
        Ok(hold) => hold,
        Err(failure) => {
            name_rights(job, &workplace.store, &failure).await;
            span.in_scope(|| complain(&failure));
            return setting.report_unbegun(run_id, job, workplace, failure.exit()).await;
        }
    };
    let finished = setting.run_held(&hold, job, workplace, random).await;
    if let Err(error) = hold.release().await {
        tracing::debug!("the job could not be given back: {error}");
    }
    finished
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
