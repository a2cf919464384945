//! How many messages can leave on which day, and so until when a stage can begin at the latest
//! for everybody to be told in time.

use chrono::{Datelike, Days, NaiveDate};
use serde::Serialize;

use crate::domain::campaign::{Campaign, PromptPolicy, RemovalPolicy, Stage};

/// What lets messages out.
#[derive(Clone, Copy, Debug)]
pub struct Capacity<'a> {
    pub campaign: &'a Campaign,
    pub prompts: &'a PromptPolicy,
    pub removal: Option<&'a RemovalPolicy>,
    /// Runs that prompt in the hours of one working day, where a schedule says so.
    pub runs_per_day: Option<u64>,
}

/// Whether a stage can tell everybody in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    pub stage: String,
    pub opens: NaiveDate,
    /// Messages that are still to go out.
    pub messages: u64,
    /// Days on which messages may go out that this takes; `None` where it never ends.
    pub working_days: Option<u64>,
    /// The last day by which all have to be told.
    pub needed_by: NaiveDate,
    /// The last day on which it can begin.
    pub last_safe_day: Option<NaiveDate>,
    /// When all are told if it begins on its day, or today where that has been.
    pub done_by: Option<NaiveDate>,
    pub fits: bool,
}

/// Days after which a stage that is not through is taken never to be.
const FAR: u64 = 1500;

impl Capacity<'_> {
    /// Whether messages go out at all on one of the campaign's days.
    #[must_use]
    pub fn is_open(&self, day: NaiveDate) -> bool {
        let working = &self.campaign.working;
        working.days.contains(&day.weekday()) && !working.holidays.contains(&day)
    }

    /// The most that leaves on the so-manieth working day of a stage, from 0; `None` for no limit.
    #[must_use]
    pub fn on_day(&self, of_stage: usize) -> Option<u64> {
        let policy = self.prompts;
        let per_run = policy.max_per_run.map(u64::from);
        let of_runs = per_run.zip(self.runs_per_day).map(|(each, runs)| each.saturating_mul(runs));
        let ramp = policy.ramp.get(of_stage).copied().map(u64::from);
        // Without a schedule nobody knows how often; but none is none.
        let none = per_run.filter(|each| *each == 0);
        [policy.max_per_day.map(u64::from), of_runs, ramp, none].into_iter().flatten().min()
    }

    /// Working days that so many messages take, `begun` of the stage's days being over.
    #[must_use]
    pub fn days_for(&self, messages: u64, begun: usize) -> Option<u64> {
        let mut left = messages;
        for day in 0..FAR {
            if left == 0 {
                return Some(day);
            }
            let index = begun.saturating_add(usize::try_from(day).unwrap_or(usize::MAX));
            let Some(let_out) = self.on_day(index) else { return Some(day + 1) };
            if let_out == 0 && index >= self.prompts.ramp.len() {
                return None;
            }
            left = left.saturating_sub(let_out);
        }
        None
    }

    /// The last day by which everybody has to be told at a stage: the next stage takes its
    /// place, and a removal waits for the end of the notice.
    #[must_use]
    pub fn needed_by(&self, stage: &Stage) -> NaiveDate {
        let before = |offset: i64| {
            self.campaign.day_from_deadline(offset).with_timezone(&self.campaign.zone).date_naive()
        };
        let notice = self
            .removal
            .filter(|removal| removal.enabled && stage.is_final)
            .and_then(|removal| removal.min_notice_days);
        match notice {
            Some(days) => before(-1 - i64::from(days)),
            None if stage.is_final => before(-1),
            None => {
                let later = self.campaign.stages.iter().map(|stage| stage.day.offset());
                let next = later.filter(|offset| *offset > stage.day.offset()).min();
                before(next.unwrap_or(0).min(0) - 1)
            }
        }
    }

    /// Whether a stage fits, with so many messages left to send from `today` on.
    #[must_use]
    pub fn fit(&self, stage: &Stage, messages: u64, begun: usize, today: NaiveDate) -> Fit {
        let opens = self.campaign.opens(stage).with_timezone(&self.campaign.zone).date_naive();
        let needed_by = self.needed_by(stage);
        let working_days = self.days_for(messages, begun);
        let last_safe_day = working_days.and_then(|days| self.count_back(needed_by, days));
        let done_by = working_days.and_then(|days| self.count_on(opens.max(today), days));
        Fit {
            stage: stage.name.clone(),
            opens,
            messages,
            working_days,
            needed_by,
            last_safe_day,
            fits: messages == 0 || done_by.is_some_and(|done| done <= needed_by),
            done_by,
        }
    }

    /// The last of so many working days from a day on.
    fn count_on(&self, from: NaiveDate, days: u64) -> Option<NaiveDate> {
        let Some(more) = days.checked_sub(1) else { return Some(from) };
        let open = from.iter_days().take(usize::try_from(FAR * 7).ok()?);
        open.filter(|day| self.is_open(*day)).nth(usize::try_from(more).ok()?)
    }

    /// The first of so many working days up to a day.
    fn count_back(&self, until: NaiveDate, days: u64) -> Option<NaiveDate> {
        let Some(more) = days.checked_sub(1) else { return Some(until) };
        let back = (0..FAR * 7).filter_map(|days| until.checked_sub_days(Days::new(days)));
        back.filter(|day| self.is_open(*day)).nth(usize::try_from(more).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{campaign, day, policy};
    use super::*;

    fn capacity<'a>(campaign: &'a Campaign, prompts: &'a PromptPolicy) -> Capacity<'a> {
        Capacity { campaign, prompts, removal: None, runs_per_day: None }
    }

    #[test]
    fn the_last_safe_day_counts_caps_ramp_and_working_days_back() {
        let (campaign, prompts) = (campaign(), policy(100, &[10, 50]));
        let capacity = capacity(&campaign, &prompts);
        // 10, 50, then 100 a day: 5 days for 360.
        assert_eq!(capacity.days_for(360, 0), Some(5));
        assert_eq!(capacity.days_for(361, 0), Some(6));
        assert_eq!(capacity.days_for(0, 0), Some(0));
        // The reminder's day is 16 April 2027, a Friday; Monday to Thursday are worked.
        let fit = capacity.fit(&campaign.stages[0], 360, 0, day("2026-12-01"));
        assert_eq!(fit.needed_by, day("2027-04-15"));
        assert_eq!(fit.last_safe_day, Some(day("2027-04-08")));
        assert_eq!(fit.done_by, Some(day("2026-12-24")));
        assert!(fit.fits);
    }

    #[test]
    fn holidays_and_the_turn_of_the_year_are_waited_out() {
        let (mut campaign, prompts) = (campaign(), policy(100, &[]));
        campaign.working.holidays = [day("2026-12-28"), day("2027-01-01")].into();
        let capacity = capacity(&campaign, &prompts);
        let fit = capacity.fit(&campaign.stages[0], 500, 0, day("2026-12-24"));
        // Thursday the 24th, then Tuesday to Thursday, then Monday the 4th.
        assert_eq!(fit.done_by, Some(day("2027-01-04")));
    }

    #[test]
    fn the_final_notice_has_to_be_over_before_the_deadline() {
        let (campaign, prompts) = (campaign(), policy(100, &[]));
        let removal = RemovalPolicy { enabled: true, ..crate::domain::example::removal() };
        let capacity = Capacity { removal: Some(&removal), ..capacity(&campaign, &prompts) };
        let last = campaign.stages.iter().find(|stage| stage.is_final).unwrap();
        let notice = removal.min_notice_days.unwrap();
        let needed = campaign.deadline_day() - Days::new(u64::from(notice) + 1);
        assert_eq!(capacity.needed_by(last), needed);
        let late = capacity.fit(last, 100, 0, needed.succ_opt().unwrap());
        assert!(!late.fits, "{late:?}");
    }

    #[test]
    fn a_cap_of_none_never_ends_and_no_cap_takes_a_day() {
        let (campaign, none, open) = (campaign(), policy(0, &[]), PromptPolicy::default());
        assert_eq!(capacity(&campaign, &none).days_for(1, 0), None);
        assert!(!capacity(&campaign, &none).fit(&campaign.stages[0], 1, 0, day("2026-12-01")).fits);
        assert_eq!(capacity(&campaign, &open).days_for(1_000_000, 0), Some(1));
    }

    #[test]
    fn a_cap_for_each_run_counts_as_often_as_there_are_runs() {
        let campaign = campaign();
        let prompts = PromptPolicy { max_per_run: Some(20), ..policy(100, &[]) };
        let on =
            |runs_per_day| Capacity { runs_per_day, ..capacity(&campaign, &prompts) }.on_day(0);
        assert_eq!((on(None), on(Some(3)), on(Some(9))), (Some(100), Some(60), Some(100)));
    }
}
