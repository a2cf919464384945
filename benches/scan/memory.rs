//! The most memory that a scan ever holds: `worker run-once` in a process of its own, which
//! is this program called with [`PHASE`], so that it can ask the kernel at its end.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::place::Place;

/// The argument that makes this program a worker.
pub const PHASE: &str = "--scan-and-tell-memory";

const MARK: &str = "peak KiB: ";

/// Runs the worker's main function, then says how much memory the process had at most.
pub fn scan(config: &OsStr) -> ExitCode {
    let arguments = ["worker", "--log", "json", "--log-level", "warn", "--config"];
    let arguments = arguments.map(OsStr::new).into_iter().chain([config, OsStr::new("run-once")]);
    let exit = worker::cli::main(arguments.map(OsStr::to_owned));
    let peak = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| status.lines().find_map(|line| line.strip_prefix("VmHWM:").map(kib)));
    let _ = writeln!(io::stdout(), "\n{MARK}{}", peak.flatten().unwrap_or_default());
    ExitCode::from(exit.code())
}

fn kib(value: &str) -> Option<u64> {
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// The peak of one scan, in KiB.
pub fn of_scan(place: &Place, inventory: &Path) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .arg(PHASE)
        .arg(place.configuration(inventory)?)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the scan exited with {}", output.status);
    let said = String::from_utf8(output.stdout)?;
    let peak = said.lines().find_map(|line| line.strip_prefix(MARK));
    let peak: u64 = peak.context("the scan does not tell its memory")?.parse()?;
    ensure!(peak > 0, "/proc/self/status does not tell the memory");
    Ok(peak)
}
