//! How fast prompts go out, beside a bare sender: the same messages over the same sockets,
//! with nothing read, decided or written down. One command, everything made by itself:
//!
//! ```text
//! cargo bench --bench send                                 10,000 digests, both databases
//! cargo bench --bench send -- 2000 --store sqlite --way webhook    fewer, one
//! cargo bench --bench send -- 20000 --store postgres --way webhook --workers 2    two at a time
//! ```
//!
//! The sinks run in this process and take 20 ms for each answer; eight prompts are in flight.
//! The worker is a process of its own: its time is that of a whole `run-once`, which looks at
//! the inventory again, plans, checks and sends (docs/speed.md).

mod bare;
mod campaign;
#[path = "../../tests/it/support/pg.rs"]
mod pg;
#[path = "../../tests/it/support/server.rs"]
mod server;
mod sinks;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use campaign::{Campaign, Kind, Way};
use sinks::Sinks;

/// Digests, and a fifth of them: memory that grows with their number shows as a difference.
const DIGESTS: usize = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some((phase, rest)) = arguments.split_first()
        && phase == campaign::PHASE
    {
        return campaign::worker(rest);
    }
    worker::web::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let wanted = wanted(&arguments)?;
        runtime.block_on(bench(&wanted))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// What is measured.
struct Wanted {
    digests: usize,
    kinds: Vec<Kind>,
    ways: Vec<Way>,
    /// Processes that send at the same time.
    workers: usize,
}

fn wanted(arguments: &[OsString]) -> Result<Wanted> {
    let (mut digests, mut kinds, mut ways) = (DIGESTS, Vec::new(), Vec::new());
    let mut workers = 1;
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        match argument {
            "--bench" => {} // cargo's own
            "--store" => match arguments.next() {
                Some("sqlite") => kinds.push(Kind::Sqlite),
                Some("postgres") => kinds.push(Kind::Postgres),
                _ => bail!("--store sqlite or --store postgres"),
            },
            "--way" => match arguments.next() {
                Some("webhook") => ways.push(Way::Webhook),
                Some("mail") => ways.push(Way::Mail),
                _ => bail!("--way webhook or --way mail"),
            },
            "--workers" => {
                let count = arguments.next().and_then(|count| count.parse().ok());
                workers = count.context("--workers and a number")?;
            }
            size => digests = size.parse().with_context(|| format!("{size:?} is no number"))?,
        }
    }
    if kinds.is_empty() {
        kinds = vec![Kind::Sqlite, Kind::Postgres];
    }
    if ways.is_empty() {
        ways = vec![Way::Webhook, Way::Mail];
    }
    Ok(Wanted { digests, kinds, ways, workers })
}

async fn bench(wanted: &Wanted) -> Result<()> {
    let Wanted { digests, kinds, ways, workers } = wanted;
    let mut out = io::stdout().lock();
    writeln!(out, "| way | database | digests | worker | bare sender | share | peak memory |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for &way in ways {
        for &kind in kinds {
            for digests in [digests / 5, *digests] {
                let sinks = Sinks::start()?;
                let campaign = Campaign::prepare(kind, way, digests, &sinks).await?;
                let run = campaign.send(*workers).await?;
                let sent = sinks.taken();
                ensure!(sent == digests, "{sent} of {digests} arrived");
                let bare = bare::send(way, digests, &sinks).await?;
                let rate = |took: std::time::Duration| digests as f64 / took.as_secs_f64();
                writeln!(
                    out,
                    "| {} | {} | {digests} | {:.0}/s | {:.0}/s | {:.2} | {:.1} MiB |",
                    way.name(),
                    kind.name(),
                    rate(run.took),
                    rate(bare),
                    rate(run.took) / rate(bare),
                    run.peak_kib as f64 / 1024.0,
                )?;
                out.flush()?;
            }
        }
    }
    Ok(())
}
