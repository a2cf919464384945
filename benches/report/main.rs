//! How fast the progress report is made, on a database of its own: connections of the bench of
//! scans, everybody awaiting told once, and a year of daily counts.
//!
//! ```text
//! cargo bench --bench report                                 a million, both databases
//! cargo bench --bench report -- 100000 --store sqlite
//! ```
//!
//! Times are of gathering and writing the HTML page, on an open database, the median of five; the
//! peak memory is of `worker report` in a process of its own.

#[path = "../scan/generate.rs"]
mod generate;
mod history;
#[path = "../../tests/it/support/pg.rs"]
mod pg;
#[path = "../scan/place.rs"]
mod place;
#[path = "../../tests/it/support/server.rs"]
mod server;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use worker::clock::{Clock, SystemClock};
use worker::jobs::reporting::{About, gather};
use worker::report::form::Form;

use generate::Edition;
use place::{Kind, Place};

/// The argument that makes this program a worker that tells its memory.
const PHASE: &str = "--be-a-worker";
const MARK: &str = "peak KiB: ";
const RUNS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == PHASE) {
        return worker(&arguments[1..]);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let (size, kinds) = wanted(&arguments)?;
        runtime.block_on(bench(size, &kinds))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn worker(arguments: &[OsString]) -> ExitCode {
    let own = [OsStr::new("worker").to_owned()];
    let exit = worker::cli::main(own.into_iter().chain(arguments.iter().cloned()));
    let peak = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let _ = writeln!(io::stdout(), "\n{MARK}{}", peak.unwrap_or_default());
    ExitCode::from(exit.code())
}

fn wanted(arguments: &[OsString]) -> Result<(u64, Vec<Kind>)> {
    let (mut size, mut kinds) = (1_000_000, Vec::new());
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        match argument {
            "--bench" => {} // cargo's own
            "--store" => match arguments.next() {
                Some("sqlite") => kinds.push(Kind::Sqlite),
                Some("postgres") => kinds.push(Kind::Postgres),
                _ => bail!("--store sqlite or --store postgres"),
            },
            number => size = number.parse().with_context(|| format!("{number:?} is no size"))?,
        }
    }
    if kinds.is_empty() {
        kinds = vec![Kind::Sqlite, Kind::Postgres];
    }
    Ok((size, kinds))
}

async fn bench(size: u64, kinds: &[Kind]) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
    let inventory = dir.path().join("connections.csv");
    generate::write(&inventory, size, Edition::First)?;
    let mut out = io::stdout().lock();
    writeln!(out, "| connections | database | report | peak memory |\n|---|---|---|---|")?;
    for &kind in kinds {
        let place = Place::new(kind).await?;
        worker_run(&place, &inventory, &["run-once"])?;
        let workplace = place.prepared(&inventory).await?;
        history::write(&workplace.store).await?;
        let config = place.config(&inventory)?;
        let about = About { is_shown: false, since: None, what_if: &[] };
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let started = Instant::now();
            let now = SystemClock.now();
            let document = gather(&config, &workplace.store, now, &about).await?;
            Form::Html.write(&document, &config.campaign, &mut io::sink())?;
            times.push(started.elapsed());
            let connections = document.progress.connections;
            ensure!(connections == Some(size), "{connections:?} connections are counted");
        }
        workplace.close().await;
        let peak = worker_run(&place, &inventory, &["report", "--format", "html"])?;
        writeln!(
            out,
            "| {size} | {} | {:.2} s | {:.1} MiB |",
            place.kind.name(),
            median(&mut times).as_secs_f64(),
            peak as f64 / 1024.0
        )?;
        place.remove().await?;
    }
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs a command of the worker in a process of its own; gives its peak memory in KiB.
fn worker_run(place: &Place, inventory: &Path, arguments: &[&str]) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .args([PHASE, "--log", "json", "--log-level", "warn", "--config"])
        .arg(place.configuration(inventory)?)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{arguments:?} exited with {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let peak = said.lines().find_map(|line| line.strip_prefix(MARK));
    Ok(peak.context("the worker does not tell its memory")?.parse()?)
}
