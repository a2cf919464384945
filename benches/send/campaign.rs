//! A campaign of the bench's own, and the worker that carries it out.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::Days;
use serde_json::Value;
use worker::clock::{Clock, SystemClock};
use worker::config::{Config, Origin};
use worker::jobs::workplace::database;

use crate::pg::Pg;
use crate::sinks::Sinks;

/// The argument that makes this program a worker.
pub const PHASE: &str = "--be-a-worker";
/// Prompts in flight.
pub const IN_FLIGHT: usize = 8;
pub const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const MARK: &str = "peak KiB: ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Mail,
    Webhook,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "SMTP",
            Self::Webhook => "webhook",
        }
    }
}

/// How a run went.
pub struct Run {
    pub took: Duration,
    pub peak_kib: u64,
}

pub struct Campaign {
    dir: tempfile::TempDir,
    digests: usize,
    server: Option<Pg>,
}

/// Does what the worker's command line says, then tells how much memory the process had.
pub fn worker(arguments: &[OsString]) -> ExitCode {
    let own = [OsStr::new("worker").to_owned()];
    let exit = worker::cli::main(own.into_iter().chain(arguments.iter().cloned()));
    let peak = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let _ = writeln!(io::stdout(), "\n{MARK}{}", peak.unwrap_or_default());
    ExitCode::from(exit.code())
}

impl Campaign {
    /// Scanned, confirmed, and due: the next run sends.
    pub async fn prepare(kind: Kind, way: Way, digests: usize, sinks: &Sinks) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Pg::new().await),
        };
        let url = server.as_ref().map_or("sqlite://worker.db".to_owned(), Pg::url);
        let text = configuration(&url, way, digests, sinks)?;
        std::fs::write(dir.path().join("jobs.toml"), text)?;
        std::fs::write(dir.path().join("connections.csv"), inventory(digests))?;
        let campaign = Self { dir, digests, server };
        campaign.run(&["run-once"])?;
        campaign.run(&["confirm", "link", "--by", "bench", "--note", "a bench"])?;
        Ok(campaign)
    }

    fn run(&self, arguments: &[&str]) -> Result<(String, u64)> {
        self.ended(self.start(arguments)?)
    }

    fn start(&self, arguments: &[&str]) -> Result<Child> {
        Ok(Command::new(std::env::current_exe()?)
            .args([PHASE, "--log", "json", "--log-level", "warn", "--config"])
            .arg(self.configuration())
            .args(arguments)
            .env("LINK_SECRET", "the link secret of the bench")
            .env("HOOK_SECRET", HOOK_SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?)
    }

    fn ended(&self, child: Child) -> Result<(String, u64)> {
        let output = child.wait_with_output()?;
        let base = self.server.as_ref().map_or("SQLite", Pg::name);
        let status = output.status;
        let log = || String::from_utf8_lossy(&output.stderr);
        ensure!(status.success(), "a worker on {base} exited with {status}:\n{}", log());
        let said = String::from_utf8(output.stdout)?;
        let peak = said.lines().find_map(|line| line.strip_prefix(MARK));
        Ok((said.clone(), peak.context("the worker does not tell its memory")?.parse()?))
    }

    fn configuration(&self) -> PathBuf {
        self.dir.path().join("jobs.toml")
    }

    /// Sends, by so many processes at the same time, and every record must be written. The time
    /// is that of the longest run; those that follow find nothing to do.
    pub async fn send(&self, workers: usize) -> Result<Run> {
        let started: Vec<Child> = (0..workers)
            .map(|_| self.start(&["run-once", "--format", "json"]))
            .collect::<Result<_>>()?;
        let (mut sent, mut took, mut peak_kib) = (0, 0, 0);
        for child in started {
            let (said, peak) = self.ended(child)?;
            let plan: Value = serde_json::from_str(said.lines().next().unwrap_or_default())?;
            let progress = &plan["progress"];
            sent += progress["prompts_sent"].as_u64().context("a number")?;
            took = took.max(progress["duration_ms"].as_u64().context("a duration")?);
            peak_kib = peak_kib.max(peak);
        }
        ensure!(sent == self.digests as u64, "{sent} were sent");
        let text = std::fs::read_to_string(self.configuration())?;
        let config = Config::parse(&text, &Origin::file(&self.configuration()))
            .map_err(|errors| anyhow::anyhow!("{errors}"))?;
        let store = database(&config)?.open_existing().await?;
        let stages = store.prompts_by_stage().await?;
        store.close().await;
        let sent: i64 = stages.values().filter_map(|states| states.get("sent")).sum();
        ensure!(sent == self.digests as i64, "{stages:?}");
        Ok(Run { took: Duration::from_millis(took), peak_kib })
    }
}

fn configuration(url: &str, way: Way, digests: usize, sinks: &Sinks) -> Result<String> {
    let web = format!("http://127.0.0.1:{}", sinks.http_port);
    let channel = match way {
        Way::Mail => "email",
        Way::Webhook => "webhook:product",
    };
    let deadline = SystemClock.now().date_naive() + Days::new(100);
    let due = "days_before = 150\nchannels = [\"email\"]";
    let edits = [
        ("sqlite://worker.db", url.to_owned()),
        ("examples/connections.csv", "connections.csv".to_owned()),
        ("floor = 500", "floor = 1".to_owned()),
        ("deadline = 2027-09-13 ", format!("deadline = {deadline} ")),
        ("working_days = [\"mon\", \"tue\", \"wed\", \"thu\"]", working_days()),
        ("hours = \"09:00-16:00\"", "hours = \"00:00-23:59\"".to_owned()),
        (due, due.replace("email", channel)),
        ("enabled = false\nmax_per_run = 500", format!("enabled = true\nmax_per_run = {digests}")),
        ("max_per_day = 1000", format!("max_per_day = {digests}")),
        ("ramp = [25, 250, 1000]", "ramp = []".to_owned()),
        ("host = \"smtp.example\"", "host = \"localhost\"".to_owned()),
        ("port = 587", format!("port = {}", sinks.smtp_port)),
        ("tls = \"starttls\"", "tls = \"none\"".to_owned()),
        ("username = \"u\"\n", String::new()),
        ("password = { file = \"/run/secrets/smtp\" }\n", String::new()),
        ("max_per_minute = 300", "max_per_minute = 600000".to_owned()),
        ("connections = 4 ", format!("connections = {IN_FLIGHT} ")),
        ("https://books.example/xero/reconnect?", format!("{web}/xero/reconnect?")),
        ("https://books.example/hooks/xero-campaign", format!("{web}/hook")),
        ("https://login.xero.com", web),
        ("private = false", "private = true".to_owned()),
    ];
    let mut text = include_str!("../../jobs.toml").to_owned();
    for (from, to) in edits {
        ensure!(text.contains(from), "jobs.toml has no {from}");
        text = text.replacen(from, &to, 1);
    }
    Ok(text)
}

fn working_days() -> String {
    "working_days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]".to_owned()
}

/// One connection for each person.
fn inventory(digests: usize) -> String {
    let mut text = String::from("tenant_id,connection_id,xero_user_id,email,tenant_name,scopes\n");
    let id =
        |kind: u128, number: usize| uuid::Uuid::from_u128(kind << 96 | 4 << 76 | number as u128);
    for number in 0..digests {
        text.push_str(&format!(
            "{},{},{},person{number}@customer{number}.example,Customer {number} Limited,\
             offline_access accounting.transactions accounting.settings\n",
            id(1, number),
            id(2, number),
            id(3, number),
        ));
    }
    text
}
