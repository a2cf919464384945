//! Holding a job: whoever holds its lease runs it, nobody else. The lease is renewed by a task
//! of its own, so that a long computation does not lose it; a process that is gone loses it by
//! and by, and at once where that can be seen.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Job, Step};
use crate::store::leases::{Claim, Lease};
use crate::store::{self, Store};

use super::holder::Holder;

/// How long a lease lasts without a sign of life. Together with the time between two looks of
/// those who wait, a dead process is taken over within a minute.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often there is one.
const SIGN_OF_LIFE: TimeDelta = TimeDelta::seconds(8);

/// How long one may take.
const SILENCE: Duration = Duration::from_secs(10);

/// A process that runs jobs.
#[derive(Clone)]
pub struct Worker {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// Tells it from others, also within one process.
    pub id: Uuid,
    pub holder: Holder,
}

/// A job in this process's hands, until it is dropped.
pub struct Hold {
    worker: Worker,
    job: String,
    pub run_id: Uuid,
    fence: i64,
    lost: CancellationToken,
    signs: AbortHandle,
}

/// A job in somebody else's hands.
#[derive(Clone, Debug)]
pub struct Held {
    pub by: String,
    /// The run that others may take part in, if there is one.
    pub shared: Option<Uuid>,
}

impl Worker {
    /// Takes a job for a run, if nobody has it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn hold(&self, job: &Job, run_id: Uuid) -> Result<Result<Hold, Held>, store::Error> {
        let there = self.store.lease(&job.name).await?;
        let holder = |lease: &Lease| Holder::parse(&lease.holder);
        let gone = there
            .as_ref()
            .filter(|lease| holder(lease).is_some_and(|holder| holder.is_gone(&self.holder)));
        let now = self.clock.now();
        let claim = Claim {
            job: &job.name,
            owner: self.id,
            holder: &self.holder.text(),
            run_id,
            now,
            until: now + LEASE,
            gone: gone.map(|lease| lease.owner),
            effects: [Step::Prompt, Step::Remove].map(|step| job.steps.contains(&step)),
        };
        if let Some(fence) = self.store.take_lease(claim).await? {
            return Ok(Ok(self.keep(&job.name, run_id, fence)));
        }
        let there = match there {
            Some(there) => Some(there),
            None => self.store.lease(&job.name).await?,
        };
        let by = there.as_ref().and_then(holder);
        Ok(Err(Held {
            by: by.map_or_else(|| "another process".to_owned(), |holder| holder.name()),
            shared: there.filter(|lease| lease.sharing).map(|lease| lease.run_id),
        }))
    }

    fn keep(&self, job: &str, run_id: Uuid, fence: i64) -> Hold {
        let lost = CancellationToken::new();
        let (worker, name, token) = (self.clone(), job.to_owned(), lost.clone());
        let signs = tokio::spawn(async move {
            loop {
                worker.clock.sleep(SIGN_OF_LIFE).await;
                let until = worker.clock.now() + LEASE;
                let renewed = worker.store.renew_lease(&name, fence, until);
                match tokio::time::timeout(SILENCE, renewed).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => return token.cancel(),
                    // While it is away nothing new can be taken up.
                    Ok(Err(error)) => tracing::debug!("no sign of life: {error}"),
                    Err(_) => tracing::debug!("no sign of life: the database does not answer"),
                }
            }
        });
        Hold {
            worker: self.clone(),
            job: job.to_owned(),
            run_id,
            fence,
            lost,
            signs: signs.abort_handle(),
        }
    }
}

impl Hold {
    /// Cancelled when somebody else has taken the job.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the job back at once.
    ///
    /// # Errors
    /// The database cannot be used; the lease runs out then.
    pub async fn release(self) -> Result<(), store::Error> {
        self.signs.abort();
        let now = self.worker.clock.now();
        self.worker.store.renew_lease(&self.job, self.fence, now).await.map(|_| ())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.signs.abort();
    }
}
