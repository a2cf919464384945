//! What metrics tell of a campaign, gathered from the database.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::calendar::days_to_deadline;
use crate::report::metrics::{LastRun, Snapshot};
use crate::report::progress::ready_percent;
use crate::store::runs::JobRuns;
use crate::store::{self, Store};

use super::weather::ahead;

/// Everything, or as far as it goes without a database.
pub async fn snapshot(store: Option<&Store>, config: &Config, clock: &dyn Clock) -> Snapshot {
    let mut snapshot = Snapshot {
        connection_cap: config.app.connection_cap.map(u64::from),
        days_to_deadline: Some(days_to_deadline(&config.campaign, clock.now())),
        prompts_per_day: config.prompts.max_per_day.map(u64::from),
        memory_bytes: resident_bytes(),
        ..Snapshot::default()
    };
    if let Some(store) = store
        && let Err(error) = fill(&mut snapshot, store, config, clock).await
    {
        tracing::debug!("no metrics from the database: {error}");
        snapshot.database_up = false;
    }
    snapshot
}

async fn fill(
    snapshot: &mut Snapshot,
    store: &Store,
    config: &Config,
    clock: &dyn Clock,
) -> Result<(), store::Error> {
    let ahead = ahead(store, clock).await?;
    snapshot.clock_difference_s = Some(ahead.num_milliseconds() as f64 / 1000.0);
    if let Some(last) = store.last_complete_scan().await? {
        let tally = store.tally().await?;
        snapshot.last_scan_at = Some(last.finished_at);
        snapshot.ready_percent = ready_percent(&tally);
        snapshot.tally = Some(tally);
    }
    snapshot.paused = Some(store.pause_in_force().await?.is_some());
    snapshot.prompts = store.prompts_by_stage().await?;
    let day = clock.now().with_timezone(&config.campaign.zone).date_naive();
    snapshot.prompts_today = Some(store.prompt_usage(day).await?.all_today());
    snapshot.failing_webhooks = u64::try_from(store.failing_endpoints().await?.len()).ok();
    let mut latest = None;
    let mut runs = BTreeMap::new();
    for (job, known) in store.last_runs().await? {
        let progress = known.progress.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let progress: serde_json::Value = progress.unwrap_or_default();
        latest = latest.max(Some((known.finished_at, job.clone())));
        runs.insert(job, (last_run(&known, &progress), progress));
    }
    if let Some((_, progress)) = latest.and_then(|(_, job)| runs.get(&job)) {
        snapshot.on_track = progress["on_track"].as_bool();
        snapshot.projected_ready_percent = progress["projected_ready_percent"].as_f64();
    }
    snapshot.runs = runs.into_iter().map(|(job, (run, _))| (job, run)).collect();
    snapshot.database_up = true;
    Ok(())
}

fn last_run(known: &JobRuns, progress: &serde_json::Value) -> LastRun {
    LastRun {
        finished_at: known.finished_at,
        done_at: known.done_at,
        exit_code: known.exit_code,
        duration_s: progress["duration_ms"].as_f64().map(|millis| millis / 1000.0),
        failures: progress["failures"].as_u64(),
        held_back: progress["held_back"].as_u64(),
    }
}

/// What the kernel says; nothing on systems that do not say.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Leaves a text where a node exporter looks: whole, since it may look at any moment.
///
/// # Errors
/// It cannot be written there.
pub fn leave(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    // The exporter runs as somebody else.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
