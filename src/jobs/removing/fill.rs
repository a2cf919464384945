//! From planned removals to ready ones: leased as far as what happened before and the caps let
//! through, and looked at once more.

use std::pin::pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::audit::Kind as Acted;
use crate::domain::budget::Budget;
use crate::domain::ramp;
use crate::domain::reason::{Code, Reason};
use crate::domain::removal::{Candidate, PastRemoval, RemovalState, barred_by};
use crate::jobs::Failure;
use crate::store::removals::{Ended, Lease, Leased, Leasing, Wanted};

use super::act::{LEASE, Removing, SIGN_OF_LIFE};
use super::appraisal::line;
use super::list::{ListError, XeroList};
use super::look::Verdict;
use super::state::Ready;
use super::stop::Stop;
use super::verdict::released;

/// What came of it.
#[derive(Default)]
pub(super) struct Filled {
    pub ready: Vec<Ready>,
    pub ended: Vec<Ended>,
    pub done: usize,
    pub held_back: usize,
    pub dropped: usize,
    pub stop: Option<Stop>,
    /// The cap that leaves no room for any more.
    pub cap: Option<String>,
}

impl Removing<'_> {
    /// Takes these in hand; `again` are in hand already. `used` of this run's cap is spent.
    pub(super) async fn fill(
        &self,
        works: Vec<Wanted>,
        again: Vec<(Leased, u32)>,
        used: u64,
        halt: &CancellationToken,
    ) -> Result<Filled, Failure> {
        let mut filled = Filled::default();
        let mut in_hand = again;
        if !works.is_empty() {
            let used = used + in_hand.len() as u64;
            let fresh = self.lease(works, used, &mut filled).await?;
            in_hand.extend(fresh.into_iter().map(|leased| (leased, 0)));
        }
        if in_hand.is_empty() {
            return Ok(filled);
        }
        let (leased, looks): (Vec<Leased>, Vec<u32>) = in_hand.into_iter().unzip();
        let list = match self.list_meanwhile(&leased, halt).await? {
            Some(Ok(list)) => list,
            None => {
                let now = self.now();
                filled.ended.extend(leased.iter().map(|leased| released(leased, None, now)));
                return Ok(filled);
            }
            Some(Err(error)) => {
                filled.held_back += leased.len();
                filled.stop = Some(blinded(&error));
                let why = format!("{}: {error}", Code::NotLookedAt.as_str());
                let now = self.now();
                let back = leased.iter().map(|leased| released(leased, Some(why.clone()), now));
                filled.ended.extend(back);
                return Ok(filled);
            }
        };
        let verdicts = self.looker.look(&leased, &list).await?;
        for ((leased, looks), verdict) in leased.into_iter().zip(looks).zip(verdicts) {
            self.sort_out(leased, looks + 1, verdict, &mut filled);
        }
        Ok(filled)
    }

    /// A list to look with, however long it has to wait for its turn; `None` where nobody wants
    /// it any more. What waits for it stays in hand.
    async fn list_meanwhile(
        &self,
        leased: &[Leased],
        halt: &CancellationToken,
    ) -> Result<Option<Result<Arc<XeroList>, ListError>>, Failure> {
        let ids: Vec<Uuid> = leased.iter().map(|leased| leased.removal).collect();
        let mut list = pin!(self.looker.list());
        loop {
            tokio::select! {
                biased;
                list = &mut list => return Ok(Some(list)),
                () = halt.cancelled() => return Ok(None),
                () = self.looker.clock.sleep(SIGN_OF_LIFE) => self.are_in_hand(&ids).await?,
            }
        }
    }

    fn sort_out(&self, leased: Leased, looks: u32, verdict: Verdict, filled: &mut Filled) {
        let now = self.now();
        let connection = leased.planned.connection_id;
        match verdict {
            Verdict::Good(looked_at) => {
                filled.ready.push(Ready { leased, looked_at, looks });
            }
            Verdict::Held(why) => {
                tracing::info!(connection.id = %connection, "a removal is held back: {why}");
                filled.held_back += 1;
                filled.ended.push(released(&leased, Some(why), now));
            }
            Verdict::Changed(why) => {
                tracing::info!(connection.id = %connection, "a removal is dropped: {why}");
                filled.dropped += 1;
                filled.ended.push(Ended {
                    state: RemovalState::Dropped,
                    act: Some(Acted::RemovalDropped),
                    ..released(&leased, Some(why), now)
                });
            }
            Verdict::TookEffect => {
                let why = "an earlier call without an answer had removed it".to_owned();
                filled.done += 1;
                filled.ended.push(Ended {
                    state: RemovalState::Removed,
                    act: Some(Acted::RemovalSettled),
                    ..released(&leased, Some(why), now)
                });
            }
        }
    }

    async fn lease(
        &self,
        works: Vec<Wanted>,
        used: u64,
        filled: &mut Filled,
    ) -> Result<Vec<Leased>, Failure> {
        let now = self.now();
        let campaign = &self.looker.config.campaign;
        let day = now.with_timezone(&campaign.zone).date_naive();
        let store = &self.looker.workplace.store;
        let usage = store.removal_usage(day).await?;
        let step = ramp::step(self.policy, &usage.days, now);
        let wait = chrono::TimeDelta::days(self.policy.wait_days.into());
        let (owner, run) = (self.looker.owner, self.run);
        let lease = Lease { owner, until: now + LEASE, now, day, wait, run };
        let mut budget: Option<Budget> = None;
        let lets = |wanted: &Wanted, today: u64, past: &[PastRemoval]| {
            let candidate = Candidate {
                connection: wanted.connection,
                tenant: wanted.planned.tenant_id,
                grant: wanted.planned.grant,
                people: &wanted.planned.people,
            };
            let barred = barred_by(past, self.policy, candidate, now);
            if !barred.is_empty() {
                return Err(barred);
            }
            let fresh = || Budget::of_removals(self.policy, self.present, (used, today), &step);
            budget.get_or_insert_with(fresh).take()
        };
        let Leasing { leased, held_back, paused } =
            store.lease_removals(works, lease, lets).await?;
        filled.stop = paused.map(Stop::Paused);
        filled.held_back += held_back.len();
        for (wanted, reasons) in held_back {
            let why = line(&reasons);
            let connection = wanted.planned.connection_id;
            tracing::info!(connection.id = %connection, "a removal is held back: {why}");
            if reasons.iter().any(is_cap) {
                filled.cap.get_or_insert(why);
            }
        }
        Ok(leased)
    }
}

/// Whether it will stop whatever comes next as well.
fn is_cap(reason: &Reason) -> bool {
    matches!(
        reason.code,
        Code::MaxPerRun | Code::MaxPerDay | Code::MaxPercent | Code::Ramp | Code::RampWaits
    )
}

/// What a list that is not to be had means for the run.
pub(super) fn blinded(error: &ListError) -> Stop {
    use crate::xero::error::Error;
    match error {
        ListError::Clock { .. } => Stop::Clock(error.to_string()),
        ListError::Xero(Error::Credentials(_)) => Stop::Refused(error.to_string()),
        ListError::Xero(_) => Stop::Unavailable(error.to_string()),
    }
}
