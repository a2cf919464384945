//! `worker run` between two fires: the memory that it holds, and the processor time it takes.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::WORKER;

/// Until it has begun, and how long it is watched then.
const SETTLE: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(60);

pub fn measure(out: &mut dyn Write) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let config = include_str!("../../jobs.toml")
        .replacen(
            "examples/connections.csv",
            concat!(env!("CARGO_MANIFEST_DIR"), "/examples/connections.csv"),
            1,
        )
        .replacen("\"17 * * * *\"", "\"0 22 * * mon\"", 1)
        .replacen("127.0.0.1:9464", "127.0.0.1:0", 1);
    std::fs::write(dir.path().join("jobs.toml"), config)?;
    let mut command = Command::new(WORKER);
    command.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command.arg("run");
    let mut worker = command.spawn()?;
    let watched = watch(worker.id());
    worker.kill()?;
    worker.wait()?;
    let (kib, ticks) = watched?;
    // A tick of /proc is a hundredth of a second on every Linux that Rust runs on.
    writeln!(
        out,
        "idle: {:.1} MiB, {} ms of processor time in {} s",
        kib as f64 / 1024.0,
        ticks * 10,
        WATCHED.as_secs()
    )?;
    Ok(())
}

fn watch(pid: u32) -> Result<(u64, u64)> {
    std::thread::sleep(SETTLE);
    let before = ticks(pid)?;
    std::thread::sleep(WATCHED);
    let spent = ticks(pid)? - before;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let held = held.and_then(|held| held.trim().strip_suffix(" kB"));
    Ok((held.context("/proc tells the memory")?.trim().parse()?, spent))
}

/// Processor time in user and kernel mode: the 14th and 15th field of /proc/PID/stat.
fn ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("worker run has ended by itself")?;
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |at: usize| -> Result<u64> { Ok(fields.get(at).context("15 fields")?.parse()?) };
    Ok(field(11)? + field(12)?)
}
