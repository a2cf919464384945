//! The campaign as it might be: another day for a stage, one more stage, another cap, an earlier
//! window.

use crate::domain::campaign::{Campaign, Channel, PromptPolicy, RemovalPolicy, Stage, StageDay};

/// One change, in the words of jobs.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A stage on this day: moved there if there is one of the name, else one more.
    Stage {
        name: String,
        days_before: u32,
    },
    MaxPerDay(u32),
    MaxPerRun(u32),
    NoRamp,
    WindowOpens {
        days_before: u32,
    },
}

/// Some changes at once, and as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub written: String,
    pub changes: Vec<Change>,
}

/// A change that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no change that can be tried")]
pub struct WhatIfError(String);

impl WhatIfError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        "write stage.NAME=DAYS_BEFORE, max_per_day=N, max_per_run=N, ramp=none or \
         opens_days_before=DAYS, several with commas between them"
    }
}

impl std::str::FromStr for Scenario {
    type Err = WhatIfError;

    fn from_str(text: &str) -> Result<Self, WhatIfError> {
        let changes = text.split(',').map(change).collect::<Result<_, _>>()?;
        Ok(Self { written: text.to_owned(), changes })
    }
}

fn change(text: &str) -> Result<Change, WhatIfError> {
    let wrong = || WhatIfError(text.trim().to_owned());
    let (key, value) = text.split_once('=').ok_or_else(wrong)?;
    let (key, value) = (key.trim(), value.trim());
    // As far as a day of jobs.toml may be from the deadline.
    let days = || value.parse().ok().filter(|days| (1..=3660).contains(days)).ok_or_else(wrong);
    let number = || value.parse().map_err(|_| wrong());
    Ok(match (key, key.strip_prefix("stage.")) {
        (_, Some(name)) if !name.trim().is_empty() => {
            Change::Stage { name: name.trim().to_owned(), days_before: days()? }
        }
        ("max_per_day", _) => Change::MaxPerDay(number()?),
        ("max_per_run", _) => Change::MaxPerRun(number()?),
        ("ramp", _) if value == "none" => Change::NoRamp,
        ("opens_days_before", _) => Change::WindowOpens { days_before: days()? },
        _ => return Err(wrong()),
    })
}

impl Scenario {
    /// Makes the changes.
    pub fn apply(
        &self,
        campaign: &mut Campaign,
        prompts: &mut PromptPolicy,
        removal: &mut Option<RemovalPolicy>,
    ) {
        for change in &self.changes {
            match change {
                Change::Stage { name, days_before } => place(campaign, name, *days_before),
                Change::MaxPerDay(most) => prompts.max_per_day = Some(*most),
                Change::MaxPerRun(most) => prompts.max_per_run = Some(*most),
                Change::NoRamp => prompts.ramp.clear(),
                Change::WindowOpens { days_before } => {
                    if let Some(removal) = removal {
                        removal.opens_days_before = Some(*days_before);
                    }
                }
            }
        }
    }
}

fn place(campaign: &mut Campaign, name: &str, days_before: u32) {
    let day = StageDay::Before(days_before);
    match campaign.stages.iter_mut().find(|stage| stage.name == name) {
        Some(stage) => stage.day = day,
        None => campaign.stages.push(Stage {
            name: name.to_owned(),
            day,
            channels: vec![Channel::Email],
            template: name.to_owned(),
            is_final: false,
            hold_back_percent: 0,
        }),
    }
    campaign.stages.sort_by_key(|stage| stage.day.offset());
}

#[cfg(test)]
mod tests {
    use super::super::example::{campaign, policy};
    use super::*;
    use crate::domain::example::removal;

    #[test]
    fn changes_are_read_together_and_made() {
        let scenario: Scenario =
            "stage.nudge=100, max_per_day=7,ramp=none,opens_days_before=45".parse().unwrap();
        let (mut campaign, mut prompts, mut removal) =
            (campaign(), policy(5, &[1]), Some(removal()));
        scenario.apply(&mut campaign, &mut prompts, &mut removal);
        let names: Vec<&str> = campaign.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["invitation", "reminder", "nudge", "final-notice"]);
        assert_eq!((prompts.max_per_day, prompts.ramp.len()), (Some(7), 0));
        assert_eq!(removal.unwrap().opens_days_before, Some(45));
    }

    #[test]
    fn a_stage_that_is_there_is_moved_and_keeps_its_order() {
        let scenario: Scenario = "stage.reminder=30".parse().unwrap();
        let mut campaign = campaign();
        scenario.apply(&mut campaign, &mut policy(5, &[]), &mut None);
        assert_eq!(campaign.stages[2].name, "reminder");
        assert!(campaign.stages[1].is_final);
    }

    #[test]
    fn what_cannot_be_tried_is_named() {
        for wrong in
            ["", "stage.=5", "stage.x=0", "stage.x=9999", "max_per_day=-1", "ramp=3", "x=1"]
        {
            let error = wrong.parse::<Scenario>().unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
