//! The removing step of a run: what of the plan in force still stands, what stops the step as a
//! whole, and the removing itself.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::config::Step;
use crate::domain::campaign::{Approval, RemovalPolicy};
use crate::domain::decide::Rules;
use crate::domain::grant::ConnectionKey;
use crate::domain::reason::{Code, Reason};
use crate::report::plan::BlockedBy;
use crate::store::plans::{PlanEntry, PlanRecord};
use crate::store::removals::Wanted;
use crate::xero::limits::{none_allowed, per_minute};

use super::bearings::Bearings;
use super::exit::Exit;
use super::failure::Failure;
use super::remove_gates::{exit, is_blocked};
use super::removing::{
    Appraisal, Drawing, Looker, Naming, Removing, Stop, Totals, made_by, settle,
};
use super::run::{Finished, Setting, new_id};
use super::workplace::Workplace;

/// What the step works on.
pub(super) struct RemoveStep<'a> {
    pub workplace: &'a Workplace,
    pub bearings: Bearings,
    pub run_id: Uuid,
    /// When the inventory was read.
    pub looked_at: DateTime<Utc>,
    /// Present connections.
    pub present: u64,
    pub force: Option<InForce>,
}

/// A plan that may be applied.
pub(super) struct InForce {
    pub plan: PlanRecord,
    pub entries: Vec<PlanEntry>,
    pub keys: BTreeSet<ConnectionKey>,
}

impl InForce {
    pub(super) fn new(plan: PlanRecord, entries: Vec<PlanEntry>) -> Self {
        let keys = entries.iter().map(|entry| entry.connection).collect();
        Self { plan, entries, keys }
    }
}

impl Setting<'_> {
    /// Settles what workers left behind that are gone, and calls that got no answer, by
    /// Xero's own list.
    pub(super) async fn settle_removals(
        &self,
        workplace: &Workplace,
        run_id: Uuid,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let store = &workplace.store;
        let now = self.clock.now();
        store.sweep_removals(now).await?;
        if self.dry_run || store.open_removals(now).await?.is_empty() {
            return Ok(());
        }
        let owner = new_id(self.clock, random);
        let settled = match workplace.xero(self.config, self.clock, self.env) {
            Ok(xero) => settle(store, self.config, self.clock, &*xero, (owner, run_id)).await?,
            Err(why) => {
                tracing::error!(
                    remedy = why.remedy(),
                    "what became of removals cannot be found out: {why}"
                );
                finished.exit = finished.exit.and(Exit::EffectFailed);
                return Ok(());
            }
        };
        let progress = &mut finished.progress;
        add(&mut progress.removals_done, settled.removed);
        tracing::info!(
            removed = settled.removed,
            not_removed = settled.not_removed,
            unknown = settled.unknown,
            "removals without an answer were looked up in Xero's list"
        );
        if settled.unknown > 0 {
            tracing::warn!(
                code = Code::RemovalUnknown.as_str(),
                removals = settled.unknown,
                remedy = "nothing to do: the next complete list tells",
                "what became of removals is not known yet: {}",
                settled.why.as_deref().unwrap_or("their calls may still be on their way")
            );
            finished.exit = finished.exit.and(Exit::EffectFailed);
        }
        Ok(())
    }

    /// Removes what of the plan in force still stands.
    pub(super) async fn remove(
        &self,
        mut step: RemoveStep<'_>,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let Some(policy) = self.config.removal.as_ref().filter(|policy| policy.enabled) else {
            return Ok(());
        };
        if policy.approval == Approval::None {
            self.warn_of_no_approval(finished);
        }
        let appraisal = self.appraise(&step).await?;
        let anything = match &appraisal {
            Some(appraisal) => !appraisal.stands.is_empty() || !appraisal.changed.is_empty(),
            None => !finished.plan.removals.is_empty(),
        };
        if !anything {
            return Ok(());
        }
        self.gates_of_removal(&step, finished).await?;
        let appraisal = match (appraisal, is_blocked(&finished.plan) || self.dry_run) {
            (appraisal, true) => appraisal,
            (Some(appraisal), false) => Some(appraisal),
            (None, false) => {
                step.force = self.own_plan(policy, &step).await?;
                self.appraise(&step).await?
            }
        };
        if let (Some(appraisal), false) = (&appraisal, is_blocked(&finished.plan)) {
            if !self.dry_run {
                self.drop_changed(&step, appraisal, finished).await?;
            }
            if let Some(drift) = appraisal.drift(policy.max_drift_percent) {
                self.bar(drift, finished);
            }
        }
        if is_blocked(&finished.plan) {
            if !self.dry_run {
                finished.exit = finished.exit.and(exit(&finished.plan));
            }
            return Ok(());
        }
        match (appraisal, step.force.take()) {
            (Some(appraisal), Some(force)) if !self.dry_run => {
                self.act(policy, &step, &force, appraisal.stands, finished, random).await
            }
            _ => Ok(()),
        }
    }

    fn warn_of_no_approval(&self, finished: &mut Finished) {
        let code = Code::ApprovalNone;
        tracing::warn!(code = code.as_str(), "{}", code.text());
        let text = code.text().to_owned();
        let warning = BlockedBy { step: Step::Remove.as_str(), code, text };
        finished.plan.warnings.push(warning);
    }

    async fn appraise(&self, step: &RemoveStep<'_>) -> Result<Option<Appraisal>, Failure> {
        let Some(force) = &step.force else { return Ok(None) };
        let rules = Rules { planned: Some(&force.keys), ..step.bearings.rules(self.config) };
        let naming = Naming(&step.workplace.keys.pseudonym);
        let (store, edition) = (&step.workplace.store, step.bearings.edition);
        let InForce { plan, entries, .. } = force;
        Ok(Some(Appraisal::of(store, &rules, edition, naming, plan, entries).await?))
    }

    /// Where nobody has to sign, the run draws up its own plan.
    async fn own_plan(
        &self,
        policy: &RemovalPolicy,
        step: &RemoveStep<'_>,
    ) -> Result<Option<InForce>, Failure> {
        let Ok(made_by) = made_by(self.config) else { return Ok(None) };
        let store = &step.workplace.store;
        let drawing = Drawing {
            store,
            rules: step.bearings.rules(self.config),
            edition: step.bearings.edition,
            naming: Naming(&step.workplace.keys.pseudonym),
            made_by: &made_by,
            valid_until: step.bearings.now + TimeDelta::days(policy.plan_valid_days.into()),
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let drawn = drawing.draw().await?;
        let plan = store.keep_plan(&drawn.plan, &drawn.entries).await?;
        Ok(Some(InForce::new(plan, drawn.entries)))
    }

    async fn drop_changed(
        &self,
        step: &RemoveStep<'_>,
        appraisal: &Appraisal,
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        for (wanted, why) in &appraisal.changed {
            let connection = wanted.planned.connection_id;
            tracing::info!(connection.id = %connection, "a removal is dropped: {why}");
        }
        let store = &step.workplace.store;
        let now = self.clock.now();
        let dropped = store.drop_removals(&appraisal.changed, step.run_id, now).await?;
        add(&mut finished.progress.held_back, usize::try_from(dropped).unwrap_or(usize::MAX));
        Ok(())
    }

    async fn act(
        &self,
        policy: &RemovalPolicy,
        step: &RemoveStep<'_>,
        force: &InForce,
        works: Vec<Wanted>,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let workplace = step.workplace;
        let Some(rate) = per_minute(self.config.xero.calls_per_minute) else {
            self.say_why_removing_ended(
                Some(Stop::Unavailable(none_allowed().to_string())),
                finished,
            );
            return Ok(());
        };
        let xero = match workplace.xero(self.config, self.clock, self.env) {
            Ok(xero) => xero,
            Err(why) => {
                let text = format!("{why}: {}", why.remedy());
                self.bar(Code::NoXeroCredentials.because(text), finished);
                finished.exit = finished.exit.and(Exit::Stopped);
                return Ok(());
            }
        };
        let owner = new_id(self.clock, random);
        let edition = step.bearings.edition;
        let looker = Looker::new(
            workplace,
            self.config,
            self.clock,
            self.env,
            &*xero,
            &force.keys,
            (edition, owner),
        );
        let removing = Removing {
            looker,
            policy,
            cancel: self.cancel,
            watcher: self.watcher,
            run: step.run_id,
            present: step.present,
            fresh_until: step.looked_at
                + TimeDelta::minutes(policy.max_inventory_age_minutes.into()),
            valid_until: force.plan.valid_until,
            rate,
        };
        let (totals, stop) = removing.remove(works).await?;
        self.watcher.done();
        count(totals, finished);
        self.say_why_removing_ended(stop, finished);
        Ok(())
    }

    fn say_why_removing_ended(&self, stop: Option<Stop>, finished: &mut Finished) {
        let Some(stop) = stop else { return };
        let (code, exit, remedy) = match &stop {
            Stop::Paused(_) => (Code::Paused, Exit::Done, "worker resume"),
            Stop::Caps(_) => (Code::MaxPerRun, Exit::Done, "nothing to do: later runs go on"),
            Stop::Over(_) => (Code::NotLookedAt, Exit::Done, "nothing to do: later runs go on"),
            Stop::Interrupted => {
                (Code::NotLookedAt, Exit::CouldNotRun, "nothing to do: the next run goes on")
            }
            Stop::Unavailable(_) => {
                (Code::XeroUnavailable, Exit::EffectFailed, "nothing to do: the next run goes on")
            }
            Stop::Breaker => (
                Code::Breaker,
                Exit::Stopped,
                "find out why Xero's answers get lost before the next run",
            ),
            Stop::Refused(_) => {
                (Code::XeroRefuses, Exit::Stopped, "look at client_id and client_secret")
            }
            Stop::Clock(_) => (Code::ClockDiffers, Exit::Stopped, "set this machine's clock"),
            Stop::SetAside(_) => (
                Code::SetAside,
                Exit::Stopped,
                "look at the connection in Xero's developer portal; it is not tried again until \
                 somebody says `worker settle CONNECTION --as not-removed --by NAME`",
            ),
        };
        let text = stop.text();
        match exit {
            Exit::Done => tracing::info!(code = code.as_str(), "nothing more is removed: {text}"),
            _ => tracing::error!(code = code.as_str(), remedy, "nothing more is removed: {text}"),
        }
        if !matches!(stop, Stop::Caps(_) | Stop::Over(_) | Stop::Interrupted) {
            let reason: Reason = code.because(text);
            let gate = BlockedBy { step: Step::Remove.as_str(), code, text: reason.text };
            finished.plan.blocked_by.push(gate);
        }
        finished.exit = finished.exit.and(exit);
    }
}

fn add(field: &mut Option<u64>, more: usize) {
    *field = Some(field.unwrap_or_default() + more as u64);
}

fn count(totals: Totals, finished: &mut Finished) {
    let Totals { done, failures, held_back, dropped } = totals;
    let progress = &mut finished.progress;
    add(&mut progress.removals_done, done);
    add(&mut progress.failures, failures);
    add(&mut progress.held_back, held_back + dropped);
    if failures > 0 {
        finished.exit = finished.exit.and(Exit::EffectFailed);
    }
    tracing::info!(done, failures, held_back, dropped, "removing is over");
}
