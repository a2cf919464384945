//! The world as the worker sees it: an inventory to read, people and webhooks to write to, and
//! Xero, which is down at times, has limits, and loses answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::delivery::outcome::Outcome;
use crate::domain::ids::ConnectionId;
use crate::domain::scopes::ScopeSet;
use crate::inventory::{Selection, Source};
use crate::jobs::outside::{Delivery, Outside};
use crate::jobs::prompting::{Content, Parcel};
use crate::xero::authorise::{App, Verdict};
use crate::xero::connections::{Answer, Connections, Deleted, Deletion, Listing};
use crate::xero::error::Decision;
use crate::xero::limits::{Pace, Turn};

use super::chance::happens;
use super::people::Mailbox;
use super::witness::Heard;
use super::world::World;
use super::xero::direct::Direct;
use super::xero::{Call, Fault};

/// How long Xero stays down.
const OUTAGE_HOURS: u32 = 6;
/// What a 429 says to wait.
const LIMITED_SECONDS: u32 = 5;

/// A world that several may reach.
#[derive(Clone)]
pub struct Shared {
    world: Arc<Mutex<World>>,
    /// Tells that the worker's process is gone.
    pub(super) crash: Arc<Notify>,
}

impl Shared {
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), crash: Arc::new(Notify::new()) }
    }

    /// The world itself, for as long as nobody else is let in.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The worker's process is gone: nothing of it goes on.
    async fn end_of_the_process(&self) {
        self.crash.notify_one();
        std::future::pending::<()>().await;
    }
}

impl World {
    /// Whether Xero is down.
    pub(super) fn is_down(&self, now: DateTime<Utc>) -> bool {
        let mut chance = self.seed.about("outage", &now.date_naive().to_string());
        if !happens(&mut chance, self.assumed.xero.outage_days / 365.0) {
            return false;
        }
        let from = (chance.even() * f64::from(24 - OUTAGE_HOURS)).floor();
        (from..from + f64::from(OUTAGE_HOURS)).contains(&f64::from(now.hour()))
    }

    fn receive(&mut self, channel: &str, parcel: &Parcel, now: DateTime<Utc>) -> Outcome {
        let accepted = || Outcome::Accepted { reference: None };
        let Content::Mail { message, .. } = &parcel.content else { return accepted() };
        if channel == "file" {
            return accepted();
        }
        self.take_mail(parcel.prompt, message.to.address.key(), now)
    }

    /// A mail comes to an address, in its one spelling: what its server says, and what its
    /// person is moved to.
    pub fn take_mail(&mut self, prompt: Uuid, address: &str, now: DateTime<Utc>) -> Outcome {
        let about = format!("{prompt} {}", now.timestamp());
        if happens(&mut self.seed.about("put off", &about), self.assumed.mail.put_off) {
            let why = "450 4.2.0 greylisted".to_owned();
            return Outcome::Deferred { why, retry_after: None, channel_down: false };
        }
        match self.is_told(now, address) {
            Mailbox::Read => Outcome::Accepted { reference: None },
            Mailbox::Refuses => Outcome::Refused { why: "550 5.1.1 no such mailbox".to_owned() },
            Mailbox::Returns => {
                self.will_bounce(now, prompt);
                Outcome::Accepted { reference: None }
            }
        }
    }

    /// Lets its Xero have the trouble that the next call meets, if it meets any.
    pub fn trouble(&mut self, call: Call, now: DateTime<Utc>) {
        if let Some(fault) = self.fault(call, now) {
            self.xero().fail(call, fault);
        }
    }

    /// What goes wrong with the next call, if anything does.
    fn fault(&mut self, call: Call, now: DateTime<Utc>) -> Option<Fault> {
        if self.is_down(now) {
            return Some(Fault::Outage(503));
        }
        if let Some(fault) = self.storm.hush(call) {
            return Some(fault);
        }
        self.calls += 1;
        let mut chance = self.seed.about("call", &self.calls.to_string());
        if happens(&mut chance, self.assumed.xero.limited) {
            return Some(Fault::Limit { problem: Some("minute"), after: Some(LIMITED_SECONDS) });
        }
        let is_lost = happens(&mut chance, self.assumed.xero.lost_answers);
        (call == Call::Delete && is_lost).then(|| self.storm.lost(&mut chance))
    }
}

impl Outside for Shared {
    fn inventory(&self, selection: &Selection) -> Source {
        let mut world = self.world();
        Source::Rows(match selection {
            Selection::All => {
                let rows = world.inventory();
                world.storm.spoil(rows)
            }
            Selection::Tenants(tenants) => {
                world.see_look(tenants);
                world.of_tenants(tenants)
            }
        })
    }

    fn deliver<'a>(
        &'a self,
        channel: &'a str,
        parcel: &'a Parcel,
        now: DateTime<Utc>,
    ) -> Delivery<'a> {
        Box::pin(async move {
            if self.world().storm.crashes(false) {
                self.end_of_the_process().await;
            }
            let outcome = {
                let mut world = self.world();
                let outcome = world.receive(channel, parcel, now);
                world.see_delivery(channel, parcel, now, &outcome);
                outcome
            };
            let is_the_end = self.world().storm.crashes(true);
            if is_the_end {
                self.world().see_nobody_learn();
                self.end_of_the_process().await;
            }
            outcome
        })
    }

    fn connections<'a>(
        &'a self,
        pace: Box<dyn Pace + 'a>,
        clock: &'a dyn Clock,
    ) -> Box<dyn Connections + 'a> {
        let world = self.world();
        let direct = Direct::new(Arc::clone(&world.xero), clock, &world.client_id);
        Box::new(Calls { shared: self, direct, pace, clock })
    }

    fn asks_for(&self, _: &App, scopes: ScopeSet) -> Verdict {
        let mut world = self.world();
        let accepts = world.xero().may_ask_for(&world.client_id, scopes);
        match accepts {
            true => {
                world.see_accepted(scopes);
                Verdict::Accepted
            }
            false => Verdict::Refused { scopes: Vec::new() },
        }
    }

    fn reconnect_page(&self) -> Result<(), String> {
        match self.world().storm.is_page_down {
            true => Err("status 503".to_owned()),
            false => Ok(()),
        }
    }
}

/// Longer than that nobody waits for a list's turn.
const PATIENCE: TimeDelta = TimeDelta::minutes(3);

/// Calls to the world's Xero.
struct Calls<'a> {
    shared: &'a Shared,
    direct: Direct<'a>,
    pace: Box<dyn Pace + 'a>,
    clock: &'a dyn Clock,
}

impl Calls<'_> {
    async fn turn(&self) -> Result<(), crate::xero::error::Error> {
        let until = self.clock.now() + PATIENCE;
        loop {
            match self.pace.turn().await? {
                Turn::Now => return Ok(()),
                Turn::NotBefore(at) if at > until => {
                    let why = "no turn for it in time".to_owned();
                    return Err(crate::xero::error::Error::Withheld(why));
                }
                Turn::NotBefore(at) => self.clock.sleep(at - self.clock.now()).await,
            }
        }
    }

    fn prepare(&self, call: Call) {
        let mut world = self.shared.world();
        if call == Call::List && world.storm.is_list_empty {
            world.xero().fail(call, Fault::EmptyList);
            return;
        }
        world.trouble(call, self.clock.now());
    }

    async fn list(&self) -> Result<Listing, crate::xero::error::Error> {
        self.turn().await?;
        self.prepare(Call::List);
        self.shared.world().see_list(self.clock.now());
        let listing = self.direct.list().await;
        let tells = listing.as_ref().is_ok_and(|it| !it.connections.is_empty());
        let heard = if tells { Heard::List } else { Heard::NoList };
        self.shared.world().hear(self.clock.now(), heard);
        listing
    }

    /// Its turn was counted when the intent was written down.
    async fn delete(&self, id: ConnectionId) -> Result<Deleted, crate::xero::error::Error> {
        self.prepare(Call::Delete);
        if self.shared.world().storm.crashes(false) {
            self.shared.end_of_the_process().await;
        }
        let before = self.shared.world().xero().removed().len();
        self.shared.world().see_asking(id);
        let answer = self.direct.delete(id).await;
        let is_lost = matches!(answer, Err(crate::xero::error::Error::Lost(_)));
        self.shared.world().hear(self.clock.now(), heard(&answer));
        let is_done = matches!(&answer, Ok(deleted) if deleted.deletion == Deletion::Removed);
        if is_done || is_lost {
            let mut world = self.shared.world();
            let removed = world.xero().removed().get(before..).unwrap_or_default().to_vec();
            if let Some(removed) = removed.into_iter().find(|it| it.connection == id) {
                world.see_removal(self.clock.now(), &removed);
                world.is_removed(self.clock.now(), removed.user, removed.tenant);
            }
        }
        if self.shared.world().storm.crashes(true) {
            self.shared.end_of_the_process().await;
        }
        answer
    }
}

/// What the worker heard of a removal.
fn heard(answer: &Result<Deleted, crate::xero::error::Error>) -> Heard {
    match answer.as_ref().map_err(crate::xero::error::Error::decision) {
        Ok(_) => Heard::Answer,
        Err(Decision::ReadBack) => Heard::Nothing,
        Err(Decision::Wait(_) | Decision::Stop) => Heard::Later,
    }
}

impl Connections for Calls<'_> {
    fn list(&self) -> Answer<'_, Listing> {
        Box::pin(self.list())
    }

    fn delete(&self, id: ConnectionId) -> Answer<'_, Deleted> {
        Box::pin(self.delete(id))
    }
}
