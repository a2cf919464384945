//! How customers behaved so far: what share followed which message and how soon, who came by
//! themselves, who left, who came back. A number only where there is enough to go by.

use chrono::{Days, NaiveDate};

use super::history::History;
use super::survival::LifeTable;
use super::{LEAST_DAYS, LEAST_READY};
use crate::domain::daily::Measure;
use crate::domain::win_back;

/// Fewer of those concerned say nothing about the others: told at a stage, removed, written to.
pub const LEAST_SEEN: u64 = 50;
/// Fewer years of connections say nothing about a year.
pub const LEAST_YEARS: u64 = 50;

const DAYS_IN_YEAR: f64 = 365.0;
/// What happens on a day happens in its middle, near enough.
const MIDDAY: f64 = 0.5;

/// A number, where there is enough to make it from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    pub value: Option<f64>,
    /// What it rests on, or would.
    pub of: u64,
}

impl Seen {
    fn of(of: u64, least: u64, value: impl FnOnce() -> f64) -> Self {
        Self { value: (of >= least).then(value), of }
    }
}

/// All that history says of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Habits {
    /// By stage, in order, of those that told anybody: the share that followed, of those told
    /// long enough ago.
    pub follow: Vec<(String, Seen)>,
    /// Days within which half of those are ready who follow at all; of those who did.
    pub follow_days: Seen,
    /// Share that becomes ready within a year, told by nobody; of years of connections.
    pub unprompted: Seen,
    /// Share that leaves within a year; of years of connections.
    pub leave: Seen,
    /// Share of those removed that comes back, for whatever reason.
    pub come_back: Seen,
    /// How often each of those removed was told of it, on average.
    pub told_of_removal: f64,
    /// Days within which half of those are back who come at all; of those who did.
    pub come_back_days: Seen,
}

/// Lengths of half a wait that are tried.
fn halves() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.25), |days| Some(days * 1.12)).take_while(|days| *days < 60.0)
}

/// The share of those who act at all that has acted after so many days, where half does within
/// `half` of them, half of the others within as many again, and so on, evenly in between.
fn acted(days: f64, half: f64) -> f64 {
    let halves = (days / half).max(0.0);
    let whole = halves.floor();
    let left = 0.5_f64.powf(whole);
    1.0 - left * (1.0 - (halves - whole) / 2.0)
}

impl Habits {
    /// Of a campaign with these stages, in their order.
    #[must_use]
    pub fn of(history: &History, stages: &[&str]) -> Self {
        let (Some(first), Some(last)) = (history.first_day(), history.last_day()) else {
            return Self::default();
        };
        // A day that is not over yet would look as if little happened on it.
        let watched = last.pred_opt().unwrap_or(last);
        let (untold, ready) = by_themselves(history, first, last);
        let a_day = if untold > 0.0 { ready / untold } else { 0.0 };
        let (follow, follow_days) = follow(history, stages, watched, a_day);
        let (come_back, come_back_days) = come_back(history, last);
        Self {
            follow,
            follow_days,
            unprompted: within_a_year(untold, ready),
            leave: within_a_year(present(history, first, last), left(history, first, last)),
            come_back,
            told_of_removal: told_of_removal(history, last),
            come_back_days,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn told_of_removal(history: &History, last: NaiveDate) -> f64 {
    let removed = history.level(last, Measure::Removed).unwrap_or_default();
    let told: u64 = win_back::STAGES.iter().map(|stage| history.told_at(stage)).sum();
    told as f64 / removed.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "days of connections stay far below 2^52"
)]
fn within_a_year(days: f64, events: f64) -> Seen {
    let years = (days / DAYS_IN_YEAR) as u64;
    Seen::of(years, LEAST_YEARS, || 1.0 - (-DAYS_IN_YEAR * events / days).exp())
}

fn days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take_while(move |day| *day < last)
}

/// Days of connections that nobody had told, and those of them that became ready.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn by_themselves(history: &History, first: NaiveDate, last: NaiveDate) -> (f64, f64) {
    let untold = |day| {
        let awaiting = history.level(day, Measure::Awaiting).unwrap_or_default();
        awaiting.saturating_sub(history.told_and_awaiting(day))
    };
    let exposed: u64 = days(first, last).map(untold).sum();
    let after = first.succ_opt().unwrap_or(first);
    let ready: u64 = history.organic.range(after..=last).map(|(_, (ready, _))| ready).sum();
    (exposed as f64, ready as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn present(history: &History, first: NaiveDate, last: NaiveDate) -> f64 {
    let level = |day| history.level(day, Measure::Connections).unwrap_or_default();
    days(first, last).map(level).sum::<u64>() as f64
}

/// Those gone by the last day who were not by the first.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn left(history: &History, first: NaiveDate, last: NaiveDate) -> f64 {
    let gone = |day| history.level(day, Measure::Gone).unwrap_or_default();
    gone(last).saturating_sub(gone(first)) as f64
}

/// What those told at each stage did, and how soon: of each stage the share that makes what was
/// seen most likely, of all together the time.
fn follow(
    history: &History,
    stages: &[&str],
    watched: NaiveDate,
    by_themselves: f64,
) -> (Vec<(String, Seen)>, Seen) {
    let is_told = |stage: &&&str| history.told_at(stage) > 0;
    let told: Vec<&str> = stages.iter().filter(is_told).copied().collect();
    let long_ago = watched - Days::new(LEAST_DAYS.unsigned_abs());
    let of_stage = |stage: &&str| {
        let cohorts =
            history.told.iter().filter(|((of, since), _)| of == stage && *since <= long_ago);
        cohorts.map(|(_, cohort)| cohort.entered).sum::<u64>()
    };
    let seen: Vec<u64> = told.iter().map(of_stage).collect();
    let tables: Vec<LifeTable> =
        told.iter().map(|stage| LifeTable::of(&history.told, stage, watched)).collect();
    let known: Vec<usize> = (0..told.len()).filter(|place| seen[*place] >= LEAST_SEEN).collect();
    let likely = |half: f64| {
        let of_each = known.iter().map(|place| share(&tables[*place], half, by_themselves));
        of_each.collect::<Vec<(f64, f64)>>()
    };
    let sum = |half: f64| likely(half).iter().map(|(_, likelihood)| likelihood).sum::<f64>();
    let half = halves().max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap_or(1.0);
    let mut shares = likely(half).into_iter();
    let follow = told.iter().zip(&seen).map(|(stage, of)| {
        let value = (*of >= LEAST_SEEN).then(|| shares.next()).flatten().map(|(share, _)| share);
        ((*stage).to_owned(), Seen { value, of: *of })
    });
    let follow = follow.collect();
    let followed = known.iter().map(|place| history.ready_after(told[*place])).sum();
    (follow, Seen::of(followed, LEAST_READY, || half))
}

/// The share that makes a table most likely, and the logarithm of how likely.
fn share(table: &LifeTable, half: f64, by_themselves: f64) -> (f64, f64) {
    let likelihood = |share: f64| {
        let mut before = 1.0;
        let mut sum = 0.0;
        for (age, seen) in (0_u32..).zip(&table.ages) {
            let after = 1.0 - share * acted(f64::from(age) + MIDDAY, half);
            let now = ((before - after) / before + by_themselves).clamp(1e-9, 1.0 - 1e-9);
            sum += seen.ready * now.ln() + (seen.at_risk - seen.ready) * (1.0 - now).ln();
            before = after.max(1e-9);
        }
        sum
    };
    // It has one top.
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..24 {
        let third = (high - low) / 3.0;
        if likelihood(low + third) < likelihood(high - third) {
            low += third;
        } else {
            high -= third;
        }
    }
    let top = f64::midpoint(low, high);
    (top, likelihood(top))
}

/// What those who were removed did, and how soon.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn come_back(history: &History, last: NaiveDate) -> (Seen, Seen) {
    let level = |day, measure| history.level(day, measure).unwrap_or_default();
    let Some(first) = history.first_day() else { return Default::default() };
    let rises = |measure: Measure| {
        let mut before = 0;
        days(first, last.succ_opt().unwrap_or(last))
            .map(|day| {
                let rise = level(day, measure).saturating_sub(before);
                before += rise;
                rise as f64
            })
            .collect::<Vec<f64>>()
    };
    let (removed, returned) = (rises(Measure::Removed), rises(Measure::Returned));
    let long_ago = last - Days::new(LEAST_DAYS.unsigned_abs());
    let of = level(long_ago, Measure::Removed);
    let back = level(last, Measure::Returned);
    // Those of each day's removals who would be back on each day, if all came.
    let would = |half: f64| {
        let mut would = vec![0.0; removed.len()];
        for (from, many) in removed.iter().enumerate().filter(|(_, many)| **many > 0.0) {
            let mut before = 0.0;
            for (age, sum) in (0_u32..).zip(would.iter_mut().skip(from)) {
                let after = acted(f64::from(age) + MIDDAY, half);
                *sum += many * (after - before);
                before = after;
            }
        }
        would
    };
    let likelihood = |half: f64| {
        let would = would(half);
        let all: f64 = would.iter().sum();
        returned
            .iter()
            .zip(&would)
            .map(|(seen, one)| seen * (one / all).max(1e-12).ln())
            .sum::<f64>()
    };
    let best = || halves().max_by(|a, b| likelihood(*a).total_cmp(&likelihood(*b))).unwrap_or(1.0);
    if of < LEAST_SEEN {
        return (Seen { value: None, of }, Seen { value: None, of: back });
    }
    let half = best();
    let all: f64 = would(half).iter().sum();
    let share = if all > 0.0 { (back as f64 / all).min(1.0) } else { 0.0 };
    (Seen { value: Some(share), of }, Seen::of(back, LEAST_READY, || half))
}
