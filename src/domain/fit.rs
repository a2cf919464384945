//! Does the campaign fit into the time that is left? From numbers alone: how many are to be
//! written to, what the caps, ramps, rates and working days let through, and when each stage
//! has to be done.

use chrono::{DateTime, Days, NaiveDate, Timelike, Utc};
use serde::Serialize;

use super::budget::share;
use super::campaign::{Campaign, Channel, PromptPolicy, RemovalPolicy, Stage};

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// People who are written to at each stage.
    pub recipients: u64,
    pub awaiting: u64,
    pub present: u64,
    /// Stages at which people have been told already.
    pub told: u32,
}

/// What lets it through.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    pub campaign: &'a Campaign,
    pub prompts: &'a PromptPolicy,
    /// While it is enabled.
    pub removal: Option<&'a RemovalPolicy>,
    pub mails_per_minute: Option<u32>,
    /// Runs that prompt, within the open hours of a working day; `None` is not known.
    pub runs_a_day: Option<u64>,
}

/// One stage, if everybody still awaits at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageFit {
    pub stage: String,
    /// The first day on which it can go out.
    pub from: NaiveDate,
    /// The day by which it has to be done.
    pub until: NaiveDate,
    pub prompts: u64,
    /// Working days that it takes; `None` where the caps let nothing through.
    pub takes: Option<u64>,
    /// Working days that it has.
    pub has: u64,
    /// The last day on which it can begin and be done in time.
    pub latest: Option<NaiveDate>,
}

/// The removals, if nobody reacts to anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovalFit {
    pub from: NaiveDate,
    pub until: NaiveDate,
    /// Connections that the caps let go in that time.
    pub most: u64,
    pub awaiting: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Those to come before the deadline, and the one that is due.
    pub stages: Vec<StageFit>,
    pub removal: Option<RemovalFit>,
    /// Stages that are left, and that `min_prompts` still wants, where it wants more.
    pub too_few_stages: Option<(u32, u32)>,
    /// From this day on it no longer fits.
    pub too_late_from: Option<NaiveDate>,
    /// The name of the stage with the least to spare.
    pub tightest: Option<String>,
}

impl StageFit {
    #[must_use]
    pub fn fits(&self) -> bool {
        self.takes.is_some_and(|takes| takes <= self.has)
    }

    /// Working days to spare; less than none where it does not fit.
    fn spare(&self) -> i64 {
        let takes =
            self.takes.map_or(i64::MAX / 2, |days| i64::try_from(days).unwrap_or(i64::MAX / 2));
        i64::try_from(self.has).unwrap_or(i64::MAX / 2) - takes
    }
}

impl Fit {
    #[must_use]
    pub fn fits(&self) -> bool {
        self.stages.iter().all(StageFit::fits) && self.too_few_stages.is_none()
    }
}

impl Means<'_> {
    /// Works it out.
    #[must_use]
    pub fn fit(&self, load: Load, now: DateTime<Utc>) -> Fit {
        let today = now.with_timezone(&self.campaign.zone).date_naive();
        let deadline = self.campaign.deadline_day();
        if today >= deadline {
            return Fit::default();
        }
        let due = self.campaign.due_stages(now);
        let left: Vec<&Stage> = self
            .campaign
            .stages
            .iter()
            .filter(|stage| stage.day.offset() < 0)
            .filter(|stage| due.contains(stage) || self.day(stage) > today)
            .collect();
        let mut stages = Vec::new();
        for (at, stage) in left.iter().enumerate() {
            let next = left.get(at + 1).map_or(deadline, |next| self.day(next));
            let until = match self.removal.filter(|_| stage.is_final) {
                Some(policy) => self.last_notice(policy, deadline),
                None => next,
            };
            stages.push(self.stage(stage, self.day(stage).max(today), until, load));
        }
        let removal = self.removal.map(|policy| self.removals(policy, &stages, load, today));
        let wanted = self.removal.and_then(|policy| policy.min_prompts).unwrap_or_default();
        let wanted = wanted.saturating_sub(load.told);
        let have = u32::try_from(left.len()).unwrap_or(u32::MAX);
        let tightest = stages.iter().min_by_key(|stage| stage.spare());
        let decisive = self.decisive(&stages, &left);
        Fit {
            too_few_stages: (have < wanted).then_some((have, wanted)),
            too_late_from: decisive
                .and_then(|stage| stage.latest)
                .and_then(|day| day.checked_add_days(Days::new(1))),
            tightest: tightest.map(|stage| stage.stage.clone()),
            removal,
            stages,
        }
    }

    /// The stage that everything depends on: the final notice, else the last one.
    fn decisive<'s>(&self, fits: &'s [StageFit], stages: &[&Stage]) -> Option<&'s StageFit> {
        let is_final = |(_, stage): &(&StageFit, &&Stage)| stage.is_final;
        let found = fits.iter().zip(stages).find(is_final).map(|(fit, _)| fit);
        found.or_else(|| fits.last())
    }

    fn day(&self, stage: &Stage) -> NaiveDate {
        self.campaign.opens(stage).with_timezone(&self.campaign.zone).date_naive()
    }

    /// The day before which everybody has to have the final notice for a removal to be
    /// possible at all.
    fn last_notice(&self, policy: &RemovalPolicy, deadline: NaiveDate) -> NaiveDate {
        let notice = u64::from(policy.min_notice_days.unwrap_or_default());
        deadline.checked_sub_days(Days::new(notice)).unwrap_or(deadline)
    }

    fn stage(&self, stage: &Stage, from: NaiveDate, until: NaiveDate, load: Load) -> StageFit {
        let prompts = load.recipients * stage.channels.len() as u64;
        let mails = stage.channels.contains(&Channel::Email);
        let takes = self.takes(prompts, mails);
        let working: Vec<NaiveDate> = days(from, until).filter(|day| self.works(*day)).collect();
        let has = working.len() as u64;
        let latest = takes.and_then(|takes| {
            let at = working.len().checked_sub(usize::try_from(takes.max(1)).ok()?)?;
            working.get(at).copied()
        });
        StageFit { stage: stage.name.clone(), from, until, prompts, takes, has, latest }
    }

    /// Working days for so many prompts.
    fn takes(&self, prompts: u64, mails: bool) -> Option<u64> {
        let steady = self.a_day(mails);
        let mut left = prompts;
        let mut day = 0;
        while left > 0 {
            let ramp = self.prompts.ramp.get(day).map_or(u64::MAX, |cap| u64::from(*cap));
            let through = steady.min(ramp);
            if through == 0 && day >= self.prompts.ramp.len() {
                return None;
            }
            day += 1;
            left = left.saturating_sub(through);
            if day > self.prompts.ramp.len() && left > 0 {
                return Some(day as u64 + left.div_ceil(steady));
            }
        }
        Some(day as u64)
    }

    /// Prompts that leave on a working day when no ramp holds.
    fn a_day(&self, mails: bool) -> u64 {
        let cap = |cap: Option<u32>| cap.map_or(u64::MAX, u64::from);
        let working = &self.campaign.working;
        let minutes = (working.until - working.from).num_minutes().max(0).unsigned_abs();
        // `00:00` at the end stands for the end of the day.
        let minutes = if working.until.num_seconds_from_midnight() == 0 { 1440 } else { minutes };
        let by_rate = match self.mails_per_minute.filter(|_| mails) {
            Some(rate) => u64::from(rate) * minutes,
            None => u64::MAX,
        };
        let by_run = match (self.prompts.max_per_run, self.runs_a_day) {
            (Some(most), Some(runs)) => u64::from(most) * runs,
            _ => u64::MAX,
        };
        cap(self.prompts.max_per_day).min(by_rate).min(by_run)
    }

    fn works(&self, day: NaiveDate) -> bool {
        use chrono::Datelike;
        let working = &self.campaign.working;
        working.days.contains(&day.weekday()) && !working.holidays.contains(&day)
    }

    fn removals(
        &self,
        policy: &RemovalPolicy,
        stages: &[StageFit],
        load: Load,
        today: NaiveDate,
    ) -> RemovalFit {
        let Load { awaiting, present, .. } = load;
        let deadline = self.campaign.deadline_day();
        let before =
            |days: u32| deadline.checked_sub_days(Days::new(days.into())).unwrap_or(deadline);
        let opens = before(policy.opens_days_before.unwrap_or_default()).max(today);
        let notice = Days::new(policy.min_notice_days.unwrap_or_default().into());
        let noticed = self
            .campaign
            .stages
            .iter()
            .filter(|stage| stage.is_final)
            .find_map(|stage| stages.iter().find(|fit| fit.stage == stage.name))
            .and_then(|fit| fit.from.checked_add_days(notice));
        let from = noticed.map_or(opens, |noticed| noticed.max(opens)).min(deadline);
        let cap = |cap: Option<u32>| cap.map_or(u64::MAX, u64::from);
        let share = policy.max_percent.map_or(u64::MAX, |percent| share(present, percent));
        let steady = cap(policy.max_per_day).min(share);
        let most = days(from, deadline)
            .filter(|day| self.works(*day))
            .enumerate()
            .map(|(day, _)| {
                steady.min(policy.ramp.get(day).map_or(u64::MAX, |cap| u64::from(*cap)))
            })
            .fold(0_u64, u64::saturating_add);
        RemovalFit { from, until: deadline, most, awaiting }
    }
}

fn days(from: NaiveDate, until: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |day| *day < until)
}
