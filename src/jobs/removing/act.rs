//! The act: removals are leased, looked at once more, written down as `deleting`, asked of
//! Xero, and written down again with what came of it; five at a time. One commit holds the
//! outcomes of what came back and the intents of what goes next, never of more.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::campaign::RemovalPolicy;
use crate::domain::rate::Rate;
use crate::domain::reason::Code;
use crate::domain::removal::RemovalState;
use crate::jobs::Failure;
use crate::jobs::calling::CALLS;
use crate::jobs::progress::Watcher;
use crate::store::removals::{Advanced, Ended, Hands, Start, Wanted};
use crate::store::{self, Store};

use super::crew::{Crew, News, Order};
use super::fill::Filled;
use super::list::XeroList;
use super::look::Looker;
use super::state::{Ready, State, Totals};
use super::stop::{LOST_IN_A_ROW, Stop};
use super::verdict::{Answered, Became, judge, released};

/// Calls at a time, as Xero allows.
const AT_ONCE: usize = 5;
/// How often one is looked at whose look does not last until its turn.
const LOOKS: u32 = 2;
/// How long a removal stays in a worker's hands without a sign of life.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often there is one.
pub(super) const SIGN_OF_LIFE: TimeDelta = TimeDelta::seconds(20);
/// How long a last look holds until the intent is written down. The call has its turn by then,
/// and leaves within the minute or not at all.
const LOOK_HOLDS: TimeDelta = TimeDelta::seconds(40);
/// So long before the deadline nothing is begun any more: a call may have to wait for a token,
/// and from the deadline on nothing is removed.
const BEFORE_THE_END: TimeDelta = TimeDelta::minutes(2);

/// What removing needs.
pub struct Removing<'a> {
    pub looker: Looker<'a>,
    pub policy: &'a RemovalPolicy,
    pub cancel: &'a CancellationToken,
    pub watcher: &'a dyn Watcher,
    pub run: Uuid,
    /// Present connections, for the cap that is a share of them.
    pub present: u64,
    /// Until when the facts may be gone by.
    pub fresh_until: DateTime<Utc>,
    /// Until when the plan may be applied.
    pub valid_until: DateTime<Utc>,
    /// How often Xero may be called, by all replicas together.
    pub rate: Rate,
}

impl<'a> Removing<'a> {
    fn store(&self) -> &'a Store {
        &self.looker.workplace.store
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.looker.clock.now()
    }

    fn hands(&self) -> Hands {
        Hands { owner: self.looker.owner, run: self.run, lease: LEASE }
    }

    /// Removes what `works` gives, in its order.
    ///
    /// # Errors
    /// The database cannot be used. What was asked of Xero by then is settled by its list.
    pub async fn remove(&self, works: Vec<Wanted>) -> Result<(Totals, Option<Stop>), Failure> {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (news, heard) = mpsc::unbounded_channel();
        // Both go on while either waits for the database, which the other may hold.
        let halt = self.cancel.child_token();
        let crew = Crew { removing: self, news, halt: &halt };
        let (result, ()) = tokio::join!(
            async {
                let led = self.lead(works, orders, heard, &halt).await;
                // Whatever it ended by, nobody waits on for what is not wanted any more.
                halt.cancel();
                led
            },
            crew.work(ordered)
        );
        result
    }

    async fn lead(
        &self,
        works: Vec<Wanted>,
        orders: mpsc::UnboundedSender<Order>,
        mut heard: mpsc::UnboundedReceiver<News>,
        halt: &CancellationToken,
    ) -> Result<(Totals, Option<Stop>), Failure> {
        let total = works.len() as u64;
        let mut state = State { works: works.into(), ..State::default() };
        let mut alive = self.now();
        loop {
            self.look_around(&mut state);
            if state.stop.is_some() {
                halt.cancel();
                state.give_back(self.now());
            }
            self.advance(&mut state, &orders).await?;
            if state.wants_more(self.batch()) {
                let again = std::mem::take(&mut state.again);
                let most = self.batch().min(state.works.len());
                let works = state.works.drain(..most).collect();
                let used = state.begun + state.in_hand();
                state.is_filling = orders.send(Order::Fill { works, again, used }).is_ok();
            }
            if state.is_done() {
                break;
            }
            if self.now() - alive >= SIGN_OF_LIFE {
                alive = self.now();
                self.sign_of_life(&state).await?;
            }
            let sign = alive + SIGN_OF_LIFE;
            let next = state.next_turn.map_or(sign, |at| at.min(sign));
            let rest = (next - self.now()).max(TimeDelta::milliseconds(1));
            tokio::select! {
                biased;
                Some(news) = heard.recv() => {
                    self.hear(&mut state, news).await;
                    // Whatever else is there goes into the same commit.
                    while let Ok(news) = heard.try_recv() {
                        self.hear(&mut state, news).await;
                    }
                }
                () = self.cancel.cancelled(), if state.stop.is_none() => {
                    state.stop = Some(Stop::Interrupted);
                }
                () = self.looker.clock.sleep(rest) => {}
            }
            self.watcher.removing(state.begun, total);
        }
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok((state.totals, state.stop.or(state.cap.map(Stop::Caps)))),
        }
    }

    async fn hear(&self, state: &mut State, news: News) {
        match news {
            News::Flown(removal, answered) => self.came_back(state, removal, *answered).await,
            News::Filled(filled) => {
                state.is_filling = false;
                self.take(state, *filled);
            }
        }
    }

    /// Removals taken in hand together: some seconds' worth, so that a look outlasts them.
    fn batch(&self) -> usize {
        const MOST: usize = 64;
        let calls = usize::try_from(self.looker.config.xero.calls_per_minute).unwrap_or(MOST);
        (calls / 4).clamp(1, MOST)
    }

    /// Until when anything may be begun.
    fn until(&self) -> DateTime<Utc> {
        let closes = self.looker.config.campaign.deadline - BEFORE_THE_END;
        closes.min(self.valid_until).min(self.fresh_until)
    }

    /// Stops where time has run out, or somebody wants to.
    fn look_around(&self, state: &mut State) {
        if state.stop.is_some() {
            return;
        }
        let now = self.now();
        let campaign = &self.looker.config.campaign;
        state.stop = if self.cancel.is_cancelled() {
            Some(Stop::Interrupted)
        } else if now >= campaign.deadline - BEFORE_THE_END {
            Some(Stop::Over("the deadline has come"))
        } else if now >= self.valid_until {
            Some(Stop::Over("the plan's time is over"))
        } else if now >= self.fresh_until {
            Some(Stop::Over("the last scan is too old to go by"))
        } else if campaign.working.closed(campaign.zone, now).is_some() {
            Some(Stop::Over("the working hours are over"))
        } else if state.lost_in_a_row >= LOST_IN_A_ROW {
            Some(Stop::Breaker)
        } else {
            None
        };
    }

    /// Writes down what came back, and lets go what there is room for.
    async fn advance(
        &self,
        state: &mut State,
        orders: &mpsc::UnboundedSender<Order>,
    ) -> Result<(), Failure> {
        if state.stop.is_some() || state.next_turn.is_some_and(|at| at <= self.now()) {
            state.next_turn = None;
        }
        let room = match (&state.stop, state.next_turn) {
            (None, None) => AT_ONCE.saturating_sub(state.flying.len()),
            _ => 0,
        };
        let going: Vec<Ready> = state.ready.drain(..room.min(state.ready.len())).collect();
        if going.is_empty() && state.ended.is_empty() {
            return Ok(());
        }
        let starts: Vec<Start> = going
            .iter()
            .map(|ready| Start {
                removal: ready.leased.removal,
                fence: ready.leased.fence,
                looked_at: ready.looked_at,
                good_until: (ready.looked_at + LOOK_HOLDS).min(self.until()),
            })
            .collect();
        let advanced = self.write(&state.ended, &starts).await?;
        state.ended.clear();
        state.next_turn = advanced.next_turn.or(state.next_turn);
        if let Some(reason) = advanced.paused {
            state.stop.get_or_insert(Stop::Paused(reason));
            state.again.extend(going.into_iter().map(|ready| (ready.leased, ready.looks)));
            return Ok(());
        }
        let mut waiting = Vec::new();
        for ready in going {
            let removal = ready.leased.removal;
            if advanced.started.contains(&removal) {
                state.begun += 1;
                let id = ready.leased.planned.connection_id;
                if orders.send(Order::Fly { removal, id }).is_ok() {
                    state.flying.insert(removal, ready.leased);
                }
            } else if advanced.stale.contains(&removal) && ready.looks < LOOKS {
                state.again.push((ready.leased, ready.looks));
            } else if advanced.stale.contains(&removal) {
                let why = Code::NotLookedAt.as_str().to_owned();
                state.totals.held_back += 1;
                state.ended.push(released(&ready.leased, Some(why), self.now()));
            } else if advanced.lost.contains(&removal) {
                tracing::warn!(removal.id = %removal, "another worker has taken it over");
            } else {
                waiting.push(ready);
            }
        }
        for ready in waiting.into_iter().rev() {
            state.ready.push_front(ready);
        }
        Ok(())
    }

    /// Commits, and waits out a database that is away for a moment: what is in flight has an
    /// outcome that must not be lost.
    async fn write(&self, ended: &[Ended], starts: &[Start]) -> Result<Advanced, store::Error> {
        const PAUSES: [i64; 5] = [1, 2, 4, 8, 16];
        let mut pauses = PAUSES.into_iter();
        let clock = || self.now();
        loop {
            let pace = Some((CALLS, self.rate));
            let store = self.store();
            let written = store.advance_removals(ended, starts, self.hands(), pace, &clock).await;
            match (written, pauses.next()) {
                (Err(error), Some(pause)) if error.may_pass() => {
                    tracing::warn!(pause_s = pause, "waiting for the database: {error}");
                    self.looker.clock.sleep(TimeDelta::seconds(pause)).await;
                }
                (written, _) => return written,
            }
        }
    }

    async fn came_back(&self, state: &mut State, removal: Uuid, answered: Answered) {
        let Some(leased) = state.flying.remove(&removal) else { return };
        // Only beside a list does it matter what the last one said.
        let last = match &answered.list {
            Some(_) => self.store().list_before().await,
            None => Ok(None),
        };
        let most = self.looker.config.guard.max_change_percent;
        let absence = |list: &XeroList| match &last {
            Ok(last) => list.proves_no_absence(*last, most),
            Err(error) => Some(format!("the last list is not to be had: {error}")),
        };
        let Became { ended, stop, failed } = judge(&leased, answered, absence, self.now());
        let why = ended.outcome.as_deref().unwrap_or_default();
        let (state_of, connection) = (ended.state, leased.planned.connection_id);
        tracing::info!(removal.id = %removal, connection.id = %connection, "{}: {why}", state_of.as_str());
        state.totals.failures += usize::from(failed);
        match state_of {
            RemovalState::Removed => state.totals.done += 1,
            RemovalState::Queued | RemovalState::SetAside => {}
            _ => {}
        }
        match state_of {
            RemovalState::Unknown => state.lost_in_a_row += 1,
            _ => state.lost_in_a_row = 0,
        }
        if let Some(stop) = stop {
            state.stop.get_or_insert(stop);
        }
        state.ended.push(ended);
    }

    fn take(&self, state: &mut State, filled: Result<Filled, Failure>) {
        match filled {
            Ok(filled) => {
                state.ready.extend(filled.ready);
                state.ended.extend(filled.ended);
                state.totals.done += filled.done;
                state.totals.held_back += filled.held_back;
                state.totals.dropped += filled.dropped;
                if let Some(stop) = filled.stop {
                    state.stop.get_or_insert(stop);
                }
                if let Some(cap) = filled.cap {
                    // What is in hand is within it.
                    state.works.clear();
                    state.cap.get_or_insert(cap);
                }
            }
            Err(failure) => {
                // What is in flight has an outcome; that is waited for all the same.
                state.stop.get_or_insert(Stop::Interrupted);
                state.failure.get_or_insert(failure);
            }
        }
    }

    async fn sign_of_life(&self, state: &State) -> Result<(), store::Error> {
        let ids: Vec<Uuid> = state
            .flying
            .keys()
            .copied()
            .chain(state.ready.iter().map(|ready| ready.leased.removal))
            .chain(state.again.iter().map(|(leased, _)| leased.removal))
            .collect();
        self.are_in_hand(&ids).await
    }

    /// Keeps these in these hands for a while longer.
    pub(super) async fn are_in_hand(&self, ids: &[Uuid]) -> Result<(), store::Error> {
        let now = self.now();
        self.store().extend_removals(ids, self.looker.owner, now, now + LEASE).await
    }
}
