//! From the start of the process to the first thing that a run does, on an SQLite database that
//! is there: its first log line after the database was opened, and the end of a small run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{WORKER, median};

/// How often it is started.
const RUNS: usize = 20;

pub fn measure(out: &mut dyn Write) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let database = format!("sqlite://{}", dir.path().join("worker.db").display());
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    // The first makes the database.
    for number in 0..=RUNS {
        let (first, last) = once(&database)?;
        if number > 0 {
            begun.push(first);
            ended.push(last);
        }
    }
    writeln!(
        out,
        "start to first work: {} ms (median of {RUNS}); a whole run over the example: {} ms",
        median(&mut begun).as_millis(),
        median(&mut ended).as_millis()
    )?;
    Ok(())
}

fn once(database: &str) -> Result<(Duration, Duration)> {
    let mut worker = Command::new(WORKER);
    worker
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("WORKER_DATABASE_URL", database)
        .args(["--config", "jobs.toml", "--log", "json", "run-once"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut worker = worker.spawn()?;
    let mut lines = BufReader::new(worker.stderr.take().context("a pipe")?).lines();
    lines.next().context("a run says something")??;
    let begun = started.elapsed();
    for line in lines {
        line?;
    }
    let status = worker.wait()?;
    ensure!(status.success(), "the run exited with {status}");
    Ok((begun, started.elapsed()))
}
