//! Does it fit? The numbers of the last scan, or of the rows that were looked at, against the
//! time that is left.

use crate::domain::fit::{Fit, Load, Means};
use crate::store::{self, Store};

use super::inventory::Sample;
use super::{Checking, Checks};

const GROUP: &str = "time";

impl Checking<'_> {
    pub(super) async fn fitting(
        &self,
        store: &Store,
        sample: Option<&Sample>,
        checks: &mut Checks,
    ) {
        let load = match self.load(store, sample).await {
            Ok(Some(load)) => load,
            Ok(None) => return,
            Err(error) => {
                let remedy = error.remedy().to_string();
                checks.wrong(GROUP, "numbers", error.to_string(), remedy);
                return;
            }
        };
        let means = Means {
            campaign: &self.config.campaign,
            prompts: &self.config.prompts,
            removal: self.config.removal.as_ref().filter(|removal| removal.enabled),
            mails_per_minute: self.config.email.as_ref().map(|email| email.max_per_minute),
            runs_a_day: self.prompting_runs_a_day(),
        };
        self.judge_fit(&means.fit(load, self.clock.now()), load, checks);
    }

    /// `None` where nothing is known of the connections.
    async fn load(
        &self,
        store: &Store,
        sample: Option<&Sample>,
    ) -> Result<Option<Load>, store::Error> {
        let stages = store.prompts_by_stage().await?;
        let told = stages.values().filter(|states| states.contains_key("sent")).count();
        let told = u32::try_from(told).unwrap_or(u32::MAX);
        if store.last_complete_scan().await?.is_some() {
            let tally = store.tally().await?;
            let recipients = store.awaiting_recipients().await?;
            let (awaiting, present) = (tally.awaiting, tally.connections);
            return Ok(Some(Load { recipients, awaiting, present, told }));
        }
        Ok(sample.map(|sample| Load {
            recipients: sample.recipients.len() as u64,
            awaiting: sample.awaiting,
            present: sample.rows - sample.bad,
            told,
        }))
    }

    fn judge_fit(&self, fit: &Fit, load: Load, checks: &mut Checks) {
        for stage in &fit.stages {
            let text = match stage.takes {
                Some(takes) => format!(
                    "{} prompts to {} people take {takes} working days; from {} to {} there are {}",
                    stage.prompts, load.recipients, stage.from, stage.until, stage.has
                ),
                None => format!("the caps let none of {} prompts out", stage.prompts),
            };
            let what = format!("stage {}", stage.stage);
            if stage.fits() {
                checks.fine(GROUP, what, text);
            } else {
                let remedy = "raise max_per_day, max_per_run, the ramp or max_per_minute, move the stage, or add working days";
                checks.lacking(self.prompts(), GROUP, what, text, remedy);
            }
        }
        if let Some((have, wanted)) = fit.too_few_stages {
            let text = format!(
                "min_prompts still wants {wanted} stages, and {have} are left before the deadline: nobody could be removed"
            );
            checks.wrong(
                GROUP,
                "[removal] min_prompts",
                text,
                format!("write `min_prompts = {have}`, or add stages"),
            );
        }
        if let Some(removal) = &fit.removal {
            let text = format!(
                "from {} to {} the caps let at most {} of {} awaiting connections go",
                removal.from, removal.until, removal.most, removal.awaiting
            );
            if removal.most >= removal.awaiting {
                checks.fine(GROUP, "[removal]", text);
            } else {
                let remedy = "if more than that still await then, raise [removal] max_per_day or max_percent, or open earlier";
                checks.doubtful(GROUP, "[removal]", text, remedy);
            }
        }
        if let Some(late) = fit.too_late_from {
            let tightest = fit.tightest.as_deref().unwrap_or("-");
            checks.fine(
                GROUP,
                "latest",
                format!(
                    "begun on {late} or later it no longer fits; the tightest step is {tightest}"
                ),
            );
        }
    }
}
