//! `worker status`

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::config::Config;
use crate::domain::calendar::days_to_deadline;
use crate::domain::decide::Rules;
use crate::domain::digest::reference;
use crate::jobs::aftermath;
use crate::jobs::bearings::Bearings;
use crate::jobs::exit::Exit;
use crate::jobs::planning::Planning;
use crate::jobs::progress::Unwatched;
use crate::jobs::removing::{Signed, Standing, made_by};
use crate::report::plan_text;
use crate::report::progress::Progress;
use crate::store::pauses::Pause;
use crate::store::runs::RunRecord;
use crate::store::settling::PromptHead;
use crate::store::{self, Store};

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
    let failing = failing(config, &store).await?;
    let prompts = store.prompts_by_stage().await?;
    let unknown = store.unknown_prompts(UNKNOWN).await?;
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
            remembers: false,
            watcher: &Unwatched,
            cancel: &tokio_util::sync::CancellationToken::new(),
        };
        let planned = planning.run().await.map_err(|error| Trouble::Failure(error.into()))?;
        progress.exempt = Some(planned.exempt);
    }
    let retained = progress.ready.unwrap_or_default();
    let plan = standing_plan(config, &store, now).await?;
    let removals = aftermath::removals(config, &store, retained, now).await?;
    let at_xero = aftermath::at_xero(config, &store).await?;
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
                "failing_webhooks": failing,
                "prompts": prompts,
                "unknown_prompts": unknown.iter().map(unknown_json).collect::<Vec<_>>(),
                "last_scan_at": last.as_ref().map(|last| last.finished_at),
                "standing": standing,
                "removal_plan": plan.as_ref().map(plan_json),
                "funnel": removals,
                "xero": at_xero,
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
            if let Some(plan) = &plan {
                writeln!(out, "  {}", text_of_plan(plan))?;
            }
            removals.write("  ", &mut out)?;
            if let Some(at_xero) = &at_xero {
                at_xero.write("  ", zone, &mut out)?;
            }
            if let Some(pause) = &pause {
                let since = pause.paused_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
                let Pause { by, reason, .. } = pause;
                writeln!(out, "  paused since {since} by {by}: {reason}")?;
            }
            for (stage, states) in &prompts {
                let states: Vec<String> =
                    states.iter().map(|(state, count)| format!("{state} {count}")).collect();
                writeln!(out, "  prompts of {stage}: {}", states.join(" · "))?;
            }
            for prompt in &unknown {
                let reference = reference(prompt.prompt_id);
                writeln!(out, "  unknown: {reference}, {} by {}", prompt.stage, prompt.channel)?;
            }
            for failing in &failing {
                writeln!(out, "  {}", failing.text(zone))?;
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

/// The plan of removals that is in force, or else the newest.
async fn standing_plan(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<Option<Signed>, store::Error> {
    let (Some(policy), Ok(made_by)) = (&config.removal, made_by(config)) else { return Ok(None) };
    let mut all = Signed::all(store, policy, &made_by, now).await?;
    let in_force = all.iter().position(|signed| signed.standing == Standing::Approved);
    Ok((!all.is_empty()).then(|| all.swap_remove(in_force.unwrap_or_default())))
}

fn text_of_plan(signed: &Signed) -> String {
    let Signed { plan, standing, .. } = signed;
    let short: String = plan.id.chars().take(12).collect();
    let (settled, all) = (signed.settled(), plan.removals);
    format!("plan of removals {short}: {}, {settled} of {all} settled", standing.as_str())
}

fn plan_json(signed: &Signed) -> serde_json::Value {
    serde_json::json!({
        "plan_id": signed.plan.id,
        "standing": signed.standing,
        "removals": signed.plan.removals,
        "settled": signed.settled(),
        "valid_until": signed.plan.valid_until,
    })
}

/// Prompts whose outcome is unknown and that are shown.
const UNKNOWN: u32 = 20;

fn unknown_json(prompt: &PromptHead) -> serde_json::Value {
    serde_json::json!({
        "prompt_id": prompt.prompt_id,
        "reference": reference(prompt.prompt_id),
        "stage": prompt.stage,
        "channel": prompt.channel,
        "sending_at": prompt.sending_at,
    })
}

/// A webhook that fails, with what waits for it.
#[derive(serde::Serialize)]
struct FailingWebhook {
    webhook: String,
    since: DateTime<Utc>,
    failures: i64,
    set_aside: bool,
    /// When one that is set aside is tried again.
    probe_at: Option<DateTime<Utc>>,
    /// Changes of state that wait for it.
    waiting: i64,
}

impl FailingWebhook {
    fn text(&self, zone: Tz) -> String {
        let Self { webhook, since, failures, waiting, .. } = self;
        let local = |at: &DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
        let mut text = format!(
            "webhook {webhook} has failed since {} ({failures} times), {waiting} changes wait",
            local(since)
        );
        if let Some(probe_at) = &self.probe_at {
            text.push_str(&format!("; set aside, tried again from {}", local(probe_at)));
        }
        text
    }
}

async fn failing(config: &Config, store: &Store) -> Result<Vec<FailingWebhook>, store::Error> {
    let waiting: BTreeMap<String, i64> = store.waiting_announcements().await?.into_iter().collect();
    let mut failing = store.failing_endpoints().await?;
    failing.retain(|(name, _)| config.webhooks.iter().any(|webhook| webhook.name == *name));
    let failing = failing.into_iter().map(|(webhook, failing)| FailingWebhook {
        since: failing.since,
        failures: failing.failures,
        set_aside: failing.is_set_aside(),
        probe_at: failing.is_set_aside().then_some(failing.probe_at),
        waiting: waiting.get(&webhook).copied().unwrap_or_default(),
        webhook,
    });
    Ok(failing.collect())
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
