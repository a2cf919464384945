//! Customers as they have been so far: what is taken for granted, made from the campaign's own
//! history wherever there is enough of it, and said of each number where it comes from.

use crate::domain::forecast::{Habits, History, LEAST_DAYS, LEAST_SEEN, LEAST_YEARS, Seen};
use crate::store::prompts::Mailed;

use super::assume::Assumptions;

/// The campaign so far.
pub struct Past<'a> {
    pub history: &'a History,
    /// The stages of the configuration, in order.
    pub stages: Vec<&'a str>,
    pub mailed: &'a [Mailed],
}

/// How the customers of this past will go on, and where each number is from, in sentences.
#[must_use]
pub fn fitted(past: &Past<'_>) -> (Assumptions, Vec<String>) {
    let habits = Habits::of(past.history, &past.stages);
    let mut fitted = Assumptions::default();
    let mut said = vec![so_far(past.history)];
    follow(&habits, &mut fitted, &mut said);
    let customers = &mut fitted.customers;
    let moved = customers.follow.last().copied().unwrap_or_default();
    let come_back = by_themselves(habits.come_back, habits.told_of_removal, moved);
    let years = |what: &str| format!("years of {what}, and {LEAST_YEARS} are needed");
    for (key, value, seen, of, needed) in [
        (
            "follow_days",
            &mut customers.follow_days,
            habits.follow_days,
            "who followed a message",
            "who followed a message, and 20 are needed".to_owned(),
        ),
        (
            "unprompted",
            &mut customers.unprompted,
            habits.unprompted,
            "years of connections that nobody had told",
            years("connections that nobody had told"),
        ),
        ("leave", &mut customers.leave, habits.leave, "years of connections", years("connections")),
        (
            "come_back",
            &mut customers.come_back,
            come_back,
            "who were removed",
            format!("removed {LEAST_DAYS} days ago or earlier, and {LEAST_SEEN} are needed"),
        ),
        (
            "come_back_days",
            &mut customers.come_back_days,
            habits.come_back_days,
            "who came back",
            "who came back, and 20 are needed".to_owned(),
        ),
        (
            "dead_addresses",
            &mut fitted.mail.dead_addresses,
            dead(past.mailed),
            "addresses that were written to",
            format!("addresses written to, and {LEAST_SEEN} are needed"),
        ),
    ] {
        said.push(take(key, value, seen, of, &needed));
    }
    said.push("all other numbers are as written".to_owned());
    (fitted, said)
}

/// Those removed who come back without a message that moves them to: each message that tells of
/// a removal moves as many of the others as any late one does.
fn by_themselves(come_back: Seen, messages: f64, moved: f64) -> Seen {
    let unmoved = (1.0 - moved).powf(messages).max(f64::EPSILON);
    let share = |back: f64| (1.0 - (1.0 - back) / unmoved).max(0.0);
    Seen { value: come_back.value.map(share), ..come_back }
}

/// Takes a number over where there is one, and says so.
fn take(key: &str, value: &mut f64, seen: Seen, of: &str, needed: &str) -> String {
    match seen.value {
        Some(found) => {
            *value = round(found);
            format!("{key} {value}: of {} {of}", seen.of)
        }
        None => format!("{key} {value} as written: too few, {} {needed}", seen.of),
    }
}

/// Whole hundredths: more would be made up.
fn round(share: f64) -> f64 {
    (100.0 * share).round() / 100.0
}

fn so_far(history: &History) -> String {
    let days = history.first_day().zip(history.last_day());
    match days.map(|(first, last)| (first, last, (last - first).num_days())) {
        None => "there is no history yet: no run has counted".to_owned(),
        Some((first, _, 0)) => format!("the history is one day long: {first}"),
        Some((first, last, days)) => {
            format!("customers are as they were in the {days} days from {first} to {last}")
        }
    }
}

/// The shares that followed each message: the first stage that told anybody stands for the
/// first message, and so on.
fn follow(habits: &Habits, fitted: &mut Assumptions, said: &mut Vec<String>) {
    let customers = &mut fitted.customers;
    let written = customers.follow.clone();
    // Some of those who consent are none the readier for it; who became ready is what was seen.
    let in_vain = (customers.colleague + customers.broad).min(0.9);
    let mut shares = Vec::new();
    let rest = written.last().copied().unwrap_or_default();
    for (place, (stage, seen)) in habits.follow.iter().enumerate() {
        let number = place + 1;
        let as_written = written.get(place).copied().unwrap_or(rest);
        shares.push(match seen.value {
            Some(found) => {
                let share = round((found / (1.0 - in_vain)).min(1.0));
                said.push(format!(
                    "follow, message {number}: {share}, of {} told at {stage}",
                    seen.of
                ));
                share
            }
            None => {
                said.push(format!(
                    "follow, message {number}: {as_written} as written: too few, {} told at \
                     {stage} {LEAST_DAYS} days ago or earlier, and {LEAST_SEEN} are needed",
                    seen.of
                ));
                as_written
            }
        });
    }
    let later: Vec<f64> = written.iter().skip(shares.len()).copied().collect();
    if later.is_empty() {
        if let (Some(last), false) = (shares.last(), shares.is_empty()) {
            said.push(format!("follow, later messages: {last}, as the last of these"));
        }
    } else {
        let list: Vec<String> = later.iter().map(ToString::to_string).collect();
        said.push(format!(
            "follow, from message {} on: {} as written: nobody was told so often",
            shares.len() + 1,
            list.join(", ")
        ));
    }
    shares.extend(later);
    customers.follow = shares;
}

/// The share of addresses of which something came back, or that refused it.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn dead(mailed: &[Mailed]) -> Seen {
    let of = mailed.len() as u64;
    let failed = mailed.iter().filter(|one| one.failed > 0).count();
    let share = (of >= LEAST_SEEN).then(|| failed as f64 / of as f64);
    Seen { value: share, of }
}

#[cfg(test)]
mod tests {
    use chrono::{Days, NaiveDate};

    use super::*;
    use crate::domain::daily::{Count, Measure};

    fn day(number: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Days::new(number)
    }

    fn told(stage: &str, on: u64, number: u64) -> Count {
        Count { part: stage.to_owned(), ..Count::of_all(day(on), Measure::Told, number) }
    }

    fn fit(counts: Vec<Count>, mailed: &[Mailed]) -> (Assumptions, Vec<String>) {
        let history = History::new(counts);
        let stages = vec!["invitation", "reminder", "final-notice"];
        fitted(&Past { history: &history, stages, mailed })
    }

    #[test]
    fn without_history_everything_is_as_written_and_said_to_be() {
        let (assumed, said) = fit(Vec::new(), &[]);
        assert_eq!(assumed, Assumptions::default());
        assert_eq!(said[0], "there is no history yet: no run has counted");
        assert!(said.iter().all(|line| !line.contains(": of")), "{said:?}");
        let (_, said) = fit(vec![Count::of_all(day(0), Measure::Awaiting, 9)], &[]);
        assert_eq!(said[0], "the history is one day long: 2026-12-01");
    }

    #[test]
    fn each_number_says_where_it_is_from() {
        let followed = Count {
            since: Some(day(0)),
            part: "invitation".to_owned(),
            ..Count::of_all(day(1), Measure::BecameReady, 24)
        };
        let counts = vec![
            Count::of_all(day(0), Measure::Awaiting, 100),
            Count::of_all(day(30), Measure::Awaiting, 76),
            told("invitation", 0, 100),
            told("reminder", 28, 49),
            followed,
        ];
        let mailed: Vec<Mailed> = (0..60)
            .map(|one| Mailed { recipient: one.to_string(), taken: 1, failed: i64::from(one < 3) })
            .collect();
        let (assumed, said) = fit(counts, &mailed);
        // 24 of 100, of whom 4% would have consented in vain.
        assert_eq!(assumed.customers.follow, [0.25, 0.25, 0.2]);
        assert_eq!(assumed.mail.dead_addresses, 0.05);
        for line in [
            "customers are as they were in the 30 days from 2026-12-01 to 2026-12-31",
            "follow, message 1: 0.25, of 100 told at invitation",
            "follow, message 2: 0.25 as written: too few, 0 told at reminder 7 days ago or \
             earlier, and 50 are needed",
            "follow, from message 3 on: 0.2 as written: nobody was told so often",
            "dead_addresses 0.05: of 60 addresses that were written to",
            "come_back 0.6 as written: too few, 0 removed 7 days ago or earlier, and 50 are needed",
        ] {
            assert!(said.iter().any(|it| it == line), "{line:?} is not in {said:#?}");
        }
    }
}
