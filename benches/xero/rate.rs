//! Real time and sockets: the client beside a bare one. What a removal writes down before and
//! after each call is not in it (`act`).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use worker::clock::SystemClock;
use worker::domain::ids::ConnectionId;
use worker::simulation::xero::http::{Request, Response};
use worker::xero::client::{Client, Limits, Settings};
use worker::xero::connections::Connections;
use worker::xero::limits::Bucket;

use crate::sink::Sink;

pub const LATENCY: Duration = Duration::from_millis(20);
const IN_FLIGHT: usize = 5;

/// More than either client can make.
pub const CALLS_PER_MINUTE: u32 = 1_000_000;

#[derive(Clone, Copy)]
enum What {
    Removals,
    Lists(usize),
}

pub async fn bench() -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "| calls | number | client | bare client | share |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (what, count) in
        [(What::Removals, 2000), (What::Lists(50), 1000), (What::Lists(10_000), 100)]
    {
        let sink = Sink::start(LATENCY, says(what))?;
        let (mut ours, mut bare) = (Duration::MAX, Duration::MAX);
        // The better of three, in turn, so that a busy moment hits neither alone.
        for _ in 0..3 {
            ours = ours.min(with_client(what, count, &sink).await?);
            bare = bare.min(without(what, count, &sink).await?);
        }
        let rate = |took: Duration| count as f64 / took.as_secs_f64();
        let name = match what {
            What::Removals => "removals".to_owned(),
            What::Lists(size) => format!("lists of {size}"),
        };
        let (ours, bare) = (rate(ours), rate(bare));
        writeln!(out, "| {name} | {count} | {ours:.0}/s | {bare:.0}/s | {:.2} |", ours / bare)?;
        out.flush()?;
    }
    Ok(())
}

/// So many by a bare client.
pub async fn bare_removals(count: usize) -> Result<Duration> {
    let sink = Sink::start(LATENCY, says(What::Removals))?;
    let first = without(What::Removals, count, &sink).await?;
    Ok(first.min(without(What::Removals, count, &sink).await?))
}

fn says(what: What) -> Arc<crate::sink::Says> {
    let size = match what {
        What::Removals => 0,
        What::Lists(size) => size,
    };
    let entry = |number: usize| {
        let id = |kind: u128| Uuid::from_u128((kind << 64) + number as u128 + 1);
        json!({
            "id": id(1), "authEventId": id(2), "tenantId": id(3), "tenantType": "ORGANISATION",
            "tenantName": format!("Tenant {number}"),
            "createdDateUtc": "2024-07-09T23:40:30.1833130",
            "updatedDateUtc": "2026-05-15T01:35:13.8491980",
        })
    };
    let list = Response::json(200, &Value::Array((0..size).map(entry).collect()));
    let token = json!({"access_token": "t", "expires_in": 1800, "token_type": "Bearer"});
    let token = Response::json(200, &token);
    Arc::new(move |request: &Request| match request.method.as_str() {
        "POST" => token.clone(),
        "GET" => list.clone(),
        _ => Response::empty(204),
    })
}

async fn with_client(what: What, count: usize, sink: &Sink) -> Result<Duration> {
    let settings = Settings {
        api: sink.url.clone(),
        identity: sink.url.clone(),
        client_id: "bench".to_owned(),
        roots: None,
        calls_per_minute: CALLS_PER_MINUTE,
        limits: Limits::default(),
    };
    let pace = Bucket::new(CALLS_PER_MINUTE, &SystemClock);
    let secret = || Ok(SecretString::from("secret"));
    let client = Client::new(&settings, Box::new(secret), Box::new(pace), &SystemClock)?;
    let left = AtomicUsize::new(count);
    let started = Instant::now();
    let callers = (0..IN_FLIGHT).map(|_| async {
        while let Some(number) = next(&left) {
            match what {
                What::Removals => {
                    client.delete(ConnectionId(Uuid::from_u128(number as u128))).await?;
                }
                What::Lists(size) => {
                    let listing = client.list().await?;
                    ensure!(listing.connections.len() == size, "a short list");
                }
            }
        }
        Ok(())
    });
    try_join_all(callers).await?;
    Ok(started.elapsed())
}

async fn without(what: What, count: usize, sink: &Sink) -> Result<Duration> {
    let client = worker::web::client(Duration::from_secs(60), Vec::new())?;
    let left = AtomicUsize::new(count);
    let started = Instant::now();
    let callers = (0..IN_FLIGHT).map(|_| async {
        while let Some(number) = next(&left) {
            let (method, path) = match what {
                What::Removals => {
                    (Method::DELETE, format!("connections/{}", Uuid::from_u128(number as u128)))
                }
                What::Lists(_) => (Method::GET, "connections".to_owned()),
            };
            let url: Url = sink.url.join(&path)?;
            let answer = client.request(method, url).bearer_auth("t").send().await?;
            ensure!(answer.status().is_success(), "{}", answer.status());
            answer.bytes().await?;
        }
        Ok(())
    });
    try_join_all(callers).await?;
    Ok(started.elapsed())
}

/// The number of one that is left.
fn next(left: &AtomicUsize) -> Option<usize> {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()
}
