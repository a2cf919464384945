//! Where the campaign will stand: made from its own history, with intervals, and nothing at
//! all while the history is too short to say (docs/forecast.md).
//!
//! How readily people follow is estimated by stage and by days since they were told
//! (`hazard`); the days to come are played through many times for whole cohorts (`course`), each
//! time with rates that may be the true ones; what most of them come to is the interval.

mod capacity;
mod chance;
mod course;
#[cfg(test)]
mod example;
mod habits;
#[cfg(test)]
mod habits_tests;
mod hazard;
mod history;
mod interval;
mod lift;
mod survival;
mod what_if;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::calendar::midnight;
use crate::domain::campaign::{Campaign, Stage};
use crate::domain::daily::Measure;

pub use capacity::{Capacity, Fit};
pub use chance::Chance;
use course::{AGES, Ahead, State};
pub use habits::{Habits, LEAST_SEEN, LEAST_YEARS, Seen};
use hazard::Evidence;
pub use history::{Cohort, Cohorts, History};
pub use interval::{Interval, LEVEL};
pub use lift::{Lift, lifts};
pub use survival::{LifeTable, Point};
pub use what_if::{Change, Scenario, WhatIfError};

/// Futures that are played through.
const FUTURES: usize = 200;
/// So that the same history gives the same forecast.
const SEED: u64 = 0x7865_726f;
/// Fewer days of history say nothing about weeks.
pub const LEAST_DAYS: i64 = 7;
/// Fewer people who followed a prompt say nothing about the others.
pub const LEAST_READY: u64 = 20;

/// What is known of the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outlook {
    /// There is not enough history; nothing is guessed.
    TooEarly {
        text: String,
    },
    /// The deadline has passed: nothing is left to foresee.
    Over,
    /// Nobody is awaiting: it stays as it is.
    Settled,
    Projected(Projection),
}

/// A forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// 100 · ready / (ready + awaiting) at the deadline.
    pub ready_percent: Interval,
    /// Still awaiting at the deadline: their connections stop.
    pub awaiting: Interval,
    /// Still awaiting when the removal window opens; `None` without one, or once it has.
    pub holdouts: Option<Interval>,
    /// At the end of each day to come.
    pub course: Vec<DayAhead>,
}

/// A day of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DayAhead {
    pub day: NaiveDate,
    pub awaiting: Interval,
    pub ready_percent: Interval,
}

impl Outlook {
    #[must_use]
    pub fn projection(&self) -> Option<&Projection> {
        match self {
            Self::Projected(projection) => Some(projection),
            _ => None,
        }
    }
}

/// The last day that is over by the deadline.
fn last_day(campaign: &Campaign) -> NaiveDate {
    let day = campaign.deadline_day();
    let begins_it = midnight(campaign.zone, day) == campaign.deadline;
    if begins_it { day.pred_opt().unwrap_or(day) } else { day }
}

/// The stage that is due on a day, by its place.
fn stage_on(campaign: &Campaign, day: NaiveDate) -> Option<usize> {
    let end = midnight(campaign.zone, day.succ_opt().unwrap_or(day));
    campaign.stages.iter().rposition(|stage| campaign.opens(stage) < end)
}

/// Looks ahead, on the campaign's day `now`, from the last day that was counted.
#[must_use]
pub fn look_ahead(history: &History, capacity: &Capacity<'_>, now: NaiveDate) -> Outlook {
    let campaign = capacity.campaign;
    let last = last_day(campaign);
    if now > last {
        return Outlook::Over;
    }
    let Some(today) = history.last_day().map(|counted| counted.min(now)) else {
        return Outlook::TooEarly { text: "no run has counted yet".to_owned() };
    };
    let level = |measure| history.level(today, measure).unwrap_or_default();
    if level(Measure::Awaiting) == 0 {
        return Outlook::Settled;
    }
    if let Some(text) = too_early(history, today) {
        return Outlook::TooEarly { text };
    }
    let stages: Vec<&str> = campaign.stages.iter().map(|stage| stage.name.as_str()).collect();
    // A day that is not over yet would look as if little happened on it.
    let watched = today.pred_opt().unwrap_or(today);
    let evidence = Evidence::of(history, &stages, watched);
    let start = state(history, campaign, today);
    let days = ahead(history, capacity, today, last);
    Outlook::Projected(project(&start, level(Measure::Ready), &days, &evidence, capacity))
}

/// Why nothing can be said yet.
fn too_early(history: &History, today: NaiveDate) -> Option<String> {
    let days = history.first_day().map_or(0, |first| (today - first).num_days());
    if days < LEAST_DAYS {
        return Some(format!(
            "there are {days} days of history, and {LEAST_DAYS} are the least to go by"
        ));
    }
    let watched = |(since, cohort): (&NaiveDate, &Cohort)| {
        ((today - *since).num_days() >= LEAST_DAYS).then_some(cohort.entered)
    };
    let cohorts = history.told.iter().map(|((_, since), cohort)| (since, cohort));
    if cohorts.filter_map(watched).sum::<u64>() == 0 {
        return Some(format!("nobody was told {LEAST_DAYS} days ago or earlier"));
    }
    let exits = history.told.values().flat_map(|cohort| cohort.exits.values());
    let ready: u64 = exits.map(|(ready, _)| ready).sum();
    (ready < LEAST_READY).then(|| {
        format!(
            "{ready} connections became ready after a prompt, and {LEAST_READY} are the least to go by"
        )
    })
}

/// Where everybody is at the end of today.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn state(history: &History, campaign: &Campaign, today: NaiveDate) -> State {
    let level = |measure| history.level(today, measure).unwrap_or_default() as f64;
    let awaiting = level(Measure::Awaiting);
    let mut told = vec![[0.0; AGES]; campaign.stages.len()];
    for ((stage, since), cohort) in &history.told {
        // A stage that is no longer in the configuration counts as the first.
        let place = campaign.stages.iter().position(|it| it.name == *stage).unwrap_or_default();
        let age = usize::try_from((today - *since).num_days()).unwrap_or_default().min(AGES - 1);
        if let Some(ages) = told.get_mut(place) {
            ages[age] += cohort.left_after(today) as f64;
        }
    }
    // What was counted on different days need not add up to a connection.
    let all: f64 = told.iter().flatten().sum();
    if all > awaiting {
        told.iter_mut().flatten().for_each(|many| *many *= awaiting / all);
    }
    let untold = (awaiting - all).max(0.0);
    let barred = level(Measure::Unreachable) + level(Measure::Manual) + level(Measure::Exempt);
    let apart = barred.min(untold);
    let mut state = State { untold: untold - apart, apart, told, under_way: None };
    if let Some(place) = stage_on(campaign, today) {
        let name = &campaign.stages[place].name;
        let held = history.held.iter().filter(|((stage, _), _)| stage == name);
        let held: f64 = held.map(|(_, cohort)| cohort.left_after(today) as f64).sum();
        let before = state.untold + state.told.iter().take(place).flatten().sum::<f64>();
        state.under_way = Some((place, (before - held).max(0.0)));
    }
    state
}

/// Messages for each connection that is told, as it was so far.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn messages_per_connection(history: &History) -> f64 {
    let messages: u64 = history.parts(Measure::Messages).flat_map(|(_, days)| days.values()).sum();
    let told: u64 = history.told.values().map(|cohort| cohort.entered).sum();
    if messages == 0 || told == 0 { 1.0 } else { (messages as f64 / told as f64).clamp(0.01, 10.0) }
}

/// Days on which a stage told anybody so far.
fn days_begun(history: &History, stage: &Stage) -> usize {
    history.told.keys().filter(|(of, _)| *of == stage.name).count()
}

/// The days to come, and what each lets out.
#[expect(clippy::cast_precision_loss, reason = "caps stay far below 2^52")]
fn ahead(
    history: &History,
    capacity: &Capacity<'_>,
    today: NaiveDate,
    last: NaiveDate,
) -> Vec<Ahead> {
    let campaign = capacity.campaign;
    let each = messages_per_connection(history);
    let mut begun: Vec<usize> =
        campaign.stages.iter().map(|stage| days_begun(history, stage)).collect();
    let mut days = Vec::new();
    for day in today.iter_days().skip(1).take_while(|day| *day <= last) {
        let stage = stage_on(campaign, day);
        let goes = capacity.prompts.enabled && capacity.is_open(day);
        let let_out = match stage {
            Some(place) if goes => {
                let most = capacity.on_day(begun[place]);
                begun[place] += 1;
                most.map(|most| most as f64 / each)
            }
            _ => Some(0.0),
        };
        let held_back =
            stage.map_or(0.0, |place| f64::from(campaign.stages[place].hold_back_percent) / 100.0);
        days.push(Ahead { day, stage, let_out, held_back });
    }
    days
}

/// Plays the days through, again and again.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn project(
    start: &State,
    ready: u64,
    days: &[Ahead],
    evidence: &Evidence,
    capacity: &Capacity<'_>,
) -> Projection {
    let mut chance = Chance::new(SEED);
    let mut awaiting = vec![Vec::with_capacity(FUTURES); days.len()];
    let mut percent = vec![Vec::with_capacity(FUTURES); days.len()];
    for _ in 0..FUTURES {
        let hazards = evidence.draw(&mut chance);
        start.clone().run(ready as f64, days, &hazards, &mut chance, |day, ready, left| {
            awaiting[day].push(left);
            percent[day].push(100.0 * ready / (ready + left).max(1.0));
        });
    }
    let course: Vec<DayAhead> = days
        .iter()
        .zip(awaiting.iter_mut().zip(&mut percent))
        .map(|(ahead, (awaiting, percent))| DayAhead {
            day: ahead.day,
            awaiting: Interval::of_draws(awaiting).map(f64::round),
            ready_percent: Interval::of_draws(percent).map(|share| (10.0 * share).round() / 10.0),
        })
        .collect();
    let now = Interval::exactly(start.awaiting());
    let share = 100.0 * ready as f64 / (ready as f64 + start.awaiting()).max(1.0);
    let end = course.last();
    let opens = capacity.removal.and_then(|removal| removal.opens_days_before).map(|days| {
        let campaign = capacity.campaign;
        let opens = campaign.day_from_deadline(-i64::from(days));
        opens.with_timezone(&campaign.zone).date_naive()
    });
    Projection {
        ready_percent: end.map_or(Interval::exactly(share), |day| day.ready_percent),
        awaiting: end.map_or(now, |day| day.awaiting),
        holdouts: opens.and_then(|opens| {
            course.iter().take_while(|ahead| ahead.day < opens).last().map(|ahead| ahead.awaiting)
        }),
        course,
    }
}

/// Whether each stage that is still to come, or under way, can tell everybody in time.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts stay far below 2^52"
)]
pub fn fits(history: &History, capacity: &Capacity<'_>, today: NaiveDate) -> Vec<Fit> {
    let campaign = capacity.campaign;
    let each = messages_per_connection(history);
    let counted = history.last_day().map_or(today, |counted| counted.min(today));
    let state = state(history, campaign, counted);
    let current = stage_on(campaign, today);
    let mut fits = Vec::new();
    for (place, stage) in campaign.stages.iter().enumerate() {
        let is_over = current.is_some_and(|current| place < current) && !stage.is_final;
        if stage.day.offset() >= 0 || is_over || today > last_day(campaign) {
            continue;
        }
        let to_tell = match state.under_way {
            Some((under_way, left)) if under_way == place => left,
            // Nobody counts on their becoming fewer.
            _ => {
                let later: f64 = state.told.iter().skip(place).flatten().sum();
                state.awaiting() - state.apart - later
            }
        };
        let messages = (to_tell.max(0.0) * each).ceil() as u64;
        fits.push(capacity.fit(stage, messages, days_begun(history, stage), today));
    }
    fits
}

/// What the progress event says of the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Track {
    /// At least the target will be ready, and every stage fits; `None` while it is too early.
    pub on_track: Option<bool>,
    pub projected_ready_percent: Option<f64>,
}

/// Whether the campaign is on its way: the middle of the forecast reaches the target, and every
/// stage can tell everybody in time.
#[must_use]
pub fn track(outlook: &Outlook, fits: &[Fit], ready_percent: Option<f64>, target: f64) -> Track {
    let projected = match outlook {
        Outlook::Projected(projection) => Some(projection.ready_percent.middle),
        Outlook::Settled | Outlook::Over => ready_percent,
        Outlook::TooEarly { .. } => None,
    };
    // What cannot fit is known before anything else is.
    let fits = fits.iter().all(|fit| fit.fits);
    let on_track = match projected {
        Some(percent) => Some(fits && percent >= target),
        None if !fits => Some(false),
        None => None,
    };
    Track { on_track, projected_ready_percent: projected }
}

#[cfg(test)]
mod tests;
