//! Webhooks that were set aside because they have failed for days: what is left out of a run
//! on their account, and the one prompt that asks whether they are back.

use std::collections::BTreeSet;

use rand::seq::IteratorRandom;

use crate::domain::endpoint::Failing;
use crate::report::plan::List;
use crate::store::{self, Store};

use super::Failure;
use super::planning::Work;
use super::run::Setting;

/// The channels of the webhooks that are set aside now.
pub(super) async fn set_aside(store: &Store) -> Result<BTreeSet<String>, store::Error> {
    let failing = store.failing_endpoints().await?.into_iter();
    let aside = failing.filter(|(_, failing)| failing.is_set_aside());
    Ok(aside.map(|(webhook, _)| format!("webhook:{webhook}")).collect())
}

impl Setting<'_> {
    /// A prompt for each webhook that is set aside and to be asked now. Any of them, by
    /// chance: the same one every time may be what it chokes on.
    pub(super) async fn probes(
        &self,
        store: &Store,
        work: &mut List,
        random: &mut (dyn rand::Rng + Send),
    ) -> Result<Vec<Work>, Failure> {
        let mut probes = Vec::new();
        let now = self.clock.now();
        for (webhook, failing) in store.failing_endpoints().await? {
            if !failing.is_set_aside() || failing.probe_at > now {
                continue;
            }
            let channel = format!("webhook:{webhook}");
            let of_channel = work
                .reader::<Work>()?
                .filter(|work| work.as_ref().is_ok_and(|work| work.channel == channel));
            let Some(probe) = of_channel.choose(random) else { continue };
            let next = Failing::next_probe(failing.since, now);
            if store.claim_probe(&webhook, now, next).await? {
                probes.push(probe?);
            }
        }
        Ok(probes)
    }

    /// Says which webhooks get nothing, and what to do about it.
    pub(super) async fn say_what_is_set_aside(&self, store: &Store) -> Result<(), Failure> {
        for (webhook, failing) in store.failing_endpoints().await? {
            if failing.is_set_aside() && self.config.webhooks.iter().any(|it| it.name == webhook) {
                tracing::error!(
                    webhook,
                    failing_since = %failing.since,
                    failures = failing.failures,
                    probe_at = %failing.probe_at,
                    remedy = "mend the receiver: a single message asks from time to time whether it is back, and then all that waits is delivered",
                    "the webhook has failed for days and is set aside"
                );
            }
        }
        Ok(())
    }
}
