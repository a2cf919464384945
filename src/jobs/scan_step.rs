//! The scanning step of a run: reads the inventory, and says what the guard had against it.

use uuid::Uuid;

use crate::config::Step;
use crate::domain::reason::Code;
use crate::inventory;
use crate::report::plan::BlockedBy;
use crate::report::progress::Progress;
use crate::store;

use super::bearings::Bearings;
use super::exit::Exit;
use super::failure::Failure;
use super::run::{Finished, Setting};
use super::scan::{self, Scan};
use super::workplace::Workplace;

/// How often a scan starts over because another worker completed one meanwhile.
const OVERTAKEN: u32 = 3;

impl Setting<'_> {
    /// Scans; tells whether what was read is in force.
    pub(super) async fn scan(
        &self,
        workplace: &Workplace,
        run_id: Uuid,
        scan_id: Uuid,
        finished: &mut Finished,
    ) -> Result<bool, Failure> {
        let config = self.config;
        let rules = inventory::Rules {
            client_id: config.app.client_id.clone(),
            ignore_refresh_tokens: config.inventory.ignore_refresh_tokens,
        };
        let scan = Scan {
            store: &workplace.store,
            keys: &workplace.keys,
            rules: &rules,
            required: config.campaign.required,
            app_flow: config.app.flow,
            has_list: self.has_list(),
            limits: config.guard,
            now: self.clock.now(),
            run_id,
            scan_id,
            watcher: self.watcher,
            cancel: self.cancel,
        };
        let mut tries = 0;
        let summary = loop {
            tries += 1;
            // A server that does not answer, or a pipe that nobody writes to, may take for ever.
            let reader = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(scan::Error::Interrupted.into()),
                reader = workplace.inventory(config, self.is_builtin, self.env) => reader?,
            };
            match scan.run(reader).await {
                Err(scan::Error::Store(store::Error::Overtaken)) if tries < OVERTAKEN => {
                    tracing::info!("another worker completed a scan meanwhile: starting over");
                }
                Err(scan::Error::Store(store::Error::Overtaken)) => {
                    // As young as one of this run's own would be.
                    tracing::info!("another worker's scan is in force: going on with that");
                    return Ok(true);
                }
                other => break other?,
            }
        };
        let effect = summary.effect;
        finished.progress.bad_rows = Some(effect.bad_rows);
        tracing::info!(
            rows = effect.rows,
            bad_rows = effect.bad_rows,
            connections = summary.tally.connections,
            class_changed = effect.changed,
            newly_gone = effect.newly_gone,
            warnings_address = summary.warnings.address,
            warnings_time_zone = summary.warnings.time_zone,
            warnings_date = summary.warnings.date,
            "inventory read"
        );
        let Some(digest) = &summary.digest else { return Ok(true) };
        let objections: Vec<String> = summary.objections.iter().map(ToString::to_string).collect();
        let text = objections.join("; ");
        if summary.accepted {
            tracing::warn!(digest, "a named person let this scan through although {text}");
            return Ok(true);
        }
        tracing::error!(
            digest,
            remedy = format!(
                "look at what changed; if it is right, worker accept-scan {digest} --by NAME \
                 --reason TEXT, and run again"
            ),
            "the scan was stopped and changed nothing: {text}"
        );
        finished.plan.blocked_by.push(BlockedBy {
            step: Step::Scan.as_str(),
            code: Code::ScanStopped,
            text: format!("{text}; digest {digest}"),
        });
        finished.exit = finished.exit.and(Exit::Stopped);
        self.fall_back(workplace, &mut finished.progress).await;
        Ok(false)
    }

    /// What is still in force when this run brought nothing new.
    pub(super) async fn fall_back(&self, workplace: &Workplace, progress: &mut Progress) {
        let Ok(Some(last)) = workplace.store.last_complete_scan().await else { return };
        let Ok(tally) = workplace.store.tally().await else { return };
        progress.count(&tally);
        progress.bad_rows = progress.bad_rows.or(u64::try_from(last.bad_rows).ok());
        let Ok(bearings) = Bearings::take(&workplace.store, self.clock.now()).await else { return };
        let planned = self
            .plan(
                &[],
                workplace,
                (bearings.rules(self.config), bearings.edition),
                tally.connections,
            )
            .await;
        progress.exempt = planned.ok().map(|planned| planned.exempt);
    }
}
