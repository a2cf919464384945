//! What a forecast says of campaigns that are young, late, over, or about nobody.

use super::example::{campaign, day, policy};
use super::*;
use crate::domain::campaign::PromptPolicy;
use crate::domain::daily::Count;

/// Counts on days in a row: so many awaiting and ready on each.
fn levels(first: &str, standing: &[(u64, u64)]) -> Vec<Count> {
    let days = day(first).iter_days().zip(standing);
    days.flat_map(|(on, (awaiting, ready))| {
        [Count::of_all(on, Measure::Awaiting, *awaiting), Count::of_all(on, Measure::Ready, *ready)]
    })
    .collect()
}

fn event(on: &str, measure: Measure, since: &str, number: u64) -> Count {
    let stage = "invitation".to_owned();
    Count { day: day(on), measure, part: stage, since: since.parse().ok(), number }
}

/// A thousand were told on the stage's first day, and a tenth followed at once.
fn invited() -> Vec<Count> {
    let mut counts = levels("2026-12-17", &[(900, 100); 30]);
    counts.push(event("2026-12-17", Measure::Told, "", 1000));
    counts.push(event("2026-12-17", Measure::BecameReady, "2026-12-17", 100));
    counts
}

fn outlook(counts: Vec<Count>, prompts: &PromptPolicy, now: &str) -> Outlook {
    let campaign = campaign();
    let capacity = Capacity { campaign: &campaign, prompts, removal: None, runs_per_day: None };
    look_ahead(&History::new(counts), &capacity, day(now))
}

fn too_early(outlook: Outlook) -> String {
    match outlook {
        Outlook::TooEarly { text } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_little_history_nothing_is_guessed() {
    let prompts = policy(1000, &[]);
    let said = |counts, now| too_early(outlook(counts, &prompts, now));
    assert!(said(Vec::new(), "2026-12-20").contains("no run has counted"));
    let one = levels("2026-12-20", &[(900, 100)]);
    assert!(said(one, "2026-12-20").contains("0 days of history"));
    let month = levels("2026-11-17", &[(900, 100); 30]);
    assert!(said(month, "2026-12-16").contains("nobody was told"));
    let mut few = levels("2026-12-17", &[(900, 100); 30]);
    few.push(event("2026-12-17", Measure::Told, "", 1000));
    few.push(event("2026-12-18", Measure::BecameReady, "2026-12-17", 19));
    assert!(said(few, "2027-01-15").contains("19 connections became ready"));
}

#[test]
fn a_forecast_lies_between_where_it_stands_and_all() {
    let outlook = outlook(invited(), &policy(1000, &[]), "2027-01-15");
    let projection = outlook.projection().unwrap_or_else(|| panic!("{outlook:?}"));
    let share = projection.ready_percent;
    assert!(share.low > 10.0 && share.high < 100.0 && share.low < share.high, "{share:?}");
    assert_eq!(projection.course[0].day, day("2027-01-16"));
    assert_eq!(projection.course.last().unwrap().day, day("2027-09-12"));
    let first = projection.course[0].ready_percent;
    assert!(first.high - first.low < share.high - share.low, "it widens with time");
}

#[test]
fn the_same_history_gives_the_same_forecast() {
    let one = outlook(invited(), &policy(1000, &[]), "2027-01-15");
    assert_eq!(one, outlook(invited(), &policy(1000, &[]), "2027-01-15"));
}

#[test]
fn nothing_is_foreseen_past_the_deadline_or_where_nobody_is_awaiting() {
    let prompts = policy(1000, &[]);
    assert_eq!(outlook(invited(), &prompts, "2027-09-13"), Outlook::Over);
    let done = levels("2026-12-17", &[(0, 1000); 30]);
    assert_eq!(outlook(done, &prompts, "2027-01-15"), Outlook::Settled);
    let nobody = levels("2026-12-17", &[(0, 0); 30]);
    assert_eq!(outlook(nobody, &prompts, "2027-01-15"), Outlook::Settled);
}

#[test]
fn prompts_that_are_off_move_nobody() {
    let off = PromptPolicy { enabled: false, ..policy(1000, &[]) };
    let on = policy(1000, &[]);
    let [off, on] = [&off, &on].map(|prompts| {
        let outlook = outlook(invited(), prompts, "2027-01-15");
        outlook.projection().map(|projection| projection.ready_percent.middle)
    });
    assert!(off.is_some() && off < on, "{off:?} {on:?}");
}

#[test]
fn on_track_is_the_target_reached_and_every_stage_in_time() {
    let campaign = campaign();
    let judged = |prompts: &PromptPolicy, target| {
        let capacity = Capacity { campaign: &campaign, prompts, removal: None, runs_per_day: None };
        let history = History::new(invited());
        let outlook = look_ahead(&history, &capacity, day("2027-01-15"));
        let fits = fits(&history, &capacity, day("2027-01-15"));
        track(&outlook, &fits, Some(10.0), target).on_track
    };
    assert_eq!(judged(&policy(1000, &[]), 10.0), Some(true));
    assert_eq!(judged(&policy(1000, &[]), 99.9), Some(false));
    // Nine hundred take 300 working days.
    assert_eq!(judged(&policy(3, &[]), 10.0), Some(false));
}

#[test]
fn a_stage_that_cannot_fit_is_known_before_anything_else() {
    let early = Outlook::TooEarly { text: String::new() };
    let campaign = campaign();
    let prompts = policy(0, &[]);
    let capacity =
        Capacity { campaign: &campaign, prompts: &prompts, removal: None, runs_per_day: None };
    let history = History::new(levels("2026-12-01", &[(900, 0)]));
    let fits = fits(&history, &capacity, day("2026-12-01"));
    assert_eq!(fits.len(), 3);
    assert_eq!(track(&early, &fits, None, 95.0).on_track, Some(false));
    assert_eq!(track(&early, &[], None, 95.0).on_track, None);
}

#[test]
fn a_cohort_of_a_stage_that_was_taken_out_is_not_lost() {
    let mut counts = invited();
    counts.iter_mut().filter(|count| !count.part.is_empty()).for_each(|count| {
        count.part = "renamed".to_owned();
    });
    let state = state(&History::new(counts), &campaign(), day("2027-01-15"));
    assert_eq!(state.awaiting(), 900.0);
}
