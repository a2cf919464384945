//! Delivering what waits for one webhook, a few at a time.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::delivery::outcome::Outcome;
use crate::domain::endpoint::Failing;
use crate::jobs::prompting::{Parcel, Way};
use crate::store::announcements::{Ended, Lease, Leased, Leasing};
use crate::store::{self, Store};

/// Longer than any delivery takes (30 seconds, `delivery::http::Limits`).
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// A receiver that is slow keeps nobody from being prompted; the next run goes on.
const LONGEST: TimeDelta = TimeDelta::minutes(5);

pub(super) struct Deliverer<'a> {
    pub store: &'a Store,
    pub clock: &'a dyn Clock,
    pub cancel: &'a CancellationToken,
    pub webhook: &'a str,
    pub way: &'a Way,
    pub owner: Uuid,
    pub chance: StdRng,
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub sent: usize,
    pub failures: usize,
    pub is_interrupted: bool,
}

impl Deliverer<'_> {
    /// Delivers what is due. `failing` is what is known to be wrong with the webhook: one that
    /// is set aside gets a single message when it is time, and the rest once that was taken.
    pub(super) async fn run(
        &mut self,
        mut failing: Option<Failing>,
    ) -> Result<Delivered, store::Error> {
        let mut delivered = Delivered::default();
        let until = self.clock.now() + LONGEST;
        self.store.sweep_announcements(self.webhook, self.clock.now()).await?;
        loop {
            if self.cancel.is_cancelled() {
                delivered.is_interrupted = true;
                return Ok(delivered);
            }
            let now = self.clock.now();
            let probe = failing.filter(Failing::is_set_aside);
            if now >= until || !self.may_go(probe, now).await? {
                return Ok(delivered);
            }
            let most = if probe.is_some() { 1 } else { self.way.in_flight };
            let lease =
                Lease { webhook: self.webhook, owner: self.owner, now, until: now + LEASE, most };
            // Paused meanwhile, or done.
            let Leasing { leased, .. } = self.store.lease_announcements(lease).await?;
            if leased.is_empty() {
                return Ok(delivered);
            }
            let taken = self.wave(&leased, probe.is_some()).await?;
            delivered.sent += taken;
            delivered.failures += leased.len() - taken;
            let now = self.clock.now();
            if taken == 0 {
                self.store.endpoint_failed(self.webhook, leased.len(), now).await?;
                return Ok(delivered);
            }
            if failing.take().is_some() {
                self.store.endpoint_is_well(self.webhook, now).await?;
                tracing::info!(webhook = self.webhook, "the webhook takes messages again");
            }
        }
    }

    /// Whether it is this worker's turn to ask a webhook that is set aside.
    async fn may_go(
        &self,
        probe: Option<Failing>,
        now: DateTime<Utc>,
    ) -> Result<bool, store::Error> {
        let Some(failing) = probe else { return Ok(true) };
        let waiting = self.store.waiting_announcements().await?;
        if waiting.iter().all(|(webhook, _)| webhook != self.webhook) {
            return Ok(false);
        }
        let next = Failing::next_probe(failing.since, now);
        self.store.claim_probe(self.webhook, now, next).await
    }

    /// Delivers these at once; tells how many were taken.
    async fn wave(&mut self, leased: &[Leased], is_probe: bool) -> Result<usize, store::Error> {
        let now = self.clock.now();
        let way = self.way;
        let outcomes = join_all(leased.iter().map(|leased| async {
            let parcel = Parcel::hook(leased.id, leased.body.clone().into_bytes());
            way.deliver(&parcel, now).await
        }))
        .await;
        let now = self.clock.now();
        let ended: Vec<Ended> = leased
            .iter()
            .zip(outcomes)
            .map(|(leased, outcome)| self.end(leased, outcome, is_probe, now))
            .collect();
        self.store.end_announcements(&ended, now).await?;
        Ok(ended.iter().filter(|ended| ended.state == "sent").count())
    }

    fn end(
        &mut self,
        leased: &Leased,
        outcome: Outcome,
        is_probe: bool,
        now: DateTime<Utc>,
    ) -> Ended {
        let ended = |state, outcome, due_at| Ended {
            id: leased.id,
            fence: leased.fence,
            state,
            outcome,
            due_at,
            // What shows only that the receiver is still away brings nothing nearer its end.
            is_free: is_probe && state == "queued",
        };
        let attempts = u32::try_from(leased.attempts).unwrap_or(u32::MAX);
        let (why, asked) = match outcome {
            Outcome::Accepted { .. } => return ended("sent", None, now),
            Outcome::Deferred { why, retry_after, .. } => (why, retry_after),
            Outcome::Refused { why } | Outcome::Unknown { why } => (why, None),
        };
        let counted =
            if is_probe { attempts.min(self.way.schedule.attempts() - 1) } else { attempts };
        match self.way.schedule.pause(counted, asked, &mut self.chance) {
            Some(pause) => {
                let due_at = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::days(1));
                tracing::warn!(announcement.id = %leased.id, webhook = self.webhook, retry_at = %due_at, "what became of a connection was refused for now: {why}");
                ended("queued", Some(why), due_at)
            }
            None => {
                tracing::error!(
                    announcement.id = %leased.id,
                    webhook = self.webhook,
                    remedy = "bring the product up to date: docs/webhooks.md, \"After an outage\"",
                    "what became of a connection is not told: given up after {attempts} attempts; the last: {why}"
                );
                let why = format!("given up after {attempts} attempts; the last: {why}");
                ended("refused", Some(why), now)
            }
        }
    }
}
