//! What is not as it was, or not as elsewhere: for somebody to look at, before it costs
//! anybody a connection.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::daily::Measure;
use crate::domain::forecast::{History, Interval, LifeTable};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Anomaly {
    pub kind: Kind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A class that jumped from one day to the next.
    ClassJumped,
    /// A stage after which fewer follow than after the others.
    StageConvertsBadly,
    /// A language whose mails come back.
    LocaleBounces,
}

/// Days back that are looked at for jumps.
const RECENT: usize = 14;
/// A jump is at least so many connections, this share of all, and so many times the usual change.
const LEAST_JUMP: u64 = 20;
const JUMP_SHARE: f64 = 0.03;
const JUMP_TIMES: u64 = 5;
/// Days after the telling at which stages are compared.
const COMPARED_AT: usize = 7;
/// Fewer mails in a language say nothing.
const LEAST_MAILS: u64 = 30;
/// A share of bounces that a mailbox provider begins to mind.
const BOUNCES: f64 = 0.05;

/// Everything that stands out.
#[must_use]
pub fn find(history: &History, stages: &[&str], last: NaiveDate) -> Vec<Anomaly> {
    let mut found = jumps(history);
    found.extend(bad_stages(history, stages, last));
    found.extend(bounces(history));
    found
}

fn jumps(history: &History) -> Vec<Anomaly> {
    const CLASSES: [Measure; 5] = [
        Measure::BroadOnly,
        Measure::Mixed,
        Measure::Granular,
        Measure::Unaffected,
        Measure::Unknown,
    ];
    let mut found = Vec::new();
    for class in CLASSES {
        let levels: Vec<(NaiveDate, u64, u64)> = history
            .levels()
            .filter_map(|(day, levels)| {
                Some((day, *levels.get(&class)?, *levels.get(&Measure::Connections)?))
            })
            .collect();
        let changes: Vec<u64> =
            levels.windows(2).map(|pair| pair[0].1.abs_diff(pair[1].1)).collect();
        let mut sorted = changes.clone();
        sorted.sort_unstable();
        let usual = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        for (pair, change) in levels.windows(2).zip(&changes).rev().take(RECENT) {
            let [(_, before, _), (day, after, all)] = pair else { continue };
            let is_large = *change >= LEAST_JUMP && share(*change, *all) >= JUMP_SHARE;
            if is_large && *change >= usual.saturating_mul(JUMP_TIMES) {
                let text = format!(
                    "{} went from {before} to {after} on {day}; on most days it changes by {usual}",
                    class.as_str()
                );
                found.push(Anomaly { kind: Kind::ClassJumped, text });
            }
        }
    }
    found
}

fn bad_stages(history: &History, stages: &[&str], last: NaiveDate) -> Vec<Anomaly> {
    let at = |stage: &&str| {
        let curve = LifeTable::of(&history.told, stage, last).curve();
        curve.into_iter().nth(COMPARED_AT).map(|point| point.ready)
    };
    let known: Vec<(&str, Interval)> =
        stages.iter().filter_map(|stage| Some((*stage, at(stage)?))).collect();
    let best = known.iter().max_by(|one, other| one.1.middle.total_cmp(&other.1.middle)).copied();
    let Some((best, most)) = best else { return Vec::new() };
    known
        .iter()
        .filter(|(_, ready)| ready.high < most.low && ready.middle < most.middle / 2.0)
        .map(|(stage, ready)| Anomaly {
            kind: Kind::StageConvertsBadly,
            text: format!(
                "{COMPARED_AT} days after {stage} {:.1}% of those told are ready, after {best} it \
                 was {:.1}%",
                100.0 * ready.middle,
                100.0 * most.middle
            ),
        })
        .collect()
}

fn bounces(history: &History) -> Vec<Anomaly> {
    let sums = |measure| -> BTreeMap<&str, u64> {
        history.parts(measure).map(|(part, days)| (part, days.values().sum())).collect()
    };
    let (mails, bounced) = (sums(Measure::Mails), sums(Measure::Bounced));
    let (all, back) = (mails.values().sum::<u64>(), bounced.values().sum::<u64>());
    let mut found = Vec::new();
    for (locale, sent) in mails.into_iter().filter(|(_, sent)| *sent >= LEAST_MAILS) {
        let came_back = bounced.get(locale).copied().unwrap_or_default().min(sent);
        let own = share(came_back, sent);
        let others = share(back.saturating_sub(came_back), all.saturating_sub(sent));
        if Interval::of_share(own, number(sent)).low > others.max(BOUNCES) {
            let language = if locale.is_empty() { "no known language" } else { locale };
            let text = format!(
                "{came_back} of {sent} mails to people of {language} came back ({:.1}%), of the \
                 others {:.1}%",
                100.0 * own,
                100.0 * others
            );
            found.push(Anomaly { kind: Kind::LocaleBounces, text });
        }
    }
    found
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::daily::Count;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 12, 20).unwrap() + chrono::Days::new(number.into())
    }

    fn part(on: u32, measure: Measure, part: &str, since: Option<u32>, number: u64) -> Count {
        Count { day: day(on), measure, part: part.into(), since: since.map(day), number }
    }

    fn texts(counts: Vec<Count>) -> Vec<String> {
        let found = find(&History::new(counts), &["invitation", "reminder"], day(40));
        found.into_iter().map(|anomaly| anomaly.text).collect()
    }

    #[test]
    fn a_class_that_jumps_is_named_and_one_that_moves_as_ever_is_not() {
        let levels = [100, 103, 106, 180, 183].into_iter().zip(0..);
        let counts = levels
            .flat_map(|(unknown, on)| {
                [
                    Count::of_all(day(on), Measure::Connections, 1000),
                    Count::of_all(day(on), Measure::Unknown, unknown),
                    Count::of_all(day(on), Measure::Mixed, 500 - 60 * u64::from(on)),
                ]
            })
            .collect();
        assert_eq!(
            texts(counts),
            ["unknown went from 106 to 180 on 2026-12-23; on most days it changes by 3"]
        );
    }

    #[test]
    fn a_stage_after_which_few_follow_is_named() {
        let counts = vec![
            part(0, Measure::Told, "invitation", None, 1000),
            part(1, Measure::BecameReady, "invitation", Some(0), 300),
            part(20, Measure::Told, "reminder", None, 700),
            part(21, Measure::BecameReady, "reminder", Some(20), 30),
        ];
        let texts = texts(counts);
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].starts_with("7 days after reminder 4.3%"), "{texts:?}");
    }

    #[test]
    fn a_language_whose_mails_come_back_is_named_if_there_are_enough() {
        let counts = vec![
            part(0, Measure::Mails, "en", None, 900),
            part(1, Measure::Bounced, "en", None, 9),
            part(0, Measure::Mails, "de", None, 60),
            part(1, Measure::Bounced, "de", None, 12),
            part(0, Measure::Mails, "fr", None, 20),
            part(1, Measure::Bounced, "fr", None, 20),
        ];
        let texts = texts(counts);
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(
            texts[0].starts_with("12 of 60 mails to people of de came back (20.0%)"),
            "{texts:?}"
        );
    }

    #[test]
    fn nothing_stands_out_where_there_is_nothing() {
        assert_eq!(texts(Vec::new()), Vec::<String>::new());
    }
}
