//! Handing prompts over: as many at a time as their ways allow, each written down as
//! `sending` before it goes. One commit holds the outcomes of what came back and the intents
//! of what goes next, never of more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::delivery::outcome::Outcome;
use crate::domain::told::PromptState;
use crate::store::prompts::{Advanced, Ended, Leased, Start};
use crate::store::suppressions::Suppression;
use crate::store::{self, Store};

use super::BATCH;
use super::parcel::Parcel;
use super::verdict::{Breaker, Heard, Totals, Verdict, judge, released};
use super::ways::{Way, Ways, lock};

/// How long a prompt stays in a worker's hands without a sign of life: another takes over
/// what is leased then, and calls unknown what was being sent.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often there is one.
const SIGN_OF_LIFE: TimeDelta = TimeDelta::seconds(20);
/// Failures of a way itself, one after the other, after which it is left alone for this run.
const DOWN: usize = 3;

/// A prompt that is ready to go.
pub(super) struct Ready {
    pub leased: Leased,
    pub start: Start,
    pub parcel: Arc<Parcel>,
    /// What it says was so until then at least; afterwards it is decided about anew.
    pub good_until: DateTime<Utc>,
}

/// What the outbox is given.
pub(super) enum Item {
    Ready(Box<Ready>),
    /// Nothing to send; only to be written down.
    Ended(Ended),
    /// The same, because something failed.
    Failed(Ended),
}

pub(super) struct Outbox<'a> {
    pub store: &'a Store,
    pub clock: &'a dyn Clock,
    /// Cancelled when nothing more is to be leased.
    pub stop: CancellationToken,
    /// Batches that there is room for. A lease is kept alive from here, so nothing is leased
    /// before it can come here at once.
    pub room: Arc<Semaphore>,
    pub ways: &'a Ways,
    pub owner: Uuid,
    pub chance: StdRng,
    pub totals: Totals,
    pub breaker: Breaker,
    /// Ways that are left alone for the rest of the run.
    pub closed: &'a Mutex<BTreeSet<String>>,
    /// Failures of each way itself, one after the other.
    down: BTreeMap<String, usize>,
    /// What each way answered.
    pub heard: BTreeMap<String, Heard>,
    /// It is only asked whether a way is back: nothing is given up for that.
    pub is_probe: bool,
    /// Recipients that refused a mail for good, not written down yet.
    refused: Vec<Suppression>,
    ready: VecDeque<Ready>,
    ended: Vec<Ended>,
    flying: BTreeMap<Uuid, Flying>,
    wait_until: Option<DateTime<Utc>>,
    /// Why somebody paused all effects meanwhile.
    pub paused: Option<String>,
}

/// A prompt that is being handed over.
struct Flying {
    leased: Leased,
    way: Arc<Way>,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(
        store: &'a Store,
        clock: &'a dyn Clock,
        cancel: &'a CancellationToken,
        ways: &'a Ways,
        closed: &'a Mutex<BTreeSet<String>>,
        owner: Uuid,
        chance: StdRng,
    ) -> Self {
        Self {
            store,
            clock,
            stop: cancel.child_token(),
            room: Arc::new(Semaphore::new(0)),
            ways,
            owner,
            chance,
            totals: Totals::default(),
            breaker: Breaker::default(),
            closed,
            down: BTreeMap::new(),
            heard: BTreeMap::new(),
            is_probe: false,
            refused: Vec::new(),
            ready: VecDeque::new(),
            ended: Vec::new(),
            flying: BTreeMap::new(),
            wait_until: None,
            paused: None,
        }
    }

    /// Sends what comes until there is no more, or the run is to stop; what is in flight is
    /// waited for in any case, and what has not gone is given back.
    pub(super) async fn run(
        &mut self,
        mut items: mpsc::Receiver<Vec<Item>>,
    ) -> Result<(), store::Error> {
        let mut tasks: JoinSet<(Uuid, Outcome)> = JoinSet::new();
        let (mut is_over, mut is_awaited) = (false, false);
        let mut alive = self.clock.now();
        loop {
            if self.breaker.is_open() {
                self.stop.cancel();
            }
            if self.stop.is_cancelled() {
                // The other half ends by itself; what it had leased by then comes back too.
                self.give_back(|_| true);
            }
            let now = self.clock.now();
            self.give_back(|ready| ready.good_until <= now);
            if self.advance(&mut tasks).await? {
                continue;
            }
            if tasks.is_empty() && self.ready.is_empty() && self.ended.is_empty() && is_over {
                return Ok(());
            }
            let now = self.clock.now();
            if now - alive >= SIGN_OF_LIFE {
                match self.sign_of_life(now).await {
                    // What comes back meanwhile still has to be written down.
                    Err(error) if !error.may_pass() => return Err(error),
                    _ => alive = now,
                }
            }
            let rest = alive + SIGN_OF_LIFE - now;
            let wait = self.wait_until.map_or(rest, |until| (until - now).min(rest));
            let has_room = self.ready.len() < self.ways.batch(BATCH);
            if has_room && !is_awaited && !is_over {
                self.room.add_permits(1);
                is_awaited = true;
            }
            tokio::select! {
                biased;
                Some(done) = tasks.join_next() => {
                    self.came_back(done);
                    // Whatever else is there goes into the same commit.
                    while let Some(done) = tasks.try_join_next() {
                        self.came_back(done);
                    }
                }
                more = items.recv(), if !is_over => match more {
                    Some(items) => {
                        self.take(items);
                        is_awaited = false;
                    }
                    None => is_over = true,
                },
                () = self.stop.cancelled(), if !self.stop.is_cancelled() => {}
                () = self.clock.sleep(wait.max(TimeDelta::milliseconds(1))), if !tasks.is_empty() || !self.ready.is_empty() => {}
            }
        }
    }

    fn take(&mut self, items: Vec<Item>) {
        let closed = lock(self.closed).clone();
        let now = self.clock.now();
        for item in items {
            match item {
                Item::Ready(ready) if closed.contains(&ready.leased.channel) => {
                    self.ended.push(released(&ready.leased, None, now));
                }
                Item::Ready(ready) => self.ready.push_back(*ready),
                Item::Ended(ended) => self.ended.push(ended),
                Item::Failed(ended) => {
                    self.totals.failures += 1;
                    self.ended.push(ended);
                }
            }
        }
    }

    /// Puts what has not gone back where it came from.
    fn give_back(&mut self, which: impl Fn(&Ready) -> bool) {
        let now = self.clock.now();
        let (back, stay): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.ready).into_iter().partition(&which);
        self.ready = stay;
        self.ended.extend(back.iter().map(|ready| released(&ready.leased, None, now)));
    }

    /// Writes down what came back, and lets go what there is room for. Tells whether there is
    /// still room, because some of it was not to be had any more.
    async fn advance(
        &mut self,
        tasks: &mut JoinSet<(Uuid, Outcome)>,
    ) -> Result<bool, store::Error> {
        let now = self.clock.now();
        let rested = self.wait_until.is_none_or(|until| until <= now);
        let batches = self.next_batches(rested);
        if batches.is_empty() && self.ended.is_empty() {
            return Ok(false);
        }
        let mut has_lost = false;
        let mut batches: VecDeque<_> = batches.into();
        loop {
            let (channel, batch) = batches.pop_front().unwrap_or_default();
            let way = self.ways.get(&channel).cloned();
            let starts: Vec<Start> = batch.iter().map(|ready| ready.start.clone()).collect();
            let spacing = way.as_ref().and_then(|way| way.spacing);
            let advanced = self.write(&starts, &channel, spacing).await?;
            if let Some(until) = advanced.wait_until {
                self.wait_until = Some(until);
            } else if !channel.is_empty() {
                self.wait_until = None;
            }
            if advanced.paused.is_some() {
                self.paused = advanced.paused;
                self.stop.cancel();
            }
            for ready in batch.into_iter().rev() {
                let prompt = ready.leased.prompt;
                if advanced.started.contains(&prompt) {
                    if let Some(way) = &way {
                        self.let_go(ready, Arc::clone(way), tasks);
                    }
                } else if advanced.lost.contains(&prompt) {
                    tracing::warn!(prompt.id = %prompt, "another worker has taken it over");
                } else {
                    self.ready.push_front(ready);
                }
            }
            has_lost |= !advanced.lost.is_empty();
            if batches.is_empty() {
                return Ok(has_lost);
            }
        }
    }

    /// What may go next, by channel. Mail waits while its rate wants it to.
    fn next_batches(&mut self, rested: bool) -> Vec<(String, Vec<Ready>)> {
        let mut room: BTreeMap<&str, usize> = BTreeMap::new();
        for ready in &self.ready {
            if let Some(way) = self.ways.get(&ready.leased.channel) {
                room.insert(&ready.leased.channel, way.in_flight);
            }
        }
        for flying in self.flying.values() {
            if let Some(room) = room.get_mut(flying.leased.channel.as_str()) {
                *room = room.saturating_sub(1);
            }
        }
        let mut room: BTreeMap<String, usize> =
            room.into_iter().map(|(channel, room)| (channel.to_owned(), room)).collect();
        let mut batches: BTreeMap<String, Vec<Ready>> = BTreeMap::new();
        let mut stay = VecDeque::with_capacity(self.ready.len());
        for ready in std::mem::take(&mut self.ready) {
            let channel = &ready.leased.channel;
            let is_spaced = self.ways.get(channel).is_some_and(|way| way.spacing.is_some());
            match room.get_mut(channel) {
                Some(room) if *room > 0 && (rested || !is_spaced) => {
                    *room -= 1;
                    batches.entry(channel.clone()).or_default().push(ready);
                }
                _ => stay.push_back(ready),
            }
        }
        self.ready = stay;
        batches.into_iter().collect()
    }

    /// Commits, and waits out a database that is away for a moment: what is in flight has an
    /// outcome that must not be lost.
    async fn write(
        &mut self,
        starts: &[Start],
        channel: &str,
        spacing: Option<TimeDelta>,
    ) -> Result<Advanced, store::Error> {
        const PAUSES: [i64; 5] = [1, 2, 4, 8, 16];
        let mut pauses = PAUSES.into_iter();
        loop {
            let now = self.clock.now();
            let allowance = spacing.map(|spacing| (channel, spacing));
            let written = self
                .store
                .advance_prompts(&self.ended, starts, self.owner, now, now + LEASE, allowance)
                .await;
            match (written, pauses.next()) {
                (Ok(advanced), _) => {
                    self.ended.clear();
                    self.store.suppress(&std::mem::take(&mut self.refused)).await?;
                    return Ok(advanced);
                }
                (Err(error), Some(pause)) if error.may_pass() => {
                    tracing::warn!(pause_s = pause, "waiting for the database: {error}");
                    self.clock.sleep(TimeDelta::seconds(pause)).await;
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    fn let_go(&mut self, ready: Ready, way: Arc<Way>, tasks: &mut JoinSet<(Uuid, Outcome)>) {
        let Ready { leased, parcel, .. } = ready;
        let prompt = leased.prompt;
        let now = self.clock.now();
        let carrier = Arc::clone(&way);
        tasks.spawn(async move { (prompt, carrier.deliver(&parcel, now).await) });
        self.flying.insert(prompt, Flying { leased, way });
    }

    fn came_back(&mut self, done: Result<(Uuid, Outcome), tokio::task::JoinError>) {
        let Ok((prompt, outcome)) = done else {
            // Its lease runs out, and it is called unknown then.
            tracing::error!("sending a prompt ended in a panic");
            self.totals.failures += 1;
            return;
        };
        let Some(Flying { leased, way }) = self.flying.remove(&prompt) else { return };
        let now = self.clock.now();
        let attempts = match self.is_probe {
            true => (leased.attempts + 1).min(way.schedule.attempts() - 1),
            false => leased.attempts + 1,
        };
        let Verdict { ended, channel_down, refused } =
            judge(&leased, attempts, outcome, &way, now, &mut self.chance);
        let why = ended.outcome.as_deref().unwrap_or_default();
        let (id, stage, channel) = (prompt, &leased.stage, &leased.channel);
        match ended.state {
            PromptState::Sent => {
                self.totals.sent += 1;
                tracing::debug!(prompt.id = %id, prompt.stage = stage, prompt.channel = channel, "prompt sent");
            }
            PromptState::Unknown => {
                self.totals.unknown += 1;
                tracing::warn!(prompt.id = %id, prompt.stage = stage, prompt.channel = channel, remedy = "find out whether it arrived, then worker settle", "nobody knows whether a prompt arrived: {why}");
            }
            PromptState::Refused => {
                self.totals.failures += 1;
                tracing::warn!(prompt.id = %id, prompt.stage = stage, prompt.channel = channel, "a prompt was refused: {why}");
            }
            _ => {
                self.totals.failures += 1;
                tracing::warn!(prompt.id = %id, prompt.stage = stage, prompt.channel = channel, retry_at = %ended.due_at, "a prompt was refused for now: {why}");
            }
        }
        self.breaker.note(ended.state);
        self.heard.entry(channel.clone()).or_default().hear(ended.state);
        if refused && leased.channel == "email" {
            self.refused.push(Suppression {
                recipient: leased.recipient.clone(),
                reason: format!("refused: {why}"),
                by: "worker".to_owned(),
                added_at: now,
            });
        }
        let channel = leased.channel.clone();
        self.ended.push(ended);
        if channel_down {
            let failures = self.down.entry(channel.clone()).or_default();
            *failures += 1;
            if *failures >= DOWN && lock(self.closed).insert(channel.clone()) {
                tracing::error!(
                    prompt.channel = channel,
                    remedy = "mend it; what was not sent goes out with a later run",
                    "the channel is left alone for the rest of this run"
                );
                self.give_back(|ready| ready.leased.channel == channel);
            }
        } else {
            self.down.remove(&channel);
        }
    }

    async fn sign_of_life(&self, now: DateTime<Utc>) -> Result<(), store::Error> {
        let ids = self.flying.keys().copied().chain(self.ready.iter().map(|r| r.leased.prompt));
        self.store.extend_leases(&ids.collect::<Vec<_>>(), self.owner, now, now + LEASE).await
    }
}
