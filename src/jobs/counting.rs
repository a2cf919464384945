//! The end of every real run: what the day's numbers are, and what they say of the end of the
//! campaign.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::config::{Config, Job, Step};
use crate::domain::calendar::instant;
use crate::domain::daily::{Count, Measure};
use crate::domain::decide::Rules;
use crate::domain::forecast::{Capacity, History, fits, look_ahead, track};
use crate::domain::reason::Code;
use crate::report::form::Form;
use crate::report::plan::List;
use crate::report::progress::Progress;
use crate::report::publish::publish;
use crate::store::Store;
use crate::store::daily::Counting;

use super::failure::Failure;
use super::reporting::{About, gather};
use super::run::{Finished, Setting};
use super::workplace::Workplace;

/// The campaign's day at a time.
#[must_use]
pub fn campaign_day(config: &Config, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&config.campaign.zone).date_naive()
}

/// What lets messages out under a configuration.
#[must_use]
pub fn capacity(config: &Config) -> Capacity<'_> {
    Capacity {
        campaign: &config.campaign,
        prompts: &config.prompts,
        removal: config.removal.as_ref(),
        runs_per_day: runs_per_day(config),
    }
}

/// Runs that prompt within the hours of a working day, by the schedules; `None` where a job
/// has none and is started from outside.
fn runs_per_day(config: &Config) -> Option<u64> {
    /// More often than each minute no cap for a run is what limits anything.
    const MOST: usize = 1440;
    let (working, zone) = (&config.campaign.working, config.campaign.zone);
    // Any week will do: it tells what days and hours a schedule names.
    let monday = NaiveDate::from_ymd_opt(2027, 2, 15)?;
    let days = monday.iter_days().take(7).filter(|day| working.days.contains(&day.weekday()));
    let (mut runs, mut worked) = (0, 0);
    for day in days {
        worked += 1;
        let [from, until] = [working.from, working.until].map(|at| instant(zone, day.and_time(at)));
        for job in config.jobs.iter().filter(|job| job.steps.contains(&Step::Prompt)) {
            let schedule = job.schedule.as_ref()?;
            runs += schedule.fires_within(job.zone, from, until, MOST) as u64;
        }
    }
    Some(runs / worked.max(1))
}

impl Setting<'_> {
    /// Ends a run: counts the day, looks ahead, and publishes the report where the job says so.
    pub(super) async fn reckon(
        &self,
        job: &Job,
        workplace: &Workplace,
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        let (config, store, now) = (self.config, &workplace.store, self.clock.now());
        // Nothing is in force before the first complete scan.
        if finished.progress.connections.is_none() {
            return Ok(());
        }
        if !self.dry_run {
            count(config, store, &job.steps, finished, now).await?;
        }
        if self.looks_ahead {
            foresee(config, store, &mut finished.progress, now).await?;
        }
        if let Some(path) = job.report.as_ref().filter(|_| !self.dry_run) {
            let about = About { is_shown: false, since: None, what_if: &[] };
            let document = gather(config, store, now, &about).await?;
            let form = Form::of_ending(path);
            publish(path, |out| form.write(&document, &config.campaign, out))?;
            tracing::info!(path = %path.display(), "report published");
        }
        Ok(())
    }
}

/// Writes the day's numbers.
async fn count(
    config: &Config,
    store: &Store,
    steps: &[Step],
    finished: &mut Finished,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let today = campaign_day(config, now);
    let founded = store.founded_at().await?.unwrap_or(now);
    let counting =
        Counting { zone: config.campaign.zone, founded: campaign_day(config, founded), today };
    let mut counts = levels(&finished.progress, today);
    for (step, action, measure) in [
        (Step::Prompt, "prompt", Measure::HeldBackPrompt),
        (Step::Remove, "remove", Measure::HeldBackRemove),
    ] {
        if steps.contains(&step) {
            counts.extend(held_back(&mut finished.plan.held_back, action, measure, today)?);
        }
    }
    store.count_day(&counting, counts).await?;
    Ok(())
}

/// What the history says of the end, for the progress event.
///
/// # Errors
/// The database cannot be used.
pub async fn foresee(
    config: &Config,
    store: &Store,
    progress: &mut Progress,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let history = History::new(store.daily_counts().await?);
    let (capacity, today) = (capacity(config), campaign_day(config, now));
    let outlook = look_ahead(&history, &capacity, today);
    let fits = fits(&history, &capacity, today);
    let track = track(&outlook, &fits, progress.ready_percent, config.report.target_percent);
    progress.projected_ready_percent = track.projected_ready_percent;
    progress.on_track = track.on_track;
    Ok(())
}

/// Where it stands, as the progress event has it.
#[must_use]
pub fn levels(progress: &Progress, today: NaiveDate) -> Vec<Count> {
    [
        (Measure::Connections, progress.connections),
        (Measure::BroadOnly, progress.broad_only),
        (Measure::Mixed, progress.mixed),
        (Measure::Granular, progress.granular),
        (Measure::Unaffected, progress.unaffected),
        (Measure::Unknown, progress.unknown),
        (Measure::Ready, progress.ready),
        (Measure::Awaiting, progress.awaiting),
        (Measure::Exempt, progress.exempt),
        (Measure::Covered, progress.covered),
        (Measure::Manual, progress.manual),
        (Measure::Unreachable, progress.unreachable),
        (Measure::TokenBehind, progress.token_behind),
        (Measure::Gone, progress.gone),
        (Measure::BadRows, progress.bad_rows),
        (Measure::Removed, progress.removed),
        (Measure::Returned, progress.returned),
    ]
    .into_iter()
    .filter_map(|(measure, number)| Some(Count::of_all(today, measure, number?)))
    .collect()
}

#[derive(Deserialize)]
struct Held {
    connection_key: Uuid,
    action: String,
    reasons: Vec<HeldReason>,
}

#[derive(Deserialize)]
struct HeldReason {
    code: String,
}

/// Connections by the reasons that hold something back.
fn held_back(
    list: &mut List,
    action: &str,
    measure: Measure,
    today: NaiveDate,
) -> std::io::Result<Vec<Count>> {
    let mut by_code: BTreeMap<String, u64> = BTreeMap::new();
    list.each(|held: Held| {
        for reason in held.reasons.into_iter().filter(|_| held.action == action) {
            *by_code.entry(reason.code).or_default() += 1;
        }
        Ok(())
    })?;
    let count = |(part, number)| Count { day: today, measure, part, since: None, number };
    // That there was none is worth a row too: it takes the place of what was there before.
    let none = Count { day: today, measure, part: String::new(), since: None, number: 0 };
    Ok(by_code.into_iter().map(count).chain([none]).collect())
}

/// Writes down whom the present stage passes over for good measure, before anybody is told.
///
/// # Errors
/// The database or a temporary file cannot be used.
pub(super) async fn note_hold_backs(
    store: &Store,
    rules: &Rules<'_>,
    list: &mut List,
) -> Result<(), Failure> {
    const BATCH: usize = 2_000;
    let due = rules.campaign.due_stages(rules.now);
    let Some(stage) = due.into_iter().find(|stage| stage.hold_back_percent > 0) else {
        return Ok(());
    };
    let mut keys: Vec<Uuid> = Vec::new();
    list.each(|held: Held| {
        let is_held = held.reasons.iter().all(|reason| reason.code == Code::HoldBack.as_str());
        if is_held && held.action == "prompt" {
            keys.push(held.connection_key);
        }
        Ok(())
    })?;
    for batch in keys.chunks(BATCH) {
        store.hold_back(&stage.name, batch, rules.now).await?;
    }
    Ok(())
}
