//! What stops all removals of a run: everything that holds is said at once, and stands in the
//! plan.

use chrono::TimeDelta;

use crate::config::Step;
use crate::domain::campaign::Approval;
use crate::domain::confirmation::Subject;
use crate::domain::reason::{Code, Reason};
use crate::report::plan::{BlockedBy, Plan};

use super::confirming;
use super::exit::Exit;
use super::failure::Failure;
use super::preflight::Preflight;
use super::remove_step::RemoveStep;
use super::removing::{Signed, Standing, made_by};
use super::run::{Finished, Setting};
use super::weather;
use super::workplace::Workplace;

/// What stops all removals of a plan.
fn gates(plan: &Plan) -> impl Iterator<Item = Code> + '_ {
    let of_step = |gate: &&BlockedBy| gate.step == Step::Remove.as_str();
    plan.blocked_by.iter().filter(of_step).map(|gate| gate.code)
}

/// Whether nothing may be removed.
pub(super) fn is_blocked(plan: &Plan) -> bool {
    gates(plan).next().is_some()
}

/// Nobody's mistake: the step waits for somebody's decision, or for its time.
fn waits(code: Code) -> bool {
    matches!(
        code,
        Code::SwitchedOff
            | Code::FirstScan
            | Code::Paused
            | Code::NoApproval
            | Code::PlanWaits
            | Code::PlanExpired
            | Code::PlanOutdated
            | Code::DeadlinePassed
    )
}

/// How a run ends whose removals are stopped: a limit of safety is told by the exit code,
/// unless nothing would be removed in any case.
pub(super) fn exit(plan: &Plan) -> Exit {
    let at_rest = [Code::SwitchedOff, Code::FirstScan, Code::Paused];
    if gates(plan).any(|code| at_rest.contains(&code)) || gates(plan).all(waits) {
        return Exit::Done;
    }
    Exit::Stopped
}

impl Setting<'_> {
    /// The plan that this run applies, or why there is none.
    pub(super) async fn plan_in_force(
        &self,
        workplace: &Workplace,
    ) -> Result<(Option<Signed>, Vec<Reason>), Failure> {
        let Some(policy) = &self.config.removal else { return Ok((None, Vec::new())) };
        if policy.approval == Approval::None || !policy.enabled {
            return Ok((None, Vec::new()));
        }
        let made_by = match made_by(self.config) {
            Ok(made_by) => made_by,
            Err(problems) => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                return Ok((None, vec![Code::TemplateFails.because(first)]));
            }
        };
        let now = self.clock.now();
        let all = Signed::all(&workplace.store, policy, &made_by, now).await?;
        match Signed::in_force(&all) {
            Some(signed) => Ok((Some(signed.clone()), Vec::new())),
            None => Ok((None, vec![unsigned(&all)])),
        }
    }

    /// Looks at everything else that removals rely on.
    pub(super) async fn gates_of_removal(
        &self,
        step: &RemoveStep<'_>,
        finished: &mut Finished,
    ) -> Result<(), Failure> {
        let store = &step.workplace.store;
        let now = self.clock.now();
        if let Some(pause) = store.pause_in_force().await? {
            let text = format!("paused by {}: {}", pause.by, pause.reason);
            self.bar(Code::Paused.because(text), finished);
        }
        if let Some(moved) = step.workplace.home_moved().await? {
            let remedy = "if nothing was removed from another since, worker confirm database";
            self.bar(Code::DatabaseMoved.because(format!("{}: {remedy}", moved.text)), finished);
        }
        for (word, subject) in [
            (confirming::link_word(store, self.config).await?, Subject::Link),
            (confirming::rehearsal_word(store, self.config).await?, Subject::Rehearsal),
        ] {
            if let Some(lacks) = word.lacks(subject) {
                self.bar(Code::NotConfirmed.because(lacks), finished);
            }
        }
        let age = self.config.removal.as_ref().map(|policy| policy.max_inventory_age_minutes);
        let age = TimeDelta::minutes(age.unwrap_or_default().into());
        if step.looked_at + age <= now {
            self.bar(Code::InventoryStale.into(), finished);
        }
        if let Some(text) = weather::differing(step.workplace.ahead(self.clock).await?) {
            self.bar(Code::ClockDiffers.because(text), finished);
        }
        let room = store.room(self.config.app.connection_cap).await?;
        if let Some(reason) = room.and_then(|room| room.bar()) {
            self.bar(reason, finished);
        }
        // Nobody is asked anything where nothing would be removed.
        let asked = match self.dry_run || is_blocked(&finished.plan) {
            true => None,
            false => match step.workplace.asked(self.config) {
                Ok(asked) => Some(asked),
                Err(finding) => {
                    let text = format!("{}: {}", finding.text, finding.remedy);
                    self.bar(finding.code.because(text), finished);
                    return Ok(());
                }
            },
        };
        let preflight = Preflight { store, config: self.config, now, asked: asked.as_ref() };
        let own = store.own_required_sets().await?;
        for finding in preflight.check(&own).await? {
            let text = format!("{}: {}", finding.text, finding.remedy);
            self.bar(finding.code.because(text), finished);
        }
        Ok(())
    }

    /// Notes that nothing is removed, and why.
    pub(super) fn bar(&self, reason: Reason, finished: &mut Finished) {
        let Reason { code, text } = reason;
        if self.dry_run || waits(code) {
            tracing::info!(code = code.as_str(), "nothing is removed: {text}");
        } else {
            tracing::error!(code = code.as_str(), "nothing is removed: {text}");
        }
        let gate = BlockedBy { step: Step::Remove.as_str(), code, text };
        finished.plan.blocked_by.push(gate);
    }
}

/// Why no plan is in force, by the newest that there is.
fn unsigned(all: &[Signed]) -> Reason {
    let id = |signed: &Signed| signed.plan.id.chars().take(12).collect::<String>();
    let was_signed = |signed: &&Signed| !signed.approvals.is_empty();
    let Some(newest) = all.first() else {
        return Code::NoApproval
            .because("removals need an approved plan: worker plan, then worker approve");
    };
    match (&newest.standing, all.iter().find(was_signed).map(|signed| (signed, &signed.standing))) {
        (Standing::Waiting { missing }, _) => {
            let names = if *missing == 1 { "name" } else { "names" };
            let id = id(newest);
            Code::PlanWaits.because(format!(
                "plan {id} waits for {missing} more {names}: worker approve {id} --by NAME"
            ))
        }
        (_, Some((signed, Standing::Outdated { changed }))) => Code::PlanOutdated.because(format!(
            "plan {} was made for another configuration; changed since: {}: draw up a new one \
                 with worker plan",
            id(signed),
            changed.join(", ")
        )),
        (_, Some((signed, Standing::Expired))) => Code::PlanExpired.because(format!(
            "plan {} is past its time: draw up a new one with worker plan",
            id(signed)
        )),
        _ => Code::NoApproval
            .because("no approved plan has removals left: worker plan, then worker approve"),
    }
}
