//! Where a plan stands: whether it waits for a signature, may be applied, or why it may not.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::campaign::{self, RemovalPolicy};
use crate::domain::confirmation::Facts;
use crate::domain::removal::RemovalState;
use crate::store::plans::{Approval, PlanRecord};
use crate::store::{Error, Store};

/// What may be done with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// So many more names have to sign it.
    Waiting {
        missing: usize,
    },
    Approved,
    /// Every removal of it is settled.
    Applied,
    /// Its time is over.
    Expired,
    /// It was made for another configuration; these have changed.
    Outdated {
        changed: Vec<String>,
    },
    /// Not signed in time: there is a newer one.
    Superseded {
        by: String,
    },
}

impl Standing {
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Approved => "approved",
            Self::Applied => "applied",
            Self::Expired => "expired",
            Self::Outdated { .. } => "outdated",
            Self::Superseded { .. } => "superseded",
        }
    }
}

/// A plan with its signatures and what became of its removals.
#[derive(Clone, Debug)]
pub struct Signed {
    pub plan: PlanRecord,
    pub approvals: Vec<Approval>,
    pub states: BTreeMap<RemovalState, u64>,
    pub standing: Standing,
}

impl Signed {
    /// Removals of it that are settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.states.iter().filter(|(state, _)| state.is_settled()).map(|(_, count)| count).sum()
    }

    /// Every plan, the newest first. `made_by` is what one would be made by now.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn all(
        store: &Store,
        policy: &RemovalPolicy,
        made_by: &Facts,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self>, Error> {
        let mut all: Vec<Self> = Vec::new();
        let mut newest: Option<String> = None;
        for plan in store.plans().await? {
            let approvals = store.approvals(&plan).await?;
            let states = store.plan_states(&plan.id).await?;
            let mut signed = Self { plan, approvals, states, standing: Standing::Approved };
            signed.standing = standing(&signed, policy, made_by, newest.as_deref(), now);
            newest.get_or_insert(signed.plan.id.clone());
            all.push(signed);
        }
        Ok(all)
    }

    /// The plan that a run applies: the newest that was signed by enough people and still
    /// holds.
    #[must_use]
    pub fn in_force(all: &[Self]) -> Option<&Self> {
        all.iter().find(|signed| signed.standing == Standing::Approved)
    }
}

/// Where a plan stands; `newer` is the newest one's id, if that is another.
#[must_use]
pub fn standing(
    signed: &Signed,
    policy: &RemovalPolicy,
    made_by: &Facts,
    newer: Option<&str>,
    now: DateTime<Utc>,
) -> Standing {
    let plan = &signed.plan;
    if signed.settled() >= plan.removals {
        return Standing::Applied;
    }
    let changed = plan.configuration.differing(made_by);
    if !changed.is_empty() {
        return Standing::Outdated { changed: changed.into_iter().map(str::to_owned).collect() };
    }
    if plan.valid_until <= now {
        return Standing::Expired;
    }
    let wanted = match policy.approval {
        campaign::Approval::None => 0,
        campaign::Approval::One => 1,
        campaign::Approval::Two => 2,
    };
    let names =
        signed.approvals.iter().filter(|approval| policy.approvers.contains(&approval.by)).count();
    match wanted - names.min(wanted) {
        0 => Standing::Approved,
        missing => match newer {
            Some(by) => Standing::Superseded { by: by.to_owned() },
            None => Standing::Waiting { missing },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Approval as Wanted;
    use crate::domain::campaign::PerPerson;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn facts(ramp: &str) -> Facts {
        Facts::of([("removal.ramp", Some(ramp.to_owned()))])
    }

    fn policy(approval: Wanted) -> RemovalPolicy {
        RemovalPolicy {
            win_back_days: [0, 7, 21],
            enabled: true,
            opens_days_before: Some(30),
            classes: Vec::new(),
            min_prompts: Some(1),
            min_notice_days: Some(1),
            approval,
            approvers: vec!["alice".to_owned(), "bob".to_owned()],
            plan_valid_days: 7,
            per_person: PerPerson::One,
            wait_days: 7,
            max_inventory_age_minutes: 15,
            max_per_run: None,
            max_per_day: None,
            max_percent: None,
            ramp: Vec::new(),
            max_failed_percent: 10.0,
            min_returned_percent: 10.0,
            max_drift_percent: 10.0,
            covered: false,
        }
    }

    fn signed(names: &[&str]) -> Signed {
        let approval = |name: &&str| Approval {
            by: (*name).to_owned(),
            approved_at: at("2027-08-20T01:00:00Z"),
            host: "desk".to_owned(),
            os_user: "alice".to_owned(),
            note: None,
        };
        Signed {
            plan: PlanRecord {
                id: "ab".to_owned(),
                configuration: facts("10"),
                removals: 2,
                made_at: at("2027-08-20T00:00:00Z"),
                valid_until: at("2027-08-27T00:00:00Z"),
            },
            approvals: names.iter().map(approval).collect(),
            states: BTreeMap::new(),
            standing: Standing::Approved,
        }
    }

    fn stands(signed: &Signed, approval: Wanted, newer: Option<&str>, now: &str) -> Standing {
        standing(signed, &policy(approval), &facts("10"), newer, at(now))
    }

    const SOON: &str = "2027-08-21T00:00:00Z";

    #[test]
    fn two_signatures_are_of_two_names_that_may_sign() {
        let one = |names: &[&str]| stands(&signed(names), Wanted::One, None, SOON);
        let two = |names: &[&str]| stands(&signed(names), Wanted::Two, None, SOON);
        assert_eq!(one(&[]), Standing::Waiting { missing: 1 });
        assert_eq!(one(&["mallory"]), Standing::Waiting { missing: 1 });
        assert_eq!(one(&["alice"]), Standing::Approved);
        assert_eq!(two(&["alice"]), Standing::Waiting { missing: 1 });
        assert_eq!(two(&["alice", "bob"]), Standing::Approved);
        assert_eq!(stands(&signed(&[]), Wanted::None, None, SOON), Standing::Approved);
    }

    #[test]
    fn what_is_past_its_time_or_made_for_something_else_is_not_applied() {
        let plan = signed(&["alice"]);
        let last = "2027-08-26T23:59:59Z";
        assert_eq!(stands(&plan, Wanted::One, None, last), Standing::Approved);
        let over = "2027-08-27T00:00:00Z";
        assert_eq!(stands(&plan, Wanted::One, None, over), Standing::Expired);
        let changed = standing(&plan, &policy(Wanted::One), &facts("99"), None, at(SOON));
        assert_eq!(changed, Standing::Outdated { changed: vec!["removal.ramp".to_owned()] });
    }

    #[test]
    fn a_newer_plan_takes_the_place_of_one_that_nobody_signed() {
        let newer = Some("cd");
        let waiting = stands(&signed(&[]), Wanted::One, newer, SOON);
        assert_eq!(waiting, Standing::Superseded { by: "cd".to_owned() });
        assert_eq!(stands(&signed(&["bob"]), Wanted::One, newer, SOON), Standing::Approved);
    }

    #[test]
    fn a_plan_is_applied_once_all_of_it_is_settled() {
        let mut plan = signed(&["alice"]);
        plan.states = BTreeMap::from([(RemovalState::Removed, 1), (RemovalState::Unknown, 1)]);
        assert_eq!(stands(&plan, Wanted::One, None, SOON), Standing::Approved);
        plan.states = BTreeMap::from([(RemovalState::Removed, 1), (RemovalState::Dropped, 1)]);
        assert_eq!(stands(&plan, Wanted::One, None, SOON), Standing::Applied);
    }
}
