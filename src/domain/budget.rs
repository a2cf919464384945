//! Caps: the second pure step, over all candidates, most urgent first.

use std::collections::BTreeMap;

use super::campaign::{PromptPolicy, RemovalPolicy};
use super::ramp;
use super::reason::{Code, Reason};

/// What is used up already. On a first day all is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Since midnight in the campaign's zone.
    pub today: u64,
    /// Days on which this stage (or removing) has been at work before today.
    pub days: usize,
}

/// A cap that counts down. `None` is no cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cap {
    code: Code,
    limit: u64,
    left: u64,
}

/// Several caps that all have to hold.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    caps: Vec<Cap>,
}

impl Budget {
    /// For prompts of all stages in this run, of which `in_run` are spent.
    fn of_prompts(policy: &PromptPolicy, in_run: u64, today: u64) -> Self {
        let mut budget = Self::default();
        budget.cap(Code::MaxPerRun, policy.max_per_run.map(u64::from), in_run);
        budget.cap(Code::MaxPerDay, policy.max_per_day.map(u64::from), today);
        budget
    }

    /// For prompts of one stage.
    fn of_stage(policy: &PromptPolicy, used: Used) -> Self {
        let mut budget = Self::default();
        budget.cap(Code::Ramp, step(&policy.ramp, used.days), used.today);
        budget
    }

    /// For removals out of `present` connections, of which so many are spent in this run and
    /// on this day.
    #[must_use]
    pub fn of_removals(
        policy: &RemovalPolicy,
        present: u64,
        (in_run, today): (u64, u64),
        ramp: &ramp::Step,
    ) -> Self {
        let mut budget = Self::default();
        budget.cap(Code::MaxPerRun, policy.max_per_run.map(u64::from), in_run);
        budget.cap(Code::MaxPerDay, policy.max_per_day.map(u64::from), today);
        let share = policy.max_percent.map(|percent| share(present, percent));
        budget.cap(Code::MaxPercent, share, today);
        let code = if ramp.waits.is_some() { Code::RampWaits } else { Code::Ramp };
        budget.cap(code, step(&policy.ramp, ramp.step), today);
        budget
    }

    fn cap(&mut self, code: Code, limit: Option<u64>, used: u64) {
        if let Some(limit) = limit {
            self.caps.push(Cap { code, limit, left: limit.saturating_sub(used) });
        }
    }

    /// Takes one, or tells every cap that has nothing left.
    ///
    /// # Errors
    /// With the reasons; nothing is taken then.
    pub fn take(&mut self) -> Result<(), Vec<Reason>> {
        let spent = self.spent();
        if !spent.is_empty() {
            return Err(spent);
        }
        self.spend();
        Ok(())
    }

    fn spent(&self) -> Vec<Reason> {
        self.caps
            .iter()
            .filter(|cap| cap.left == 0)
            .map(|cap| cap.code.because(format!("{} ({})", cap.code.text(), cap.limit)))
            .collect()
    }

    fn spend(&mut self) {
        for cap in &mut self.caps {
            cap.left = cap.left.saturating_sub(1);
        }
    }
}

/// The caps of prompts: those that all stages share, and each stage's ramp.
#[derive(Clone, Debug)]
pub struct PromptBudget<'a> {
    policy: &'a PromptPolicy,
    shared: Budget,
    stages: BTreeMap<String, Budget>,
}

impl<'a> PromptBudget<'a> {
    /// `in_run` and `today` are what is spent already, of all stages.
    #[must_use]
    pub fn new(policy: &'a PromptPolicy, in_run: u64, today: u64) -> Self {
        let shared = Budget::of_prompts(policy, in_run, today);
        Self { policy, shared, stages: BTreeMap::new() }
    }

    /// Takes one prompt of a stage, of which `used` is spent when it is asked for the first
    /// time; its recipient had `mails` messages today, if it goes by mail.
    ///
    /// # Errors
    /// With every reason; nothing is taken then.
    pub fn take(&mut self, stage: &str, used: Used, mails: Option<u64>) -> Result<(), Vec<Reason>> {
        let policy = self.policy;
        let own =
            self.stages.entry(stage.to_owned()).or_insert_with(|| Budget::of_stage(policy, used));
        let mut spent = self.shared.spent();
        spent.extend(own.spent());
        if mails.is_some_and(|mails| mails >= u64::from(policy.max_per_address_per_day)) {
            spent.push(Code::MaxPerAddressPerDay.into());
        }
        if !spent.is_empty() {
            return Err(spent);
        }
        self.shared.spend();
        own.spend();
        Ok(())
    }
}

/// The cap of a ramp's day; past its end the ramp caps nothing.
fn step(ramp: &[u32], day: usize) -> Option<u64> {
    ramp.get(day).copied().map(u64::from)
}

/// A share, rounded down.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "percent is within 0..=100 and counts stay far below 2^52"
)]
pub(super) fn share(whole: u64, percent: f64) -> u64 {
    (whole as f64 * percent / 100.0).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_per_run: u32, ramp: &[u32]) -> PromptPolicy {
        PromptPolicy {
            max_per_run: Some(max_per_run),
            max_per_day: Some(10),
            ramp: ramp.to_vec(),
            ..PromptPolicy::default()
        }
    }

    fn taken(policy: &PromptPolicy, used: Used) -> (u32, Vec<Code>) {
        let mut budget = PromptBudget::new(policy, 0, used.today);
        let mut count = 0;
        loop {
            match budget.take("invitation", used, None) {
                Ok(()) => count += 1,
                Err(reasons) => return (count, reasons.iter().map(|reason| reason.code).collect()),
            }
        }
    }

    #[test]
    fn a_cap_lets_through_exactly_its_number_and_zero_means_none() {
        for cap in [0, 1, 9] {
            assert_eq!(taken(&policy(cap, &[]), Used::default()), (cap, vec![Code::MaxPerRun]));
        }
    }

    #[test]
    fn every_cap_that_is_used_up_is_named() {
        let spent = taken(&policy(10, &[10]), Used::default());
        assert_eq!(spent, (10, vec![Code::MaxPerRun, Code::MaxPerDay, Code::Ramp]));
    }

    #[test]
    fn what_was_used_today_counts_and_a_ramp_ends() {
        let used = Used { today: 4, days: 1 };
        assert_eq!(taken(&policy(99, &[2, 5]), used), (1, vec![Code::Ramp]));
        let later = Used { today: 4, days: 2 };
        assert_eq!(taken(&policy(99, &[2, 5]), later), (6, vec![Code::MaxPerDay]));
    }

    #[test]
    fn each_stage_has_a_ramp_of_its_own_and_all_share_the_rest() {
        let policy = policy(3, &[2]);
        let mut budget = PromptBudget::new(&policy, 0, 0);
        let mut take = |stage| budget.take(stage, Used::default(), None).is_ok();
        assert_eq!(
            ["one", "one", "one", "two", "two"].map(&mut take),
            [true, true, false, true, false]
        );
    }

    #[test]
    fn an_address_that_has_had_its_share_takes_nothing_from_the_others() {
        // E26: rows that were skipped stood in the way of all behind them.
        let policy = PromptPolicy { max_per_address_per_day: 1, ..policy(1, &[]) };
        let mut budget = PromptBudget::new(&policy, 0, 0);
        let reasons = budget.take("one", Used::default(), Some(1)).unwrap_err();
        assert_eq!(reasons[0].code, Code::MaxPerAddressPerDay);
        assert!(budget.take("one", Used::default(), Some(0)).is_ok());
    }

    #[test]
    fn a_share_is_rounded_down() {
        assert_eq!(share(199, 1.0), 1);
        assert_eq!(share(99, 1.0), 0);
        assert_eq!(share(0, 100.0), 0);
    }
}
