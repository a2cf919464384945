//! Ten minutes of virtual time: how much of the allowed calls is used, and whether any is one
//! too many.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use uuid::Uuid;
use worker::clock::{Clock, VirtualClock};
use worker::domain::ids::ConnectionId;
use worker::domain::scopes::ScopeSet;
use worker::simulation::xero::http::{Reaction, Response};
use worker::simulation::xero::{App, Xero};
use worker::xero::client::{Client, Limits, Settings};
use worker::xero::connections::{Answer, Connections};
use worker::xero::limits::{Bucket, Pace, Turn};

use crate::sink::Sink;

const MINUTES: i32 = 10;
const CLIENT_ID: &str = "bench";

/// At least this share of the calls is to be used.
const AIM: f64 = 0.98;

pub async fn bench() -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "| calls a minute | allowed in {MINUTES} minutes | made | share | refused |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for per_minute in [1u32, 10, 60, 600] {
        let (made, refused) = ten_minutes(per_minute).await?;
        let allowed = f64::from(per_minute) * f64::from(MINUTES);
        let share = made as f64 / allowed;
        writeln!(out, "| {per_minute} | {allowed} | {made} | {share:.3} | {refused} |")?;
        ensure!(refused == 0 && share >= AIM, "not what was aimed at");
    }
    writeln!(out)?;
    Ok(())
}

/// The pace of the client and of whoever asks for removals.
struct Shared<'a>(&'a Bucket<'a>);

impl Pace for Shared<'_> {
    fn turn(&self) -> Answer<'_, Turn> {
        self.0.turn()
    }

    fn hold(&self, until: DateTime<Utc>) -> Answer<'_, ()> {
        self.0.hold(until)
    }
}

/// Calls that were made, and of these the refused.
async fn ten_minutes(per_minute: u32) -> Result<(u64, u64)> {
    let start = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap_or_default();
    let clock = Arc::new(VirtualClock::at(start));
    let mut xero = Xero::new(1);
    xero.register(App {
        client_id: CLIENT_ID.to_owned(),
        secret: Some("secret".to_owned()),
        redirect_uri: String::new(),
        scopes: ScopeSet::EMPTY,
        manages_connections: true,
        cap: None,
    });
    xero.limiter.per_minute = usize::try_from(per_minute).ok();
    let xero = Arc::new(Mutex::new(xero));
    let (model, time) = (Arc::clone(&xero), Arc::clone(&clock));
    let says = move |request: &_| {
        let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
        match model.react(time.now(), request) {
            Reaction::Answer(response) => response,
            _ => Response::empty(500),
        }
    };
    let sink = Sink::start(Duration::ZERO, Arc::new(says))?;
    let settings = Settings {
        api: sink.url.clone(),
        identity: sink.url.clone(),
        client_id: CLIENT_ID.to_owned(),
        roots: None,
        calls_per_minute: per_minute,
        limits: Limits::default(),
    };
    let bucket = Bucket::new(per_minute, &*clock);
    let secret = || Ok(SecretString::from("secret"));
    let client = Client::new(&settings, Box::new(secret), Box::new(Shared(&bucket)), &*clock)?;
    let end = start + TimeDelta::minutes(1) * MINUTES;
    // Answers take no virtual time, so one caller is as busy as five.
    let id = ConnectionId(Uuid::from_u128(1));
    while clock.now() < end {
        client.list().await?;
        // As a removal does, whose turn is counted with its intent.
        while let Turn::NotBefore(at) = bucket.turn().await? {
            clock.sleep(at - clock.now()).await;
        }
        client.delete(id).await?;
    }
    let model = xero.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = model.counts();
    // The last round ends after the ten minutes.
    let late = model.limiter.taken_since(end);
    Ok((counts.token + counts.list + counts.delete - late as u64, model.limiter.refused()))
}
