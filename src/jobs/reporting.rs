//! Gathering the progress report: from the daily counts, and a few queries about how it stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::config::Config;
use crate::domain::calendar::days_to_deadline;
use crate::domain::daily::Measure;
use crate::domain::forecast::{
    Fit, History, LifeTable, Outlook, Scenario, fits, lifts, look_ahead, track,
};
use crate::domain::reason::Code;
use crate::report::anomalies;
use crate::report::csv::columns;
use crate::report::document::{
    Changes, CohortCount, Cohorts, Day, Document, Funnel, HeldBack, Holdouts, Listed, Promises,
    Silenced, StageRow, Tenants, Tried, Unreachable, UnreachableConnection,
};
use crate::report::progress::Progress;
use crate::store::standing::CohortRow;
use crate::store::{self, Store};

use super::aftermath;
use super::counting::{campaign_day, capacity};

/// What a report is asked for.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Names and addresses may be shown.
    pub is_shown: bool,
    /// The day to compare with; else a week back.
    pub since: Option<NaiveDate>,
    pub what_if: &'a [Scenario],
}

/// Days back that changes are counted from, where no day is named.
const WEEK: u64 = 7;
/// Names that are listed where they may be shown.
const LISTED: u32 = 50;

/// Gathers it.
///
/// # Errors
/// The database cannot be used.
pub async fn gather(
    config: &Config,
    store: &Store,
    now: DateTime<Utc>,
    about: &About<'_>,
) -> Result<Document, store::Error> {
    let today = campaign_day(config, now);
    let history = History::new(store.daily_counts().await?);
    let last = store.last_complete_scan().await?;
    let capacity = capacity(config);
    let outlook = look_ahead(&history, &capacity, today);
    let fits = fits(&history, &capacity, today);
    let mut progress = Progress {
        days_to_deadline: Some(days_to_deadline(&config.campaign, now)),
        ..Progress::default()
    };
    if let Some(last) = &last {
        progress.count(&store.tally().await?);
        progress.bad_rows = u64::try_from(last.bad_rows).ok();
        progress.exempt = history.level(today, Measure::Exempt);
        let target = config.report.target_percent;
        let track = track(&outlook, &fits, progress.ready_percent, target);
        progress.projected_ready_percent = track.projected_ready_percent;
        progress.on_track = track.on_track;
    }
    let mut standing = progress.fields();
    for of_a_run in ["run_id", "job", "dry_run", "duration_ms"] {
        standing.shift_remove(of_a_run);
    }
    let tenants = store.tenants().await?;
    let names: Vec<&str> = config.campaign.stages.iter().map(|stage| stage.name.as_str()).collect();
    Ok(Document {
        app: config.app.name.clone(),
        client_id: config.app.client_id.clone(),
        made_at: now,
        today,
        time_zone: config.campaign.zone.name().to_owned(),
        deadline: config.campaign.deadline,
        deadline_day: config.campaign.deadline_day(),
        last_scan_at: last.map(|last| last.finished_at),
        target_percent: config.report.target_percent,
        standing,
        tenants: Tenants { concerned: number(tenants.tenants), ready: number(tenants.ready) },
        changes: changes(&history, today, about.since),
        anomalies: anomalies::find(&history, &names, today),
        outlook,
        fits,
        what_if: about.what_if.iter().map(|it| tried(config, &history, today, it)).collect(),
        funnel: funnel(config, &history, today),
        lifts: lifts(&history, today),
        cohorts: cohorts(store.cohorts().await?),
        holdouts: holdouts(config, &history, now, &progress),
        removals: aftermath::removals(config, store, progress.ready.unwrap_or_default(), now)
            .await?,
        xero: aftermath::at_xero(config, store).await?,
        promises: promises(store, now).await?,
        unreachable: unreachable(store, about.is_shown, &progress).await?,
        days: days(&history),
        progress,
    })
}

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// What is different from an earlier day, by the last counts of both.
fn changes(history: &History, today: NaiveDate, since: Option<NaiveDate>) -> Option<Changes> {
    let wanted = since.or_else(|| today.checked_sub_days(Days::new(WEEK)))?;
    let first = history.first_day()?;
    // A young campaign is compared with its first day.
    let since = wanted.max(first);
    if since >= history.last_day()? {
        return None;
    }
    let by = Measure::ALL.iter().filter(|measure| !measure.is_event()).filter_map(|measure| {
        let [before, after] = [since, today].map(|day| history.level(day, *measure));
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let by = signed(after?) - signed(before?);
        (by != 0).then_some((measure.as_str(), by))
    });
    Some(Changes { since, by: by.collect() })
}

fn tried(config: &Config, history: &History, today: NaiveDate, scenario: &Scenario) -> Tried {
    let mut other = config.clone();
    scenario.apply(&mut other.campaign, &mut other.prompts, &mut other.removal);
    let capacity = capacity(&other);
    let outlook: Outlook = look_ahead(history, &capacity, today);
    let late = |fit: &Fit| (!fit.fits).then(|| fit.stage.clone());
    let too_late = fits(history, &capacity, today).iter().filter_map(late).collect();
    Tried { change: scenario.written.clone(), outlook, too_late }
}

fn funnel(config: &Config, history: &History, today: NaiveDate) -> Funnel {
    let campaign = &config.campaign;
    let first = history.first_day();
    let stages = campaign.stages.iter().map(|stage| {
        let opens = campaign.opens(stage).with_timezone(&campaign.zone).date_naive();
        let before = opens.pred_opt().unwrap_or(opens);
        // A campaign that begins late counts from its first day on.
        let at = first.map(|first| before.max(first)).filter(|at| opens <= today && *at <= today);
        let held = history.held.iter().filter(|((of, _), _)| *of == stage.name);
        StageRow {
            stage: stage.name.clone(),
            opens,
            due: at.and_then(|at| history.level(at, Measure::Awaiting)),
            told: history.told_at(&stage.name),
            ready: history.ready_after(&stage.name),
            held_back: held.map(|(_, cohort)| cohort.entered).sum(),
            curve: LifeTable::of(&history.told, &stage.name, today).curve(),
        }
    });
    Funnel {
        organic: history.organic.values().map(|(ready, _)| ready).sum(),
        stages: stages.collect(),
    }
}

/// Brings the kinds of connections together, once for each thing that they have in common.
fn cohorts(rows: Vec<CohortRow>) -> Cohorts {
    let mut sums: [BTreeMap<String, (u64, u64)>; 3] = Default::default();
    for row in rows {
        let count = number(row.connections);
        let kinds = [
            row.connected_year.map(|year| format!("{year:04}")),
            row.tenant_type.map(|kind| kind.to_uppercase()),
            row.locale,
        ];
        for (sums, kind) in sums.iter_mut().zip(kinds) {
            let (ready, awaiting) = sums.entry(kind.unwrap_or_default()).or_default();
            *(if row.readiness == "ready" { ready } else { awaiting }) += count;
        }
    }
    let list = |sums: BTreeMap<String, (u64, u64)>| -> Vec<CohortCount> {
        let cohort = |(name, (ready, awaiting)): (String, (u64, u64))| CohortCount {
            cohort: Some(name).filter(|name| !name.is_empty()),
            ready,
            awaiting,
        };
        sums.into_iter().map(cohort).collect()
    };
    let by_size = |mut list: Vec<CohortCount>| {
        list.sort_by_key(|it| std::cmp::Reverse(it.ready + it.awaiting));
        list
    };
    let [years, types, locales] = sums;
    Cohorts {
        by_age: list(years),
        by_tenant_type: by_size(list(types)),
        by_locale: by_size(list(locales)),
    }
}

fn holdouts(
    config: &Config,
    history: &History,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Holdouts {
    let campaign = &config.campaign;
    let opens = config
        .removal
        .as_ref()
        .and_then(|removal| removal.opens_days_before)
        .map(|days| campaign.day_from_deadline(-i64::from(days)));
    let counted_on = history.last_day();
    let list = |measure| -> Vec<HeldBack> {
        let of_day = history.parts(measure).filter_map(|(code, days)| {
            let (day, connections) = days.last_key_value()?;
            let text = Code::ALL.iter().find(|known| known.as_str() == code)?.text();
            (Some(*day) == counted_on).then(|| HeldBack {
                code: code.to_owned(),
                text: text.to_owned(),
                connections: *connections,
            })
        });
        let mut list: Vec<HeldBack> = of_day.collect();
        list.sort_by_key(|held| std::cmp::Reverse(held.connections));
        list
    };
    Holdouts {
        window_opens: opens.map(|opens| opens.with_timezone(&campaign.zone).date_naive()),
        holdouts: opens.filter(|opens| *opens <= now).and(progress.awaiting),
        counted_on,
        prompts_held_back: list(Measure::HeldBackPrompt),
        removals_held_back: list(Measure::HeldBackRemove),
    }
}

async fn promises(store: &Store, now: DateTime<Utc>) -> Result<Promises, store::Error> {
    let counts = store.promises(now).await?;
    Ok(Promises {
        connections: number(counts.connections),
        come: number(counts.come),
        earliest: counts.earliest,
        latest: counts.latest,
    })
}

async fn unreachable(
    store: &Store,
    is_shown: bool,
    progress: &Progress,
) -> Result<Unreachable, store::Error> {
    let listed = match is_shown {
        false => None,
        true => Some(Listed {
            connections: store
                .unreachable(LISTED)
                .await?
                .into_iter()
                .map(|row| UnreachableConnection {
                    connection: row.connection,
                    tenant_name: row.tenant_name,
                    account_id: row.account_id,
                })
                .collect(),
            addresses: store
                .silenced(LISTED)
                .await?
                .into_iter()
                .map(|row| Silenced {
                    address: row.recipient,
                    reason: row.reason,
                    since: row.since,
                })
                .collect(),
        }),
    };
    Ok(Unreachable {
        connections: progress.unreachable.unwrap_or_default(),
        suppressed_addresses: number(store.silenced_count().await?),
        listed,
    })
}

fn days(history: &History) -> Vec<Day> {
    let day = |(day, levels): (NaiveDate, &BTreeMap<Measure, u64>)| Day {
        day,
        counts: columns()
            .filter_map(|column| {
                let number = levels.get(&Measure::parse(column)?)?;
                Some((column.to_owned(), (*number).into()))
            })
            .collect(),
    };
    history.levels().map(day).collect()
}
