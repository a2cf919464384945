//! A simulated world behind sockets: its people read mail that came by SMTP, its Xero is
//! called over HTTP, and what came in is noted down.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, DurationRound, SubsecRound, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use worker::clock::Clock;
use worker::delivery::outcome::Outcome;
use worker::simulation::Shared;
use worker::simulation::xero::Call;

use super::http::{HttpServer, Reply};
use super::smtp::{Manner, Moment, Reaction, Received, SmtpServer, Step};
use super::standin::Notes;
use super::xero::XeroServer;

/// Something that reached the world outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// The minute of its run.
    pub at: DateTime<Utc>,
    /// `mail`, `webhook` or `delete`.
    pub what: &'static str,
    /// An address, the id of a message, or that of a connection.
    pub whom: String,
    /// Over all bytes that were handed over.
    pub sha256: String,
}

impl Effect {
    pub fn new(at: DateTime<Utc>, what: &'static str, whom: &str, bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let at = at.duration_trunc(TimeDelta::minutes(1)).expect("a time of this century");
        Self { at, what, whom: whom.to_owned(), sha256 }
    }
}

/// A clock that is set by hand. Waits for a turn pass at once and take their time; what waits
/// for longer than any turn guards against something that hangs, and nothing does.
pub struct StepClock(Mutex<DateTime<Utc>>);

const A_TURN: TimeDelta = TimeDelta::seconds(1);

impl StepClock {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now.trunc_subsecs(6)))
    }

    pub fn reach(&self, at: DateTime<Utc>) {
        let mut now = self.0.lock().expect("nobody panics here");
        *now = at.trunc_subsecs(6).max(*now);
    }
}

impl Clock for StepClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("nobody panics here")
    }

    fn sleep(&self, span: TimeDelta) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if span > A_TURN {
                std::future::pending::<()>().await;
            }
            self.reach(self.now() + span);
        })
    }
}

pub struct Sockets {
    pub effects: Notes<Effect>,
    smtp: SmtpServer,
    web: HttpServer,
    xero: XeroServer,
}

impl Sockets {
    /// The world's mail server, webhook, reconnect page and Xero.
    pub fn of(shared: &Shared, clock: &Arc<StepClock>) -> Self {
        let effects = Notes::default();
        let smtp = mail(shared, clock, &effects);
        let (noted, at) = (effects.clone(), Arc::clone(clock));
        let web = HttpServer::serving(move |request| {
            if request.path.starts_with("/xero/reconnect") {
                return Reply::status(400);
            }
            let id = request.headers.get("webhook-id").map(String::as_str).unwrap_or_default();
            noted.push(Effect::new(at.now(), "webhook", id, &request.body));
            Reply::status(204)
        });
        let model = shared.world().model();
        let xero = XeroServer::sharing(model, Arc::clone(clock) as Arc<dyn Clock>);
        let (noted, at, world) = (effects.clone(), Arc::clone(clock), shared.clone());
        xero.watch(move |request, is_coming| {
            let now = at.now();
            match (request.method.as_str(), request.path.strip_prefix("/connections")?) {
                ("GET", "") if is_coming => world.world().trouble(Call::List, now),
                ("DELETE", id) if is_coming => {
                    noted.push(Effect::new(now, "delete", id.trim_start_matches('/'), &[]));
                    world.world().trouble(Call::Delete, now);
                }
                ("DELETE", id) => is_removed(&world, id.trim_start_matches('/'), now),
                _ => {}
            }
            None
        });
        Self { effects, smtp, web, xero }
    }

    /// Changes to the configuration that lead to them.
    pub fn edits(&self) -> Vec<(String, String)> {
        let web = self.web.url("");
        let web = web.as_str().trim_end_matches('/');
        let xero = self.xero.url();
        let xero = xero.as_str().trim_end_matches('/');
        let smtp = format!("port = {}\nroots = {:?}", self.smtp.port, self.smtp.roots());
        [
            ("host = \"smtp.example\"", "host = \"localhost\"".to_owned()),
            ("port = 587", smtp),
            ("\"https://books.example/xero/reconnect?", format!("\"{web}/xero/reconnect?")),
            ("\"https://books.example/hooks/xero-campaign\"", format!("\"{web}/hook\"")),
            ("\"https://api.xero.com\"", format!("{xero:?}")),
            ("\"https://identity.xero.com\"", format!("{xero:?}")),
            ("\"https://login.xero.com\"", format!("{xero:?}")),
        ]
        .map(|(from, to)| (from.to_owned(), to))
        .into()
    }
}

/// A mail server whose mailboxes are the world's.
fn mail(shared: &Shared, clock: &Arc<StepClock>, effects: &Notes<Effect>) -> SmtpServer {
    let inbox: Arc<OnceLock<Notes<Received>>> = Arc::default();
    let (seen, world) = (Arc::clone(&inbox), shared.clone());
    let (clock, effects) = (Arc::clone(clock), effects.clone());
    let react = move |moment: &Moment| {
        if moment.step != Step::Dot {
            return Reaction::Usual;
        }
        let received = seen.get().expect("it was there before anything came in").all();
        let mut own = received.iter().filter(|one| one.connection == moment.connection);
        let mail = own.next_back().expect("it was written down before");
        let address = address(mail);
        let now = clock.now();
        effects.push(Effect::new(now, "mail", &address, &mail.bytes));
        match world.world().take_mail(prompt(mail), &address, now) {
            Outcome::Refused { .. } => Reaction::Say("550 5.1.1 no such mailbox"),
            Outcome::Deferred { .. } => Reaction::Say("450 4.2.0 greylisted"),
            Outcome::Accepted { .. } | Outcome::Unknown { .. } => Reaction::Usual,
        }
    };
    let smtp = SmtpServer::reacting(Manner::default(), react);
    assert!(inbox.set(smtp.received.clone()).is_ok(), "it is set once");
    smtp
}

fn address(mail: &Received) -> String {
    let [to] = mail.to.as_slice() else { panic!("one address per envelope: {:?}", mail.to) };
    let (_, rest) = to.split_once('<').expect("an address");
    rest.split_once('>').expect("an address").0.to_lowercase()
}

fn prompt(mail: &Received) -> Uuid {
    let text = String::from_utf8_lossy(&mail.bytes);
    let (_, rest) = text.split_once("Message-ID: <").expect("a Message-ID");
    rest.split('@').next().and_then(|id| id.parse().ok()).expect("a prompt's id")
}

/// Its person comes to know, where it was removed.
fn is_removed(shared: &Shared, id: &str, now: DateTime<Utc>) {
    let mut world = shared.world();
    let model = world.model();
    let removed = {
        let model = model.lock().expect("a model");
        model.removed().iter().find(|one| one.connection.to_string() == id).cloned()
    };
    if let Some(removed) = removed {
        world.is_removed(now, removed.user, removed.tenant);
    }
}
