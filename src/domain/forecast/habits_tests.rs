//! Histories of customers whose habits are known.

use chrono::{Days, NaiveDate};

use super::chance::Chance;
use super::habits::{Habits, LEAST_SEEN, LEAST_YEARS};
use super::history::History;
use crate::domain::daily::{Count, Measure};

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Days::new(number)
}

/// How long somebody takes, where half take no longer than `half`.
fn takes(chance: &mut Chance, half: f64) -> f64 {
    let mut halves = 0.0;
    while halves < 12.0 && chance.even() < 0.5 {
        halves += 1.0;
    }
    half * (halves + chance.even())
}

fn since(on: u64, measure: Measure, part: &str, since: u64) -> Count {
    Count { since: Some(day(since)), part: part.to_owned(), ..Count::of_all(day(on), measure, 1) }
}

/// Whole days until it is seen that somebody acted who takes so long, from a midday on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "days of a campaign")]
fn later(takes: f64) -> u64 {
    (takes + 0.5).floor() as u64
}

/// A campaign of two stages, `people` told at the first on day 0 and, unless they followed, at
/// the second on day 30; it is seen up to day 60.
fn told(people: u64, follow: [f64; 2], half: f64) -> Vec<Count> {
    let mut chance = Chance::new(11);
    let mut counts = vec![
        Count::of_all(day(0), Measure::Awaiting, people),
        Count::of_all(day(60), Measure::Awaiting, 0),
    ];
    for _ in 0..people {
        let mut told_at = 0;
        for (stage, (share, next)) in
            ["invitation", "reminder"].iter().zip(follow.iter().zip([30, 60]))
        {
            let on = Count {
                part: (*stage).to_owned(),
                ..Count::of_all(day(told_at), Measure::Told, 1)
            };
            counts.push(on);
            if chance.even() < *share {
                let on = told_at + later(takes(&mut chance, half));
                if on < next {
                    counts.push(since(on, Measure::BecameReady, stage, told_at));
                    break;
                }
            }
            if next < 60 {
                counts.push(since(next, Measure::Moved, stage, told_at));
            }
            told_at = next;
        }
    }
    counts
}

fn near(found: Option<f64>, truth: f64, by: f64) {
    let found = found.expect("there is enough to go by");
    assert!((found - truth).abs() <= by, "{found} is not {truth}");
}

const STAGES: [&str; 3] = ["invitation", "reminder", "final-notice"];

#[test]
fn shares_that_follow_each_message_and_how_soon_are_found_again() {
    for (follow, half) in [([0.40, 0.15], 3.0), ([0.10, 0.30], 1.0), ([0.25, 0.25], 7.0)] {
        let habits = Habits::of(&History::new(told(3_000, follow, half)), &STAGES);
        let stages: Vec<&str> = habits.follow.iter().map(|(stage, _)| stage.as_str()).collect();
        assert_eq!(stages, ["invitation", "reminder"], "nobody was told at the third");
        for ((_, seen), truth) in habits.follow.iter().zip(follow) {
            near(seen.value, truth, 0.03);
        }
        near(habits.follow_days.value, half, 0.15 * half + 0.2);
    }
}

#[test]
fn too_few_say_nothing() {
    let few = Habits::of(&History::new(told(LEAST_SEEN - 1, [1.0, 0.0], 2.0)), &STAGES);
    assert_eq!((few.follow[0].1.value, few.follow[0].1.of), (None, LEAST_SEEN - 1));
    assert_eq!(few.follow_days.value, None);
    assert_eq!(Habits::of(&History::default(), &STAGES), Habits::default());
    let one_day = [Count::of_all(day(0), Measure::Awaiting, 100_000)];
    let one_day = Habits::of(&History::new(one_day), &STAGES);
    assert_eq!((one_day.unprompted.value, one_day.unprompted.of), (None, 0));
}

#[test]
fn those_who_come_by_themselves_and_those_who_leave_are_told_from_the_others() {
    // A thousandth of those left becomes ready each day, and half as many leave.
    let mut counts = Vec::new();
    let (mut awaiting, mut gone) = (100_000_u64, 0);
    for on in 0..=40 {
        let ready = if on > 0 { awaiting / 1_000 } else { 0 };
        awaiting -= ready;
        gone += ready / 2;
        counts.extend([
            Count::of_all(day(on), Measure::Awaiting, awaiting),
            Count::of_all(day(on), Measure::Connections, 100_000),
            Count::of_all(day(on), Measure::Gone, gone),
            Count::of_all(day(on), Measure::BecameReady, ready),
        ]);
    }
    let habits = Habits::of(&History::new(counts), &STAGES);
    assert!(habits.unprompted.of > LEAST_YEARS && habits.leave.of > LEAST_YEARS);
    near(habits.unprompted.value, 1.0 - (-0.365_f64).exp(), 0.005);
    near(habits.leave.value, 1.0 - (-0.1788_f64).exp(), 0.005);
}

#[test]
fn whoever_comes_back_after_a_removal_is_found_again() {
    for (share, half) in [(0.6, 5.0), (0.9, 1.0), (0.0, 3.0)] {
        let mut chance = Chance::new(5);
        let mut back = [0_u64; 121];
        // Fifty are removed on each of twenty days.
        for on in 0..20_u64 {
            for _ in 0..50 {
                let then = usize::try_from(on + later(takes(&mut chance, half))).unwrap();
                if chance.even() < share && then < back.len() {
                    back[then] += 1;
                }
            }
        }
        let mut returned = 0;
        let counts = (0..=40_u64).flat_map(|on| {
            returned += back[usize::try_from(on).unwrap()];
            [
                Count::of_all(day(on), Measure::Removed, 50 * (on + 1).min(20)),
                Count::of_all(day(on), Measure::Returned, returned),
            ]
        });
        let habits = Habits::of(&History::new(counts), &STAGES);
        assert_eq!(habits.come_back.of, 1_000);
        near(habits.come_back.value, share, 0.04);
        if share > 0.0 {
            near(habits.come_back_days.value, half, 0.15 * half + 0.2);
        } else {
            assert_eq!(habits.come_back_days.value, None, "nobody came");
        }
    }
}
