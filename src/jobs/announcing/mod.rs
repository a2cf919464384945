//! Telling webhooks what became of the connections that they were asked to show, so that a
//! banner in the product is never stale. News is found by comparing the last word that each
//! webhook had with what the scan found, so that nothing is lost whatever moment a worker is
//! stopped at.

mod deliver;
mod find;
mod news;

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::domain::endpoint::Failing;

use super::Failure;
use super::bearings::Bearings;
use super::exit::Exit;
use super::prompting::{Totals, Ways};
use super::run::{Finished, Setting, new_id};
use super::workplace::Workplace;

use deliver::Deliverer;
use find::Finder;

impl Setting<'_> {
    /// Finds what is news for webhooks and delivers it. It comes before the prompts of a run,
    /// so that no prompt is overtaken by what is older than it.
    pub(super) async fn announce(
        &self,
        workplace: &Workplace,
        bearings: &Bearings,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let store = &workplace.store;
        if self.config.webhooks.is_empty() || !store.has_asked_webhooks().await? {
            return Ok(());
        }
        self.tell(workplace, bearings, finished, random).await?;
        self.say_what_is_set_aside(store).await
    }

    async fn tell(
        &self,
        workplace: &Workplace,
        bearings: &Bearings,
        finished: &mut Finished,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<(), Failure> {
        let store = &workplace.store;
        let known: BTreeSet<&str> =
            self.config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        let finder = Finder {
            store,
            exemptions: &bearings.exemptions,
            clock: self.clock,
            cancel: self.cancel,
            is_known: &|webhook| known.contains(webhook),
        };
        let found = finder.run().await?;
        if found > 0 {
            tracing::info!(announcements = found, "there is news for webhooks");
        }
        let mut waiting = store.waiting_announcements().await?;
        waiting.retain(|(webhook, _)| known.contains(webhook.as_str()));
        if waiting.is_empty() || self.may_not_announce(workplace, finished).await? {
            return Ok(());
        }
        let failing: BTreeMap<String, Failing> =
            store.failing_endpoints().await?.into_iter().collect();
        let channels = waiting.iter().map(|(webhook, _)| format!("webhook:{webhook}")).collect();
        let ways = Ways::open(self.config, &channels, self.env, workplace.outside());
        for (channel, why) in &ways.unusable {
            let remedy = why.remedy();
            tracing::error!(remedy, "{channel} cannot be told what became of connections: {why}");
            finished.exit = finished.exit.and(Exit::Stopped);
        }
        for (webhook, _) in &waiting {
            let Some(way) = ways.get(&format!("webhook:{webhook}")) else { continue };
            let mut deliverer = Deliverer {
                store,
                clock: self.clock,
                cancel: self.cancel,
                webhook,
                way,
                owner: new_id(self.clock, random),
                chance: StdRng::from_rng(random),
            };
            let delivered = deliverer.run(failing.get(webhook).copied()).await?;
            if delivered.sent > 0 {
                tracing::info!(
                    webhook,
                    announcements = delivered.sent,
                    "a webhook was told what became of connections"
                );
            }
            finished.count(Totals { failures: delivered.failures, ..Totals::default() });
            if delivered.is_interrupted {
                finished.exit = finished.exit.and(Exit::CouldNotRun);
            }
        }
        Ok(())
    }

    /// What stops all effects stops these too. They carry no link, so nobody has to vouch for
    /// one; and they are read by programs, which have no working hours.
    async fn may_not_announce(
        &self,
        workplace: &Workplace,
        finished: &mut Finished,
    ) -> Result<bool, Failure> {
        if let Some(pause) = workplace.store.pause_in_force().await? {
            tracing::info!("webhooks are told nothing: paused by {}: {}", pause.by, pause.reason);
            return Ok(true);
        }
        if let Some(moved) = workplace.home_moved().await? {
            tracing::error!(
                remedy = "if nothing was sent from another since, worker confirm database",
                "webhooks are told nothing: {}",
                moved.text
            );
            finished.exit = finished.exit.and(Exit::Stopped);
            return Ok(true);
        }
        Ok(false)
    }
}
