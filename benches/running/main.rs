//! What a worker costs that has nothing to do: how soon it begins, what it holds while it waits
//! for its next fire, and what a run adds to its scan when nobody is due, or few can be.
//!
//! ```text
//! cargo bench --bench running                               a million, both databases
//! cargo bench --bench running -- 100000 --store sqlite
//! ```
//!
//! The worker is the release binary, a process of its own each time (docs/speed.md).

#[path = "../scan/generate.rs"]
mod generate;
#[path = "../report/history.rs"]
mod history;
mod idle;
#[path = "../../tests/it/support/pg.rs"]
mod pg;
#[path = "../scan/place.rs"]
mod place;
#[path = "../../tests/it/support/server.rs"]
mod server;
mod start;

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use worker::clock::{Clock, SystemClock};

use generate::Edition;
use place::{Kind, Place};

/// How often a run over all connections is measured.
const RUNS: usize = 3;

pub const WORKER: &str = env!("CARGO_BIN_EXE_worker");

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let (size, kinds) = wanted()?;
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

fn wanted() -> Result<(u64, Vec<Kind>)> {
    let (mut size, mut kinds) = (1_000_000, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo's own
            "--store" => match arguments.next().as_deref() {
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
    let mut out = io::stdout().lock();
    let bytes = std::fs::metadata(WORKER)?.len();
    writeln!(out, "binary: {:.1} MB", bytes as f64 / 1e6)?;
    start::measure(&mut out)?;
    idle::measure(&mut out)?;
    let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
    let inventory = dir.path().join("connections.csv");
    generate::write(&inventory, size, Edition::First)?;
    writeln!(
        out,
        "| connections | database | rows | scan alone | whole run | ratio |\n|---|---|---|---|---|---|"
    )?;
    for &kind in kinds {
        let place = Place::new(kind).await?;
        let whole = place.configuration(&inventory)?;
        // The invitation is due, and everybody has had it.
        let text = std::fs::read_to_string(&whole)?;
        let soon = SystemClock.now().date_naive() + chrono::Days::new(200);
        let text = text.replacen("deadline = 2027-09-13 ", &format!("deadline = {soon} "), 1);
        std::fs::write(&whole, &text)?;
        let scan = whole.with_file_name("scan.toml");
        let all = "steps = [\"scan\", \"prompt\", \"remove\", \"report\"]";
        ensure!(text.contains(all), "jobs.toml has another list of steps");
        std::fs::write(&scan, text.replacen(all, "steps = [\"scan\"]", 1))?;
        run(&whole)?;
        let workplace = place.prepared(&inventory).await?;
        history::write(&workplace.store).await?;
        workplace.close().await;
        // Preparing wrote the shipped configuration once more.
        std::fs::write(&whole, &text)?;
        // Once for each, so that none of them finds its pages cold.
        run(&scan)?;
        run(&whole)?;
        let mut line = |rows: &str, scans: &mut [Duration], wholes: &mut [Duration]| {
            let (scan, whole) = (median(scans).as_secs_f64(), median(wholes).as_secs_f64());
            let (name, ratio) = (place.kind.name(), whole / scan);
            writeln!(out, "| {size} | {name} | {rows} | {scan:.2} s | {whole:.2} s | {ratio:.2} |")
        };
        let (mut scans, mut wholes) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            scans.push(run(&scan)?.0);
            let (took, progress) = run(&whole)?;
            wholes.push(took);
            let left = [&progress["prompts_planned"], &progress["held_back"]];
            ensure!(left.iter().all(|count| **count == 0), "somebody is due: {progress}");
            ensure!(progress["connections"] == size, "not all of them: {progress}");
        }
        line("as before", &mut scans, &mut wholes)?;
        let (mut scans, mut wholes) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            // There and back, so that both read as many rows that changed.
            generate::write(&inventory, size, Edition::OnePercentChanged)?;
            scans.push(run(&scan)?.0);
            generate::write(&inventory, size, Edition::First)?;
            wholes.push(run(&whole)?.0);
        }
        line("1% changed", &mut scans, &mut wholes)?;
        place.remove().await?;
    }
    Ok(())
}

/// Runs the jobs of a configuration; how long it took from start to end, and its progress event.
fn run(config: &Path) -> Result<(Duration, Value)> {
    let mut worker = Command::new(WORKER);
    worker.args(["--log", "json", "--config"]).arg(config).arg("run-once");
    let started = Instant::now();
    let output = worker.stdout(Stdio::null()).output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "the run exited with {}: {said}", output.status);
    let last = said.lines().last().context("a run says something")?;
    Ok((took, serde_json::from_str(last)?))
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
