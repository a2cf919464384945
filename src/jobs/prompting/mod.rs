//! The step that prompts. A planned prompt is leased, composed from the facts as they are
//! then, and handed over; one half of this room fills the outbox, the other empties it.

mod compose;
mod outbox;
mod parcel;
mod verdict;
mod ways;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::link::Links;
use crate::delivery::payload;
use crate::delivery::render::RenderError;
use crate::domain::budget::{PromptBudget, Used};
use crate::domain::campaign::Channel;
use crate::domain::digest::Digest;
use crate::domain::reason::Reason;
use crate::store::Store;
use crate::store::prompts::{Lease, Leased, Leasing, Shown, Spent, Start, Usage, Wanted};

use super::bearings::Bearings;
use super::outside::Asked;
use super::planning::Work;
use super::preflight::Preflight;
use super::progress::Watcher;

pub use compose::{Composed, Composer, Made, SHOWN_BY_MAIL};
pub use parcel::{Content, Parcel, Tells};
pub use verdict::Totals;
pub use ways::{NoWay, Way, Ways};

use outbox::{Item, LEASE, Outbox, Ready};
use verdict::unmade;
use ways::lock;

/// Prompts leased at a time: some seconds' worth, so that a lease outlasts them.
const BATCH: usize = 128;
/// How long a composed prompt may wait for its turn, where several workers share a rate or the
/// database is away. Later than that it is left to the next run.
const GOOD: TimeDelta = TimeDelta::minutes(5);
/// How long the reconnect address is taken to go on answering.
const PROBE: TimeDelta = TimeDelta::seconds(60);

/// Why the step stopped before its end, with nothing wrong with the messages themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody paused all effects.
    Paused(String),
    /// Too many attempts failed.
    Breaker,
    /// The facts are too old to go by.
    Stale,
    /// The product does not answer; nobody is sent a link to it.
    ReconnectDown(String),
    Interrupted,
}

/// How a step went.
#[derive(Debug, Default)]
pub struct Sent {
    pub totals: Totals,
    pub stop: Option<Stop>,
}

/// What prompting needs.
pub struct Prompting<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    pub clock: &'a dyn Clock,
    pub cancel: &'a CancellationToken,
    pub watcher: &'a dyn Watcher,
    /// Prompts planned.
    pub total: u64,
    pub composer: Composer<'a>,
    pub ways: &'a Ways,
    /// Links signed with each of the secrets, for what was first sent with an older one.
    pub older: &'a [Links],
    pub run: Uuid,
    pub owner: Uuid,
    /// Channels that are left alone because they have failed for days.
    pub aside: &'a BTreeSet<String>,
    /// It is only asked whether one of those is back.
    pub is_probe: bool,
    /// Until when the facts may be gone by.
    pub fresh_until: DateTime<Utc>,
    /// Who is asked whether the links lead anywhere; `None` where nobody gets one.
    pub asked: Option<&'a Asked>,
}

/// One half of the work: from planned prompts to ready ones.
struct Feed<'p, 'a> {
    prompting: &'p Prompting<'a>,
    usage: Usage,
    leased: u64,
    held_back: usize,
    probed_at: Option<DateTime<Utc>>,
    closed: &'p Mutex<BTreeSet<String>>,
    entries: &'p mut dyn FnMut(&Work, Option<&Composed>) -> io::Result<()>,
}

impl Prompting<'_> {
    /// Sends the prompts that `works` gives, most urgent first. `leased_before` were leased
    /// by this run already; each prompt that is composed goes to `entries`.
    ///
    /// # Errors
    /// The database or the temporary directory cannot be used.
    pub async fn send(
        &self,
        works: &mut (dyn Iterator<Item = io::Result<Work>> + Send),
        leased_before: u64,
        chance: StdRng,
        entries: &mut (dyn FnMut(&Work, Option<&Composed>) -> io::Result<()> + Send),
    ) -> Result<(Sent, u64), super::Failure> {
        let closed = Mutex::new(self.ways.unusable.keys().chain(self.aside).cloned().collect());
        let mut outbox = Outbox::new(
            self.store,
            self.clock,
            self.cancel,
            self.ways,
            &closed,
            self.owner,
            chance,
        );
        outbox.is_probe = self.is_probe;
        let (stop, room) = (outbox.stop.clone(), Arc::clone(&outbox.room));
        let day = self.clock.now().with_timezone(&self.config.campaign.zone).date_naive();
        let mut feed = Feed {
            prompting: self,
            usage: self.store.prompt_usage(day).await?,
            leased: leased_before,
            held_back: 0,
            probed_at: None,
            closed: &closed,
            entries,
        };
        let (items, received) = mpsc::channel(1);
        let (fed, sent) = tokio::join!(feed.run(works, items, &stop, &room), async {
            // The other half would wait for room for ever.
            outbox.run(received).await.inspect_err(|_| stop.cancel())
        });
        sent?;
        let mut stop = fed?;
        if outbox.breaker.is_open() {
            stop = Some(Stop::Breaker);
        } else if let Some(reason) = outbox.paused.take() {
            stop = Some(Stop::Paused(reason));
        } else if self.cancel.is_cancelled() {
            stop = Some(Stop::Interrupted);
        }
        let now = self.clock.now();
        for (channel, heard) in &outbox.heard {
            heard.note(self.store, channel, now).await?;
        }
        for channel in self.ways.all() {
            channel.close().await;
        }
        let totals = Totals { held_back: feed.held_back, ..outbox.totals };
        Ok((Sent { totals, stop }, feed.leased))
    }
}

impl Feed<'_, '_> {
    async fn run(
        &mut self,
        works: &mut (dyn Iterator<Item = io::Result<Work>> + Send),
        items: mpsc::Sender<Vec<Item>>,
        stop: &CancellationToken,
        room: &Semaphore,
    ) -> Result<Option<Stop>, super::Failure> {
        let Prompting { clock, fresh_until, .. } = self.prompting;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                // It is never closed.
                permit = room.acquire() => permit.into_iter().for_each(SemaphorePermit::forget),
            }
            if clock.now() >= *fresh_until {
                return Ok(Some(Stop::Stale));
            }
            let closed = lock(self.closed).clone();
            let most = self.prompting.ways.batch(BATCH);
            let mut batch: Vec<Work> = Vec::with_capacity(most);
            while batch.len() < most
                && let Some(work) = works.next().transpose()?
            {
                if !closed.contains(&work.channel) {
                    batch.push(work);
                }
            }
            if batch.is_empty() {
                return Ok(None);
            }
            if let Some(stop) = self.probe().await? {
                return Ok(Some(stop));
            }
            let ready = match self.batch(batch).await? {
                Ok(ready) => ready,
                Err(stop) => return Ok(Some(stop)),
            };
            // The other half is gone only when it failed, and says so itself.
            if items.send(ready).await.is_err() {
                return Ok(None);
            }
            self.prompting.watcher.sending(self.leased, self.prompting.total);
        }
    }

    /// Whether the links lead anywhere, looked at again from time to time.
    async fn probe(&mut self) -> Result<Option<Stop>, super::Failure> {
        let Prompting { store, config, asked: Some(asked), .. } = self.prompting else {
            return Ok(None);
        };
        let now = self.prompting.clock.now();
        if self.probed_at.is_some_and(|at| now - at < PROBE) {
            return Ok(None);
        }
        self.probed_at = Some(now);
        let preflight = Preflight { store, config, now, asked: Some(asked) };
        Ok(preflight.reconnect().await?.map(|finding| Stop::ReconnectDown(finding.text)))
    }

    async fn batch(&mut self, batch: Vec<Work>) -> Result<Result<Vec<Item>, Stop>, super::Failure> {
        let prompting = self.prompting;
        let now = prompting.clock.now();
        // Whom somebody exempted or suppressed a moment ago is left alone too.
        let bearings = Bearings::take(prompting.store, now).await?;
        let composer = Composer { rules: bearings.rules(prompting.config), ..prompting.composer };
        let day = now.with_timezone(&prompting.config.campaign.zone).date_naive();
        if self.usage.day != Some(day) {
            self.usage = prompting.store.prompt_usage(day).await?;
        }
        let wanted: Vec<Wanted> = batch
            .iter()
            .map(|work| Wanted {
                prompt: composer.id(work),
                recipient: work.recipient.clone(),
                stage: composer.stage(work).to_owned(),
                channel: work.channel.clone(),
                wave: work.wave,
            })
            .collect();
        let lease = Lease {
            owner: prompting.owner,
            until: now + LEASE,
            now,
            day,
            edition: composer.edition,
            run: prompting.run,
        };
        let policy = composer.rules.prompts;
        let before = &self.usage.days_before;
        let mut budget: Option<PromptBudget<'_>> = None;
        let caps = |wanted: &Wanted, spent: &Spent, mails: u64| {
            let Spent { today, in_run } = spent;
            let of_stage = Used {
                today: today.get(&wanted.stage).copied().unwrap_or_default(),
                days: before.get(&wanted.stage).copied().unwrap_or_default(),
            };
            budget
                .get_or_insert_with(|| PromptBudget::new(policy, *in_run, today.values().sum()))
                .take(&wanted.stage, of_stage, (wanted.channel == "email").then_some(mails))
        };
        let Leasing { leased, held_back, paused } =
            prompting.store.lease_prompts(wanted, lease, caps).await?;
        if let Some(reason) = paused {
            return Ok(Err(Stop::Paused(reason)));
        }
        self.leased += leased.len() as u64;
        self.note_held_back(&held_back);
        self.items(composer, &batch, leased).await.map(Ok)
    }

    fn note_held_back(&mut self, held_back: &[(Wanted, Vec<Reason>)]) {
        self.held_back += held_back.len();
        for (wanted, reasons) in held_back {
            let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
            tracing::info!(
                prompt.id = %wanted.prompt,
                prompt.stage = wanted.stage,
                codes = codes.join(" "),
                "a prompt is held back by a cap that was used up meanwhile"
            );
        }
    }

    /// Composes what was leased.
    async fn items(
        &mut self,
        composer: Composer<'_>,
        batch: &[Work],
        leased: Vec<Leased>,
    ) -> Result<Vec<Item>, super::Failure> {
        let of = |leased: &Leased| {
            batch.iter().find(|work| {
                work.recipient == leased.recipient
                    && work.channel == leased.channel
                    && work.wave == leased.wave
                    && composer.stage(work) == leased.stage
            })
        };
        let pairs: Vec<(Leased, &Work)> = leased
            .into_iter()
            .filter_map(|leased| of(&leased).map(|work| (leased, work)))
            .collect();
        let works: Vec<(Uuid, &Work)> =
            pairs.iter().map(|(leased, work)| (leased.prompt, *work)).collect();
        let made = composer.compose(&works).await?;
        let mut items = Vec::with_capacity(pairs.len());
        for ((leased, work), made) in pairs.into_iter().zip(made) {
            let made = match self.prompting.repeat(&leased, &made) {
                Some(repeat) => repeat,
                None => made,
            };
            let composed = match &made {
                Made::Message(composed) => Some(&**composed),
                Made::Nothing | Made::Failed(_) => None,
            };
            (self.entries)(work, composed)?;
            items.push(self.item(leased, made));
        }
        Ok(items)
    }

    fn item(&self, leased: Leased, made: Made) -> Item {
        let now = self.prompting.clock.now();
        match made {
            Made::Message(composed) => {
                let Composed { digest, parcel } = *composed;
                let start = self.prompting.start(&leased, &digest, &parcel);
                let good_until = now + GOOD;
                Item::Ready(Box::new(Ready { leased, start, parcel: parcel.into(), good_until }))
            }
            Made::Nothing => Item::Ended(verdict::released(&leased, None, now)),
            Made::Failed(error) => {
                tracing::warn!(
                    prompt.id = %leased.prompt,
                    prompt.stage = leased.stage,
                    remedy = error.remedy(),
                    "there is no message for a prompt: {error}"
                );
                Item::Failed(unmade(&leased, &error, now))
            }
        }
    }
}

impl Prompting<'_> {
    /// A webhook that may have been delivered is told the same again, byte by byte, whatever
    /// has become of the facts.
    fn repeat(&self, leased: &Leased, made: &Made) -> Option<Made> {
        let Some(Channel::Webhook(_)) = Channel::parse(&leased.channel) else { return None };
        if matches!(made, Made::Nothing) || leased.attempts == 0 {
            return None;
        }
        let digest: Digest = serde_json::from_str(leased.digest.as_deref()?).ok()?;
        let sha256 = leased.message_sha256.clone()?;
        let same = self.older.iter().find_map(|links| {
            let body = payload::prompt(&digest, |grant| links.link(&digest, grant));
            let parcel = Parcel::hook(digest.prompt, body);
            (parcel.sha256 == sha256)
                .then(|| Made::Message(Box::new(Composed { digest: digest.clone(), parcel })))
        });
        Some(same.unwrap_or(Made::Failed(RenderError::LostSecret)))
    }

    fn start(&self, leased: &Leased, digest: &Digest, parcel: &Parcel) -> Start {
        let removal_from = digest.removal_from;
        Start {
            prompt: leased.prompt,
            fence: leased.fence,
            is_notice: self.ways.get(&leased.channel).is_some_and(|way| way.is_notice),
            digest: serde_json::to_string(digest).unwrap_or_default(),
            message_sha256: parcel.sha256.clone(),
            template_sha256: parcel.template_sha256.clone(),
            shown: digest
                .connections()
                .map(|connection| Shown {
                    connection: connection.key,
                    required: connection.required.clone(),
                    connected_at: connection.connected_at,
                    removal_from,
                })
                .collect(),
        }
    }
}
