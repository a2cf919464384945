//! How long a whole campaign takes in virtual time, and what it holds: `worker simulate` on the
//! shipped configuration, with an inventory of the bench of scans, as a process of its own.
//!
//! ```text
//! cargo bench --bench simulate                 1,000 and 10,000 connections
//! cargo bench --bench simulate -- 1000 5000    others
//! ```
//!
//! Two campaigns are played each time, as the command does: one in which nobody reacts, and one
//! with customers. Beside them stands one run of the same inventory that changes nothing, so
//! that it can be told how many such runs a campaign costs.

#[path = "../scan/generate.rs"]
mod generate;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use generate::Edition;

const SIZES: [u64; 2] = [1_000, 10_000];
/// The argument that makes this program a worker that tells its memory.
const PHASE: &str = "--be-a-worker";
const MARK: &str = "peak KiB: ";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == PHASE) {
        return worker(&arguments[1..]);
    }
    match bench(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn worker(arguments: &[OsString]) -> ExitCode {
    let own = [OsString::from("worker")];
    let exit = worker::cli::main(own.into_iter().chain(arguments.iter().cloned()));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.trim().strip_suffix(" kB"));
    let _ = writeln!(io::stderr(), "\n{MARK}{}", peak.unwrap_or_default());
    ExitCode::from(exit.code())
}

fn bench(arguments: &[OsString]) -> Result<()> {
    let named = arguments.iter().filter_map(|argument| argument.to_str()?.parse().ok());
    let mut sizes: Vec<u64> = named.collect();
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let mut out = io::stdout().lock();
    writeln!(out, "| connections | two campaigns | a dry run | peak memory |\n|---|---|---|---|")?;
    for size in sizes {
        let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
        let inventory = dir.path().join("connections.csv");
        generate::write(&inventory, size, Edition::First)?;
        let shipped = include_str!("../../jobs.toml");
        let from = inventory.to_str().context("a temporary path in UTF-8")?;
        let text = shipped.replacen("examples/connections.csv", from, 1);
        std::fs::write(dir.path().join("jobs.toml"), text)?;
        let (dry, _) = run(dir.path(), &["run-once", "--dry-run"])?;
        let (took, peak) = run(dir.path(), &["simulate", "--format", "json"])?;
        writeln!(
            out,
            "| {size} | {:.1} s | {:.2} s | {:.1} MiB |",
            took.as_secs_f64(),
            dry.as_secs_f64(),
            peak as f64 / 1024.0
        )?;
        out.flush()?;
    }
    Ok(())
}

/// Runs a command of the worker; how long it took, and its peak memory in KiB.
fn run(dir: &Path, arguments: &[&str]) -> Result<(Duration, u64)> {
    let mut worker = Command::new(std::env::current_exe()?);
    worker.current_dir(dir).arg(PHASE).args(["--log-level", "error"]).args(arguments);
    let started = Instant::now();
    let output = worker.stdout(Stdio::null()).output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{arguments:?} exited with {}: {said}", output.status);
    let peak = said.lines().find_map(|line| line.strip_prefix(MARK));
    Ok((took, peak.context("the worker does not tell its memory")?.parse()?))
}
