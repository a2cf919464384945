//! What a plan keeps in mind saves time and changes nothing: the same plan is made with it and
//! without, before and after each run.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, Job, Step};
use crate::jobs::Failure;
use crate::jobs::bearings::Bearings;
use crate::jobs::planning::{Planned, Planning};
use crate::jobs::progress::Unwatched;

use super::Broken;
use super::perform::Telling;

const PROMISE: &str = "a plan comes to the same whatever was kept in mind";

impl Telling {
    /// # Errors
    /// The database or a temporary file cannot be used.
    pub(super) async fn replanned(
        &self,
        config: &Config,
        job: &Job,
    ) -> Result<Option<Broken>, Failure> {
        let store = &self.workplace.store;
        if store.last_complete_scan().await?.is_none() {
            return Ok(None);
        }
        let at = self.clock.now();
        let bearings = Bearings::take(store, at).await?;
        let cancel = CancellationToken::new();
        let mut texts = Vec::new();
        for remembers in [true, false] {
            let planning = Planning {
                store,
                rules: bearings.rules(config),
                edition: bearings.edition,
                prompts: job.steps.contains(&Step::Prompt),
                removals: job.steps.contains(&Step::Remove),
                present: 0,
                remembers,
                watcher: &Unwatched,
                cancel: &cancel,
            };
            texts.push(text(planning.run().await?)?);
        }
        let is_same = texts.windows(2).all(|pair| pair[0] == pair[1]);
        let what = || texts.join(" and not ");
        Ok((!is_same).then(|| Broken { promise: PROMISE, at, what: what() }))
    }
}

fn text(mut planned: Planned) -> io::Result<String> {
    let mut text = format!("{} exempt, ", planned.exempt).into_bytes();
    planned.work.write_array(&mut text)?;
    planned.plan.removals.write_array(&mut text)?;
    planned.plan.held_back.write_array(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
