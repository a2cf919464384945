//! The dry run that the README begins with, as a process, from start to end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// How often it is run.
const RUNS: usize = 20;

/// The median time of a dry run on the shipped inventory, without a database.
pub fn median() -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    let nowhere = format!("sqlite://{}", dir.path().join("none.db").display());
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
        worker
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("WORKER_DATABASE_URL", &nowhere)
            .args(["--config", "jobs.toml", "run-once", "--dry-run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let status = worker.status()?;
        times.push(started.elapsed());
        ensure!(status.success(), "the dry run exited with {status}");
    }
    Ok(crate::median(&times))
}
