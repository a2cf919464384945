//! The model of Xero: that it does what docs/xero.md says, in both of its faces.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use worker::clock::{Clock, VirtualClock};
use worker::domain::ids::ConnectionId;
use worker::domain::scopes::ScopeSet;
use worker::simulation::xero::direct::Direct;
use worker::simulation::xero::http::{Reaction, Request, Response};
use worker::simulation::xero::{App, Call, Fault, Refusal, Xero};
use worker::web;
use worker::xero::authorise::{self, Verdict};
use worker::xero::connections::{Connections, Deletion};
use worker::xero::error::{Decision, Error};

use crate::support::world::scopes;
use crate::support::xero::{CLIENT_ID, REDIRECT, XeroServer, app, model, tenant, user};

fn start() -> DateTime<Utc> {
    "2027-08-20T10:00:00Z".parse().unwrap()
}

fn later(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}

#[test]
fn scopes_only_add_up_and_a_removal_takes_none_away() {
    let mut xero = model();
    let (broad, granular) = (scopes("accounting.transactions"), scopes("accounting.invoices"));
    xero.consent(start(), CLIENT_ID, user(1), broad, &[tenant(1), tenant(2)]).unwrap();
    let id = xero.of_app(CLIENT_ID).next().unwrap().id;
    xero.disconnect(id).unwrap();
    xero.consent(later(1), CLIENT_ID, user(1), granular, &[tenant(1)]).unwrap();
    let grant = xero.grant(CLIENT_ID, user(1)).unwrap();
    assert_eq!(grant.scopes, broad.union(granular));
    assert_eq!(grant.consented_at, later(1));
    assert!(xero.connection(id).is_none(), "who comes back gets another id");
    assert_eq!(xero.of_app(CLIENT_ID).count(), 2);
}

#[test]
fn e51_two_people_of_one_tenant_have_a_connection_each_and_count_once_to_the_cap() {
    let mut xero = model();
    xero.app_mut(CLIENT_ID).unwrap().cap = Some(1);
    let asked = scopes("accounting.settings");
    xero.consent(start(), CLIENT_ID, user(1), asked, &[tenant(1)]).unwrap();
    xero.consent(start(), CLIENT_ID, user(2), asked, &[tenant(1)]).unwrap();
    assert_eq!(xero.of_app(CLIENT_ID).count(), 2);
    // E55: and no other tenant gets in any more.
    let refused = xero.consent(start(), CLIENT_ID, user(3), asked, &[tenant(2)]);
    assert_eq!(refused, Err(Refusal::AtCap));
    assert!(xero.grant(CLIENT_ID, user(3)).is_none());
}

#[test]
fn a_consent_shows_in_the_list_or_not() {
    for shows in [true, false] {
        let mut xero = model();
        xero.consent_shows = shows;
        let asked = scopes("accounting.settings");
        let first = xero.consent(start(), CLIENT_ID, user(1), asked, &[tenant(1)]).unwrap();
        let second = xero.consent(later(9), CLIENT_ID, user(1), asked, &[tenant(1)]).unwrap();
        let one = xero.of_app(CLIENT_ID).next().unwrap();
        assert_eq!(one.created_at, start());
        let expected = if shows { (second, later(9)) } else { (first, start()) };
        assert_eq!((one.auth_event, one.updated_at), expected);
    }
}

#[test]
fn the_same_acts_give_the_same_ids() {
    let told = |seed| {
        let mut xero = Xero::new(seed);
        xero.register(app());
        let asked = scopes("accounting.settings");
        xero.consent(start(), CLIENT_ID, user(1), asked, &[tenant(1), tenant(2)]).unwrap();
        let token = xero.access_token(start(), CLIENT_ID, user(1));
        (xero.of_app(CLIENT_ID).map(|one| one.id).collect::<Vec<ConnectionId>>(), token)
    };
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}

#[test]
fn only_a_token_of_its_own_app_opens_the_list() {
    let mut xero = model();
    let mut request = Request::new("GET", "/connections");
    for token in ["", "Bearer ", "Bearer own-1", "Basic eA=="] {
        request.headers.insert("authorization".to_owned(), token.to_owned());
        let Reaction::Answer(Response { status, .. }) = xero.react(start(), &request) else {
            panic!("an answer")
        };
        assert_eq!(status, 401, "{token}");
    }
}

/// Two connections of one person, in this process.
fn direct(clock: &VirtualClock) -> (Arc<Mutex<Xero>>, Direct<'_>, ConnectionId) {
    let mut xero = model();
    let tenants = [tenant(1), tenant(2)];
    xero.consent(start(), CLIENT_ID, user(1), app().scopes, &tenants).unwrap();
    let id = xero.of_app(CLIENT_ID).next().unwrap().id;
    let shared = Arc::new(Mutex::new(xero));
    (Arc::clone(&shared), Direct::new(shared, clock, CLIENT_ID), id)
}

#[tokio::test]
async fn in_this_process_it_answers_as_over_http() {
    let clock = VirtualClock::at(start());
    let (xero, direct, id) = direct(&clock);
    assert_eq!(direct.list().await.unwrap().connections.len(), 2);
    assert_eq!(direct.delete(id).await.unwrap().deletion, Deletion::Removed);
    assert_eq!(direct.delete(id).await.unwrap().deletion, Deletion::AlreadyGone);
    let wrong = ConnectionId(tenant(1).id.0);
    assert_eq!(direct.delete(wrong).await.unwrap().deletion, Deletion::NotOurs);
    let xero = xero.lock().unwrap();
    let removed: Vec<ConnectionId> = xero.removed().iter().map(|one| one.connection).collect();
    assert_eq!(removed, [id]);
    assert_eq!((xero.counts().list, xero.counts().delete, xero.counts().token), (1, 3, 0));
}

#[tokio::test]
async fn in_this_process_it_goes_wrong_as_it_is_told() {
    let clock = VirtualClock::at(start());
    for (fault, decision, is_gone) in [
        (Fault::Reset, Decision::ReadBack, false),
        (Fault::Lost, Decision::ReadBack, true),
        (Fault::Silence, Decision::ReadBack, true),
        (Fault::Outage(503), Decision::ReadBack, false),
        (Fault::Refuse(401, "TokenExpired"), Decision::Stop, false),
        (
            Fault::Limit { problem: Some("minute"), after: Some(9) },
            Decision::Wait(Some(TimeDelta::seconds(9))),
            false,
        ),
    ] {
        let (xero, direct, id) = direct(&clock);
        xero.lock().unwrap().fail(Call::Delete, fault.clone());
        let error = direct.delete(id).await.unwrap_err();
        assert_eq!(error.decision(), decision, "{fault:?}");
        assert_eq!(xero.lock().unwrap().connection(id).is_none(), is_gone, "{fault:?}");
        xero.lock().unwrap().fail(Call::List, fault.clone());
        let error = direct.list().await.unwrap_err();
        assert!(!matches!(error, Error::Lost(_)), "{fault:?}: a list has no effect");
    }
    let (xero, direct, id) = direct(&clock);
    xero.lock().unwrap().fail(Call::Delete, Fault::Late(TimeDelta::seconds(25)));
    direct.delete(id).await.unwrap();
    assert_eq!(clock.now(), start() + TimeDelta::seconds(25));
}

/// What the model says to a consent for these scopes, asked as preflight asks.
async fn verdict(app: App, redirect: &str, asked: ScopeSet) -> Verdict {
    let mut xero = Xero::new(1);
    let pkce = app.secret.is_none();
    xero.register(app);
    let server = XeroServer::start(xero, Arc::new(VirtualClock::at(start())));
    let client = web::client(Duration::from_secs(60), Vec::new()).unwrap();
    let asking = authorise::App {
        login: server.url(),
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: redirect.parse().unwrap(),
        pkce,
    };
    asking.asks_for(&client, asked).await
}

#[tokio::test]
async fn one_bad_scope_breaks_the_link_for_everybody_and_is_found() {
    let good = scopes("offline_access accounting.settings accounting.invoices");
    assert_eq!(verdict(app(), REDIRECT, good).await, Verdict::Accepted);
    let pkce = App { secret: None, ..app() };
    assert_eq!(verdict(pkce, REDIRECT, good).await, Verdict::Accepted);
    let bad = scopes("payroll.payruns");
    let Verdict::Refused { scopes } = verdict(app(), REDIRECT, good.union(bad)).await else {
        panic!("it is refused")
    };
    assert_eq!(scopes, bad.iter().collect::<Vec<_>>());
    let elsewhere = verdict(app(), "https://elsewhere.example/", good).await;
    assert!(matches!(elsewhere, Verdict::Refused { scopes } if scopes.len() == 3));
}
