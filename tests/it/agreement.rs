//! What `simulate` plays is what the real program does: one small campaign, once as a
//! simulation and once with the real jobs over sockets, has the same effects, one by one.
//!
//! The real run reads its host's database, sends by SMTP, posts to a webhook and calls Xero's
//! model over HTTP. Its customers are those of a second world of the same seed, which hears of
//! what reached the sockets and of nothing else.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use worker::clock::Clock;
use worker::config::Config;
use worker::domain::ids::ConnectionId;
use worker::domain::scopes::ScopeSet;
use worker::inventory::{Column, KeptRow, Selection, Source};
use worker::jobs::outside::{Delivery, Outside};
use worker::jobs::prompting::{Content, Parcel};
use worker::jobs::workplace::Workplace;
use worker::simulation::assume::{Assumptions, Customers, Mail, People, Xero};
use worker::simulation::clock::WorldClock;
use worker::simulation::{Happening, Play, Seed, Shared, World, assumed, keys};
use worker::store::prompts::Mailed;
use worker::xero::authorise::{App, Verdict};
use worker::xero::connections::{Answer, Connections, Deleted, Listing};
use worker::xero::limits::Pace;

use crate::support::place::Place;
use crate::support::real::Real;
use crate::support::sockets::{Effect, Sockets, StepClock};
use crate::support::standin::Notes;

const SEED: u64 = 7;
const PEOPLE: u64 = 8;
const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";

/// A world that notes down what reaches it.
struct Noting {
    shared: Shared,
    effects: Notes<Effect>,
}

struct NotedCalls<'a> {
    calls: Box<dyn Connections + 'a>,
    clock: &'a dyn Clock,
    effects: Notes<Effect>,
}

impl Outside for Noting {
    fn inventory(&self, selection: &Selection) -> Source {
        self.shared.inventory(selection)
    }

    fn deliver<'a>(
        &'a self,
        channel: &'a str,
        parcel: &'a Parcel,
        now: DateTime<Utc>,
    ) -> Delivery<'a> {
        self.effects.push(match &parcel.content {
            Content::Mail { message, bytes } => {
                Effect::new(now, "mail", message.to.address.key(), bytes)
            }
            Content::Hook(body) => Effect::new(now, "webhook", &parcel.prompt.to_string(), body),
        });
        self.shared.deliver(channel, parcel, now)
    }

    fn connections<'a>(
        &'a self,
        pace: Box<dyn Pace + 'a>,
        clock: &'a dyn Clock,
    ) -> Box<dyn Connections + 'a> {
        let calls = self.shared.connections(pace, clock);
        Box::new(NotedCalls { calls, clock, effects: self.effects.clone() })
    }

    fn asks_for(&self, app: &App, scopes: ScopeSet) -> Verdict {
        self.shared.asks_for(app, scopes)
    }

    fn reconnect_page(&self) -> Result<(), String> {
        self.shared.reconnect_page()
    }
}

impl Connections for NotedCalls<'_> {
    fn list(&self) -> Answer<'_, Listing> {
        self.calls.list()
    }

    fn delete(&self, id: ConnectionId) -> Answer<'_, Deleted> {
        self.effects.push(Effect::new(self.clock.now(), "delete", &id.to_string(), &[]));
        self.calls.delete(id)
    }
}

/// Five weeks, with every stage, the window of removals and what follows it.
const SHORT: [(&str, &str); 21] = [
    ("deadline = 2027-09-13 ", "deadline = 2027-02-01 "),
    ("days_before = 270", "days_before = 33"),
    ("days_before = 150", "days_before = 28"),
    ("days_before = 90", "days_before = 24"),
    ("days_before = 60", "days_before = 19"),
    ("enabled = false\nmax_per_run = 500", "enabled = true\nmax_per_run = 500"),
    ("ramp = [25, 250, 1000]", "ramp = []"),
    ("username = \"u\"\n", ""),
    ("password = { file = \"/run/secrets/smtp\" }\n", ""),
    ("max_per_minute = 300", "max_per_minute = 60000"),
    ("private = false", "private = true"),
    ("[removal]\nenabled = false", "[removal]\nenabled = true"),
    ("opens_days_before = 30", "opens_days_before = 11"),
    ("min_notice_days = 21", "min_notice_days = 6"),
    ("wait_days = 7", "wait_days = 2"),
    ("max_percent = 5 ", "max_percent = 100 "),
    ("# win_back_days = [0, 7, 21]", "win_back_days = [0, 2, 4]"),
    ("kind = \"csv\"", "kind = \"sql\""),
    ("path = \"now.csv\"", "url = \"sqlite://host.db\"\nquery = \"select * from inventory\""),
    ("calls_per_minute = 60", "calls_per_minute = 60000"),
    ("schedule = \"17 * * * *\"", "schedule = \"17 15,21 * * sun,mon,tue,wed,thu\""),
];

fn begins() -> DateTime<Utc> {
    "2026-12-28T03:04:05Z".parse().expect("a time")
}

fn until() -> DateTime<Utc> {
    "2027-02-05T00:00:00Z".parse().expect("a time")
}

/// Customers of whom each is likely to do something.
fn assumptions() -> Assumptions {
    Assumptions {
        customers: Customers {
            follow: vec![0.15, 0.15, 0.1],
            unprompted: 0.5,
            leave: 0.5,
            new_address: 0.9,
            colleague: 0.2,
            other_tenant: 0.1,
            broad: 0.2,
            come_back: 0.8,
            come_back_days: 1.0,
            ..Customers::default()
        },
        mail: Mail { dead_addresses: 0.3, put_off: 0.15 },
        xero: Xero { limited: 0.0, lost_answers: 0.5, outage_days: 0.0 },
        people: People::default(),
    }
}

/// People with a connection each, the last with two, in three zones.
fn rows() -> Vec<KeptRow> {
    let id = |kind: u32, number: u64| format!("{kind:08x}-0000-4000-8000-{number:012x}");
    let zones = ["Pacific/Auckland", "Europe/London", "America/New_York"];
    (0..=PEOPLE)
        .map(|number| {
            let person = number.min(PEOPLE - 1);
            KeptRow::blank(number).with(&[
                (Column::TenantId, Some(&id(1, number))),
                (Column::TenantName, Some(&format!("Tenant {number} & Söhne"))),
                (Column::ConnectionId, Some(&id(2, number))),
                (Column::XeroUserId, Some(&id(3, person))),
                (Column::Email, Some(&format!("person{person}@customer{person}.example"))),
                (Column::TimeZone, Some(zones[usize::try_from(person).expect("few") % 3])),
                (Column::Scopes, Some(BROAD)),
                (Column::EvidenceAt, Some("2025-01-01T00:00:00Z")),
                (Column::ConnectedAt, Some("2025-01-01T00:00:00Z")),
            ])
        })
        .collect()
}

fn world(config: &Config) -> World {
    World::of(rows(), config, Seed(SEED), assumptions(), begins())
}

/// What came of a campaign: what reached the world, and what customers did.
struct Campaign {
    effects: Vec<Effect>,
    happened: Vec<Happening>,
    /// What the worker knows of everybody's mail, bounces among it.
    mailed: Vec<Mailed>,
}

async fn simulated(config: &Config) -> Campaign {
    let (config, _) = assumed(config, &People::default());
    let shared = Shared::new(world(&config));
    let effects = Notes::default();
    let noting = Noting { shared: shared.clone(), effects: effects.clone() };
    let workplace = Workplace::copy(&config, &keys(SEED)).await.expect("a private database");
    let workplace = workplace.within(Arc::new(noting));
    let clock = WorldClock::at(begins(), workplace.store.clone());
    let mut play = Play::new(&config, &workplace, shared.clone(), clock, until());
    // What goes wrong at Xero goes by the number of the call: every run makes its own.
    play.skips = false;
    play.run().await.expect("a campaign");
    let mailed = workplace.store.mailed().await.expect("a private database");
    workplace.close().await;
    let happened = shared.world().happened().to_vec();
    Campaign { effects: in_order(&effects), happened, mailed }
}

/// Plays it over sockets; tells what the worker knows of everybody's mail in the end.
async fn real(
    place: &Place,
    config: Config,
    shared: &Shared,
    clock: &Arc<StepClock>,
) -> Vec<Mailed> {
    let mut real = Real::new(place, config, shared, clock, SEED).await;
    real.run(until()).await;
    real.end().await
}

/// By run. Within one, messages go over several connections at a time, and which of them comes
/// first is up to the machine.
fn in_order(effects: &Notes<Effect>) -> Vec<Effect> {
    let mut effects = effects.all().clone();
    effects.sort();
    effects
}

/// In the order in which they stand, each with its number.
fn is_same<T: std::fmt::Debug + PartialEq>(real: &[T], simulated: &[T]) {
    for (number, (real, simulated)) in real.iter().zip(simulated).enumerate() {
        assert_eq!(real, simulated, "number {number}");
    }
    let shared = real.len().min(simulated.len());
    assert!(real[shared..].is_empty(), "not simulated: {:#?}", &real[shared..]);
    assert!(simulated[shared..].is_empty(), "only simulated: {:#?}", &simulated[shared..]);
}

#[tokio::test]
async fn the_simulation_and_the_real_run_have_the_same_effects_one_by_one() {
    let place = Place::new(&[]);
    place.configure_inventory("now.csv", &SHORT);
    let shared = Shared::new(world(&place.config()));
    let clock = Arc::new(StepClock::at(begins()));
    let sockets = Sockets::of(&shared, &clock);
    let edits = sockets.edits();
    let edits = edits.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    place.configure_inventory("now.csv", &SHORT.into_iter().chain(edits).collect::<Vec<_>>());
    let config = place.config();

    let simulated = simulated(&config).await;
    let mailed = real(&place, config, &shared, &clock).await;
    let real = Campaign {
        effects: in_order(&sockets.effects),
        happened: shared.world().happened().to_vec(),
        mailed,
    };
    is_same(&real.effects, &simulated.effects);
    is_same(&real.happened, &simulated.happened);
    is_same(&real.mailed, &simulated.mailed);

    // It was worth comparing.
    let count = |what| real.effects.iter().filter(|effect| effect.what == what).count();
    let [mails, webhooks, deletes] = ["mail", "webhook", "delete"].map(count);
    assert!(mails > 20 && webhooks > 10 && deletes > 1, "{mails} {webhooks} {deletes}");
    let has = |what| real.happened.iter().any(|happening| happening.what == what);
    for what in ["consented", "disconnected", "has another address", "reconnected"] {
        assert!(has(what), "{what}: {:#?}", real.happened);
    }
    assert!(real.mailed.iter().any(|one| one.failed > 0), "{:#?}", real.mailed);
}
