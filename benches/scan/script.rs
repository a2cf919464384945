//! The plain script, as a process of its own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::place::{Kind, Place};

/// How long `script.py` takes for a file, from start to end.
pub fn run(place: &Place, inventory: &Path) -> Result<Duration> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scan/script.py");
    let mut python = Command::new("python3");
    python.arg(script);
    match place.kind {
        Kind::Sqlite => python.arg("sqlite").arg(place.file()),
        Kind::Postgres => python.arg("postgres").arg(place.url()),
    };
    let started = Instant::now();
    let status = python.arg(inventory).status().context("python3 is needed for the script")?;
    let took = started.elapsed();
    ensure!(status.success(), "the script exited with {status}");
    Ok(took)
}
