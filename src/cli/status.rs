//! `worker status`

use std::io::{self, Write};

use crate::domain::calendar::days_to_deadline;
use crate::domain::decide::Rules;
use crate::jobs::bearings::Bearings;
use crate::jobs::exit::Exit;
use crate::jobs::planning::Planning;
use crate::jobs::progress::Unwatched;
use crate::report::plan_text;
use crate::report::progress::Progress;
use crate::store::pauses::Pause;
use crate::store::runs::RunRecord;

use super::context::{Context, Trouble};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, _) = context.existing(config).await?;
    let now = context.now();
    let last = store.last_complete_scan().await?;
    let runs = store.latest_runs(5).await?;
    let pause = store.pause_in_force().await?;
    let mut progress = Progress {
        days_to_deadline: Some(days_to_deadline(&config.campaign, now)),
        ..Progress::default()
    };
    if let Some(last) = &last {
        let tally = store.tally().await?;
        progress.count(&tally);
        progress.bad_rows = u64::try_from(last.bad_rows).ok();
        let bearings = Bearings::take(&store, now).await?;
        let planning = Planning {
            store: &store,
            rules: Rules { removal: None, ..bearings.rules(config) },
            edition: bearings.edition,
            prompts: false,
            removals: false,
            present: tally.connections,
            watcher: &Unwatched,
            cancel: &tokio_util::sync::CancellationToken::new(),
        };
        let planned = planning.run().await.map_err(|error| Trouble::Failure(error.into()))?;
        progress.exempt = Some(planned.exempt);
    }
    store.close().await;
    let mut out = io::stdout().lock();
    let next = config.campaign.next_stage(now);
    let due = config.campaign.due_stages(now).first().copied();
    match arguments.format {
        Format::Json => {
            let mut standing = progress.fields();
            for of_a_run in ["run_id", "job", "dry_run", "duration_ms"] {
                standing.shift_remove(of_a_run);
            }
            let document = serde_json::json!({
                "app": {"name": config.app.name, "client_id": config.app.client_id},
                "deadline": config.campaign.deadline,
                "paused": pause,
                "last_scan_at": last.as_ref().map(|last| last.finished_at),
                "standing": standing,
                "stage_due": due.map(|stage| &stage.name),
                "next_stage": next.map(|stage| serde_json::json!({
                    "name": stage.name, "opens_at": config.campaign.opens(stage),
                })),
                "runs": runs.iter().map(run_json).collect::<Vec<_>>(),
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => {
            writeln!(out, "{}", config.app.name)?;
            plan_text::standing(&config.campaign, &progress, &mut out)?;
            let zone = config.campaign.zone;
            if let Some(pause) = &pause {
                let since = pause.paused_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
                let Pause { by, reason, .. } = pause;
                writeln!(out, "  paused since {since} by {by}: {reason}")?;
            }
            if let Some(last) = &last {
                let at = last.finished_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
                writeln!(out, "  last complete scan {at} ({})", zone.name())?;
            }
            match due {
                Some(stage) => writeln!(out, "  stage {} is due", stage.name)?,
                None => writeln!(out, "  no stage is due")?,
            }
            if let Some(stage) = next {
                let opens = config.campaign.opens(stage).with_timezone(&zone).format("%Y-%m-%d");
                writeln!(out, "  next stage {} opens on {opens}", stage.name)?;
            }
            for run in &runs {
                let ended = match run.exit_code {
                    Some(code) => format!("exit {code}"),
                    None => "not finished".to_owned(),
                };
                let at = run.started_at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S");
                writeln!(out, "  run {} of {at}: {ended}", run.job)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn run_json(run: &RunRecord) -> serde_json::Value {
    serde_json::json!({
        "run_id": run.run_id,
        "job": run.job,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "exit_code": run.exit_code,
    })
}
