//! The scan itself, as a run does it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::{DateTime, TimeDelta};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::inventory::Rules;
use worker::jobs::progress::Unwatched;
use worker::jobs::scan::Scan;

use crate::place::Place;

/// Scans a file into a place and tells how long that took.
pub async fn scan(place: &Place, inventory: &Path, size: u64) -> Result<Duration> {
    let config = place.config(inventory)?;
    let workplace = place.prepared(inventory).await?;
    let rules = Rules { client_id: config.app.client_id.clone(), ignore_refresh_tokens: false };
    let last = workplace.store.last_complete_scan().await?;
    let now = last.map_or(DateTime::UNIX_EPOCH + TimeDelta::days(20_000), |last| {
        last.finished_at + TimeDelta::hours(1)
    });
    let id = Uuid::from_u64_pair(now.timestamp().unsigned_abs(), 1);
    let scan = Scan {
        store: &workplace.store,
        keys: &workplace.keys,
        rules: &rules,
        required: config.campaign.required,
        app_flow: config.app.flow,
        has_list: false,
        limits: config.guard,
        now,
        run_id: id,
        scan_id: id,
        watcher: &Unwatched,
        cancel: &CancellationToken::new(),
    };
    let started = Instant::now();
    let reader = workplace.inventory(&config, false, &|_| None).await?;
    let summary = scan.run(reader).await?;
    let took = started.elapsed();
    let found = summary.tally.connections;
    ensure!(summary.is_in_force() && found == size, "{found} of {size} connections in force");
    workplace.close().await;
    Ok(took)
}
