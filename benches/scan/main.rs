//! How fast a scan is, beside what it cannot do without (the floor) and beside a plain
//! Python script. One command, everything made by itself:
//!
//! ```text
//! cargo bench --bench scan                                 all sizes, both databases
//! cargo bench --bench scan -- 100000 --store sqlite        some
//! ```
//!
//! A size is measured three times and the median shown, a million once. Times are of the
//! scan alone, on an open database whose schema is there, in this one process; the script
//! is a process of its own. The peak memory is of `worker run-once` as a whole, in a fresh
//! process for each scan (docs/speed.md).

mod dry_run;
mod floor;
mod floor_postgres;
mod floor_sqlite;
mod generate;
mod memory;
#[path = "../../tests/it/support/pg.rs"]
mod pg;
mod place;
mod script;
#[path = "../../tests/it/support/server.rs"]
mod server;
mod table;
mod work;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use generate::Edition;
use place::{Kind, Place};
use table::Line;

const SIZES: &[u64] = &[10_000, 100_000, 1_000_000];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [phase, config] = arguments.as_slice()
        && phase == memory::PHASE
    {
        return memory::scan(config);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let (sizes, kinds) = wanted(&arguments)?;
        runtime.block_on(bench(&sizes, &kinds))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(arguments: &[OsString]) -> Result<(Vec<u64>, Vec<Kind>)> {
    let (mut sizes, mut kinds) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        match argument {
            "--bench" => {} // cargo's own
            "--store" => match arguments.next() {
                Some("sqlite") => kinds.push(Kind::Sqlite),
                Some("postgres") => kinds.push(Kind::Postgres),
                _ => bail!("--store sqlite or --store postgres"),
            },
            size => sizes.push(size.parse().with_context(|| format!("{size:?} is no size"))?),
        }
    }
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    if kinds.is_empty() {
        kinds = vec![Kind::Sqlite, Kind::Postgres];
    }
    Ok((sizes, kinds))
}

async fn bench(sizes: &[u64], kinds: &[Kind]) -> Result<()> {
    let mut lines = Vec::new();
    for &size in sizes {
        let files = Files::of(size)?;
        for &kind in kinds {
            let _ = writeln!(io::stderr(), "{size} connections, {}", kind.name());
            lines.push(line(size, kind, &files).await?);
        }
    }
    let dry_run = dry_run::median()?;
    let mut out = io::stdout().lock();
    table::write(&mut out, &lines, dry_run)?;
    Ok(())
}

/// The inventories of one size.
struct Files {
    _dir: tempfile::TempDir,
    first: std::path::PathBuf,
    changed: std::path::PathBuf,
}

impl Files {
    fn of(size: u64) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
        let (first, changed) = (dir.path().join("first.csv"), dir.path().join("changed.csv"));
        generate::write(&first, size, Edition::First)?;
        generate::write(&changed, size, Edition::OnePercentChanged)?;
        Ok(Self { _dir: dir, first, changed })
    }
}

async fn line(size: u64, kind: Kind, files: &Files) -> Result<Line> {
    let runs = if size > 100_000 { 1 } else { 3 };
    let mut line = Line::new(size, kind);
    for _ in 0..runs {
        let floor = Place::new(kind).await?;
        let store = floor.prepared(&files.first).await?.store;
        let started = Instant::now();
        floor::load(&store, &files.first).await?;
        line.floor.push(started.elapsed());
        store.close().await;
        floor.remove().await?;

        let real = Place::new(kind).await?;
        line.first.push(work::scan(&real, &files.first, size).await?);
        let store = real.prepared(&files.first).await?.store;
        let started = Instant::now();
        let (read, stored) = floor::reread(&store, &files.first).await?;
        line.reread.push(started.elapsed());
        anyhow::ensure!(read == size && stored as u64 == size, "{read} rows, {stored} stored");
        store.close().await;
        line.unchanged.push(work::scan(&real, &files.first, size).await?);
        line.changed.push(work::scan(&real, &files.changed, size).await?);
        real.remove().await?;

        let other = Place::new(kind).await?;
        line.script.push(script::run(&other, &files.first)?);
        other.remove().await?;
    }
    let measured = Place::new(kind).await?;
    for file in [&files.first, &files.first, &files.changed] {
        line.memory.push(memory::of_scan(&measured, file)?);
    }
    measured.remove().await?;
    Ok(line)
}

/// The middle one.
fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
