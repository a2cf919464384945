//! The act of a removal as a run carries it out: intent, last look, DELETE, outcome and record,
//! against a server that takes 20 ms, beside a bare client that only calls.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::Days;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::clock::{Clock, SystemClock};
use worker::config::{Config, Origin};
use worker::domain::confirmation::{Confirmation, Subject};
use worker::jobs::confirming;
use worker::jobs::progress::Unwatched;
use worker::jobs::run::{Finished, Setting};
use worker::jobs::workplace::Workplace;
use worker::simulation::xero::http::{Request, Response};
use worker::store::settings::Keys;

use crate::pg::Pg;
use crate::rate;
use crate::sink::Sink;

const REMOVALS: usize = 2000;

/// At least this share of a bare client's rate is to be reached.
const AIM: f64 = 0.8;

const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";

/// The first and the last call.
type Span = Arc<Mutex<Option<(Instant, Instant)>>>;

pub async fn bench() -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n| database | removals | worker | bare client | share |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (name, server) in [("SQLite", None), ("PostgreSQL", Some(Pg::new().await))] {
        let took = removing(server.as_ref()).await?;
        let bare = rate::bare_removals(REMOVALS).await?;
        let per_second = |took: Duration| REMOVALS as f64 / took.as_secs_f64();
        let (ours, bare) = (per_second(took), per_second(bare));
        let share = ours / bare;
        writeln!(out, "| {name} | {REMOVALS} | {ours:.0}/s | {bare:.0}/s | {share:.2} |")?;
        out.flush()?;
        ensure!(share >= AIM, "not what was aimed at");
    }
    Ok(())
}

/// From the first DELETE to the last, in a run that removes everybody.
async fn removing(server: Option<&Pg>) -> Result<Duration> {
    let dir = tempfile::Builder::new().prefix("worker-bench-").tempdir()?;
    let span = Span::default();
    let sink = Sink::start(rate::LATENCY, says(Arc::clone(&span)))?;
    fill_host(&dir.path().join("host.db")).await?;
    let url = server.map_or("sqlite://worker.db".to_owned(), Pg::url);
    let path = dir.path().join("jobs.toml");
    let text = configuration(&url, sink.url.as_str().trim_end_matches('/'))?;
    let config =
        Config::parse(&text, &Origin::file(&path)).map_err(|errors| anyhow::anyhow!("{errors}"))?;
    let keys = Keys { fingerprint: [3; 16], pseudonym: [5; 32] };
    let workplace = Workplace::real(&config, &keys).await?;
    run(&config, &workplace).await?;
    let now = SystemClock.now();
    let word =
        Confirmation { by: "bench".to_owned(), note: "a bench".to_owned(), confirmed_at: now };
    for (subject, facts) in [
        (Subject::Link, confirming::link(&config)),
        (Subject::Rehearsal, confirming::rehearsal(&config)),
    ] {
        workplace.store.confirm(subject, &facts, &word).await?;
    }
    let told = run(&config, &workplace).await?;
    let base = server.map_or("SQLite", Pg::name);
    ensure!(
        told.progress.prompts_sent == Some(REMOVALS as u64),
        "on {base}: {:?} {:?}",
        told.progress,
        told.plan.blocked_by
    );
    let due = "UPDATE prompt_connections SET removal_from = '2020-01-01T00:00:00.000000+00:00'";
    match server {
        Some(server) => server.execute(due).await,
        None => execute(&dir.path().join("worker.db"), due).await?,
    }
    let ran = run(&config, &workplace).await?;
    ensure!(
        ran.progress.removals_done == Some(REMOVALS as u64),
        "{:?} {:?}",
        ran.progress,
        ran.exit
    );
    ensure!(workplace.store.removed().await?.len() == REMOVALS, "not all were written down");
    workplace.store.close().await;
    let span = span.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) = span.context("somebody called")?;
    Ok(last - first + rate::LATENCY)
}

async fn run(config: &Config, workplace: &Workplace) -> Result<Finished> {
    let env = |name: &str| match name {
        "XERO_CLIENT_SECRET" | "LINK_SECRET" => Some(OsString::from("the secret of the bench")),
        "HOOK_SECRET" => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
        _ => None,
    };
    let cancel = CancellationToken::new();
    let setting = Setting {
        config,
        is_builtin: false,
        dry_run: false,
        clock: &SystemClock,
        env: &env,
        watcher: &Unwatched,
        cancel: &cancel,
        show_addresses: false,
        looks_ahead: true,
        until: None,
    };
    let mut random = StdRng::seed_from_u64(SystemClock.now().timestamp_micros().unsigned_abs());
    let job = config.jobs.first().context("a job")?;
    Ok(setting.run(job, workplace, &mut random).await)
}

fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128(kind << 96 | 4 << 76 | 8 << 60 | (number as u128 + 1))
}

/// Xero with its token, list and login page; the host's page; and its webhook.
fn says(span: Span) -> Arc<crate::sink::Says> {
    let entry = |number: usize| {
        json!({
            "id": id(1, number), "authEventId": id(2, number), "tenantId": id(3, number),
            "tenantType": "ORGANISATION", "tenantName": format!("Tenant {number}"),
            "createdDateUtc": "2024-07-09T23:40:30.1833130",
            "updatedDateUtc": "2025-05-15T01:35:13.8491980",
        })
    };
    // One more than the host has, so that nothing is ever empty.
    let list = Response::json(200, &Value::Array((0..=REMOVALS).map(entry).collect()));
    let token = json!({"access_token": "t", "expires_in": 1800, "token_type": "Bearer"});
    let token = Response::json(200, &token);
    Arc::new(move |request: &Request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/connect/token") => token.clone(),
        ("GET", "/connections") => list.clone(),
        ("GET", path) if path.starts_with("/identity/connect/authorize") => Response {
            headers: vec![("location", "/identity/user/login".to_owned())],
            ..Response::empty(302)
        },
        ("GET", _) => Response::empty(400),
        ("DELETE", _) => {
            let now = Instant::now();
            let mut span = span.lock().unwrap_or_else(PoisonError::into_inner);
            let first = span.map_or(now, |(first, _)| first);
            *span = Some((first, now));
            Response::empty(204)
        }
        _ => Response::empty(204),
    })
}

async fn execute(path: &Path, sql: &str) -> Result<()> {
    let mut base =
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await?;
    base.execute(AssertSqlSafe(sql.to_owned()).into_sql_str()).await?;
    Ok(base.close().await?)
}

async fn fill_host(path: &Path) -> Result<()> {
    let rows: Vec<String> = (0..REMOVALS)
        .map(|number| {
            format!(
                "('{}', '{}', 'Tenant {number}', '{}', 'person{number}@customer{number}.example', \
                 '{BROAD}')",
                id(1, number),
                id(3, number),
                id(4, number)
            )
        })
        .collect();
    execute(
        path,
        &format!(
            "CREATE TABLE inventory (connection_id text, tenant_id text, tenant_name text, \
             xero_user_id text, email text, scopes text); INSERT INTO inventory VALUES {}",
            rows.join(", ")
        ),
    )
    .await
}

fn configuration(url: &str, web: &str) -> Result<String> {
    let days = "[\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    let deadline = SystemClock.now().date_naive() + Days::new(20);
    let edits = [
        ("\"sqlite://worker.db\"", format!("{url:?}")),
        ("kind = \"csv\"", "kind = \"sql\"".to_owned()),
        (
            "path = \"examples/connections.csv\"",
            "url = \"sqlite://host.db\"\nquery = \"select * from inventory\"".to_owned(),
        ),
        ("floor = 500", "floor = 1".to_owned()),
        ("max_change_percent = 20", "max_change_percent = 100".to_owned()),
        ("deadline = 2027-09-13 ", format!("deadline = {deadline} ")),
        ("[\"mon\", \"tue\", \"wed\", \"thu\"]", days.to_owned()),
        ("hours = \"09:00-16:00\"", "hours = \"00:00-23:59\"".to_owned()),
        ("holidays = [2026-12-25, 2027-01-01]", "holidays = []".to_owned()),
        (
            "channels = [\"email\", \"webhook:product\"]\ntemplate = \"final-notice\"",
            "channels = [\"webhook:product\"]\ntemplate = \"final-notice\"".to_owned(),
        ),
        ("counts_as_notice = false", "counts_as_notice = true".to_owned()),
        ("enabled = false\nmax_per_run = 500", format!("enabled = true\nmax_per_run = {REMOVALS}")),
        ("max_per_day = 1000", format!("max_per_day = {REMOVALS}")),
        ("ramp = [25, 250, 1000]", "ramp = []".to_owned()),
        ("https://books.example/xero/reconnect?", format!("{web}/xero/reconnect?")),
        ("https://books.example/hooks/xero-campaign", format!("{web}/hook")),
        ("private = false", "private = true".to_owned()),
        ("[removal]\nenabled = false", "[removal]\nenabled = true".to_owned()),
        ("min_prompts = 3", "min_prompts = 1".to_owned()),
        ("min_notice_days = 21", "min_notice_days = 5".to_owned()),
        ("approval = \"one\"", "approval = \"none\"".to_owned()),
        (
            "max_per_run = 50\nmax_per_day = 200",
            format!("max_per_run = {REMOVALS}\nmax_per_day = {REMOVALS}"),
        ),
        ("max_percent = 5 ", "max_percent = 100 ".to_owned()),
        ("ramp = [10, 50, 200]", "ramp = []".to_owned()),
        ("https://api.xero.com", web.to_owned()),
        ("https://identity.xero.com", web.to_owned()),
        ("https://login.xero.com", web.to_owned()),
        ("calls_per_minute = 60", format!("calls_per_minute = {}", rate::CALLS_PER_MINUTE)),
    ];
    let mut text = include_str!("../../jobs.toml").to_owned();
    for (from, to) in edits {
        ensure!(text.contains(from), "jobs.toml has no {from}");
        text = text.replacen(from, &to, 1);
    }
    Ok(text)
}
