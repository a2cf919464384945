//! On the day before a stage opens: how many will be written to, while there is still time
//! to think about it.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};

use crate::domain::campaign::{Campaign, PromptPolicy, Stage, WorkingTime};
use crate::domain::decide::Rules;
use crate::report::plan::Tomorrow;

use super::bearings::Bearings;
use super::failure::Failure;
use super::planning::Planning;
use super::run::Setting;
use super::workplace::Workplace;

impl Setting<'_> {
    /// What opens on the campaign's next day, if anything does.
    pub(super) async fn tomorrow(
        &self,
        workplace: &Workplace,
        bearings: &Bearings,
        present: u64,
    ) -> Result<Option<Tomorrow>, Failure> {
        let config = self.config;
        let Some((stage, opens)) = opening(&config.campaign, bearings.now) else { return Ok(None) };
        // Any hour of that day, and no cap: the question is who, not when.
        let campaign = Campaign { working: always(), ..config.campaign.clone() };
        let policy = PromptPolicy {
            max_per_run: None,
            max_per_day: None,
            ramp: Vec::new(),
            ..config.prompts.clone()
        };
        let rules = Rules {
            campaign: &campaign,
            prompts: &policy,
            removal: None,
            win_back: &[],
            now: opens,
            ..bearings.rules(config)
        };
        let planning = Planning {
            store: &workplace.store,
            rules,
            edition: bearings.edition,
            prompts: true,
            removals: false,
            present,
            remembers: false,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let prompts = planning.run().await?.work.len();
        let caps = [config.prompts.max_per_day, config.prompts.ramp.first().copied()];
        Ok(Some(Tomorrow {
            stage: stage.name.clone(),
            day: opens.with_timezone(&campaign.zone).date_naive(),
            prompts,
            first_day: caps.into_iter().flatten().map(u64::from).min(),
        }))
    }
}

/// The stage that opens on the next of the campaign's days.
fn opening(campaign: &Campaign, now: DateTime<Utc>) -> Option<(&Stage, DateTime<Utc>)> {
    let stage = campaign.next_stage(now)?;
    let opens = campaign.opens(stage);
    let day = |at: DateTime<Utc>| at.with_timezone(&campaign.zone).date_naive();
    (day(now).succ_opt() == Some(day(opens))).then_some((stage, opens))
}

fn always() -> WorkingTime {
    let end = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN);
    WorkingTime {
        days: std::iter::successors(Some(Weekday::Mon), |day| Some(day.succ())).take(7).collect(),
        from: NaiveTime::MIN,
        until: end + TimeDelta::milliseconds(999),
        holidays: std::collections::BTreeSet::new(),
    }
}
