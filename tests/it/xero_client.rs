//! The client against the model over real sockets: every answer of docs/xero.md, "Errors", and
//! those that are none, at every call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use secrecy::SecretString;
use worker::clock::{Clock, VirtualClock};
use worker::domain::ids::ConnectionId;
use worker::simulation::xero::http::Response;
use worker::simulation::xero::{Call, Fault, Mark};
use worker::xero::client::{Client, Limits, Settings};
use worker::xero::connections::{Connections, Deletion};
use worker::xero::error::{Decision, Error};
use worker::xero::limits::Bucket;

use crate::support::xero::{CLIENT_ID, SECRET, XeroServer, app, model, tenant, user};

const PATIENT: Limits = Limits { connect: Duration::from_secs(20), whole: Duration::from_secs(60) };

/// For answers that never come.
const HASTY: Limits = Limits { connect: Duration::from_secs(20), whole: Duration::from_secs(1) };

fn start() -> DateTime<Utc> {
    "2027-08-20T10:00:00.123456Z".parse().unwrap()
}

/// Xero with three connections of two people, its clock, and the app's secret as it is kept.
struct Place {
    server: XeroServer,
    clock: Arc<VirtualClock>,
    secret: Mutex<String>,
    settings: Settings,
}

impl Place {
    fn new() -> Self {
        Self::on(XeroServer::start)
    }

    fn on(
        start_server: impl Fn(worker::simulation::xero::Xero, Arc<dyn Clock>) -> XeroServer,
    ) -> Self {
        let clock = Arc::new(VirtualClock::at(start()));
        let mut xero = model();
        let scopes = app().scopes;
        let first = [tenant(1), tenant(2)];
        xero.consent(start() - TimeDelta::days(400), CLIENT_ID, user(1), scopes, &first).unwrap();
        xero.consent(start() - TimeDelta::days(30), CLIENT_ID, user(2), scopes, &first[..1])
            .unwrap();
        let server = start_server(xero, Arc::clone(&clock) as Arc<dyn Clock>);
        let settings = Settings {
            api: server.url(),
            identity: server.url(),
            client_id: CLIENT_ID.to_owned(),
            roots: None,
            calls_per_minute: 600,
            limits: PATIENT,
        };
        Self { server, clock, secret: Mutex::new(SECRET.to_owned()), settings }
    }

    fn client(&self) -> Client<'_> {
        let secret = || match self.secret.lock().unwrap().as_str() {
            "" => Err("the environment variable XERO_CLIENT_SECRET is not set".to_owned()),
            secret => Ok(SecretString::from(secret)),
        };
        let pace = Bucket::new(self.settings.calls_per_minute, &*self.clock);
        Client::new(&self.settings, Box::new(secret), Box::new(pace), &*self.clock).unwrap()
    }

    fn fail(&self, call: Call, fault: Fault) {
        self.server.model().fail(call, fault);
    }

    /// One of the connections.
    fn connection(&self) -> ConnectionId {
        self.server.model().of_app(CLIENT_ID).next().unwrap().id
    }

    fn is_there(&self, id: ConnectionId) -> bool {
        self.server.model().connection(id).is_some()
    }
}

#[tokio::test]
async fn the_list_is_the_apps_whole_list() {
    let place = Place::new();
    place.server.model().skew = TimeDelta::minutes(-7);
    let listing = place.client().list().await.unwrap();
    assert_eq!((listing.connections.len(), listing.incomplete), (3, None));
    let model = place.server.model();
    for (listed, known) in listing.connections.iter().zip(model.of_app(CLIENT_ID)) {
        assert_eq!((listed.id, listed.tenant), (known.id, known.tenant.id));
        assert_eq!(listed.auth_event, Some(known.auth_event));
        assert_eq!(listed.tenant_name, known.tenant.name);
        assert_eq!(listed.created_at, Some(known.created_at));
        assert_eq!(listed.updated_at, Some(known.updated_at));
    }
    let server_time = listing.server_time.unwrap();
    assert_eq!(start() - server_time, TimeDelta::minutes(7) + TimeDelta::microseconds(123_456));
}

#[tokio::test]
async fn the_app_names_itself_as_the_standard_says_and_asks_for_one_scope() {
    let place = Place::new();
    place.client().list().await.unwrap();
    let requests = place.server.requests.all();
    let [token, list] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((token.method.as_str(), token.path.as_str()), ("POST", "/connect/token"));
    assert_eq!(token.body, b"grant_type=client_credentials&scope=app.connections");
    assert!(token.headers["authorization"].starts_with("Basic "));
    assert_eq!((list.method.as_str(), list.path.as_str()), ("GET", "/connections"));
    assert!(list.headers["authorization"].starts_with("Bearer own-"));
    assert_eq!(list.headers["accept"], "application/json");
    assert_eq!(place.server.model().counts().other, 0);
}

#[tokio::test]
async fn a_removal_ends_one_connection_and_no_other() {
    let place = Place::new();
    let (client, id) = (place.client(), place.connection());
    let deleted = client.delete(id).await.unwrap();
    assert_eq!(deleted.deletion, Deletion::Removed);
    assert!(deleted.correlation.is_some_and(|id| id.len() == 36));
    assert!(deleted.server_time.is_some());
    assert_eq!(place.server.model().of_app(CLIENT_ID).count(), 2);
    assert_eq!(client.delete(id).await.unwrap().deletion, Deletion::AlreadyGone);
    // E2, E52: a tenant's id in the connection's place.
    let tenant = ConnectionId(tenant(1).id.0);
    assert_eq!(client.delete(tenant).await.unwrap().deletion, Deletion::NotOurs);
    assert_eq!(place.server.model().of_app(CLIENT_ID).count(), 2);
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_its_end() {
    let place = Place::new();
    let client = place.client();
    let tokens = || place.server.model().counts().token;
    client.list().await.unwrap();
    place.clock.reach(start() + TimeDelta::minutes(28));
    client.list().await.unwrap();
    assert_eq!(tokens(), 1);
    place.clock.reach(start() + TimeDelta::seconds(29 * 60 + 1));
    join_all((0..4).map(|_| client.list())).await;
    assert_eq!(tokens(), 2, "asked for once, by whoever came first");
    // A clock that is set back keeps a token too long: Xero says so, and it is renewed.
    place.server.model().forget_tokens();
    place.clock.set(start() - TimeDelta::hours(3));
    client.list().await.unwrap();
    assert_eq!(tokens(), 3);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_removal_sent_again() {
    let place = Place::new();
    let (client, id) = (place.client(), place.connection());
    client.list().await.unwrap();
    place.server.model().forget_tokens();
    assert_eq!(client.delete(id).await.unwrap().deletion, Deletion::Removed);
    let counts = place.server.model().counts();
    assert_eq!((counts.token, counts.delete), (2, 2));

    // E4: a storm of refusals ends with the second.
    place.server.model().fail_always(Call::Delete, Some(Fault::Refuse(401, "TokenExpired")));
    let error = client.delete(place.connection()).await.unwrap_err();
    assert!(matches!(&error, Error::Credentials(why) if why.contains("TokenExpired")), "{error}");
    assert_eq!(error.decision(), Decision::Stop);
    let counts = place.server.model().counts();
    assert_eq!((counts.token, counts.delete), (3, 4));
}

#[tokio::test]
async fn a_list_that_cannot_be_had_now_is_asked_for_three_times() {
    for fault in [
        Fault::Outage(500),
        Fault::Outage(503),
        Fault::Half,
        Fault::Reset,
        Fault::Lost,
        Fault::Say(Response::page(200, "Welcome")),
        Fault::Say(Response::json(200, &serde_json::json!({"connections": []}))),
        Fault::Say(Response::empty(200)),
        Fault::Limit { problem: Some("Minute"), after: Some(20) },
        Fault::Limit { problem: None, after: None },
    ] {
        let place = Place::new();
        let client = place.client();
        place.fail(Call::List, fault.clone());
        place.fail(Call::List, fault.clone());
        assert_eq!(client.list().await.unwrap().connections.len(), 3, "{fault:?}");
        place.server.model().fail_always(Call::List, Some(fault.clone()));
        let error = client.list().await.unwrap_err();
        assert!(matches!(error.decision(), Decision::Wait(_)), "{fault:?}: {error}");
        assert_eq!(place.server.model().counts().list, 6, "{fault:?}");
        if let Fault::Limit { after: Some(after), .. } = fault {
            assert!(place.clock.now() - start() > TimeDelta::seconds(i64::from(after) * 4));
        }
    }
}

#[tokio::test]
async fn a_list_that_is_refused_is_not_asked_for_again() {
    for (fault, calls) in [
        (Fault::Refuse(403, "AuthenticationUnsuccessful"), 1),
        (Fault::Refuse(400, "Bad"), 1),
        (Fault::Refuse(404, "No such page"), 1),
        (Fault::Say(Response::empty(302).with("location", "/elsewhere")), 1),
        (Fault::Say(Response::empty(204)), 1),
        (Fault::Refuse(401, "AuthorizationUnsuccessful"), 2),
        // Longer than anybody waits here; nothing more is sent.
        (Fault::Limit { problem: Some("day"), after: Some(9000) }, 1),
    ] {
        let place = Place::new();
        place.server.model().fail_always(Call::List, Some(fault.clone()));
        let error = place.client().list().await.unwrap_err();
        assert_eq!(place.server.model().counts().list, calls, "{fault:?}: {error}");
        assert!(!matches!(error, Error::Unavailable(_) | Error::Lost(_)), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn e50_an_empty_or_partial_list_is_given_as_what_it_is() {
    for (fault, count, is_incomplete) in [
        (Fault::EmptyList, 0, false),
        (Fault::ShortList(1), 1, false),
        (Fault::Marked(Mark::Partial), 3, true),
        (Fault::Marked(Mark::Link), 3, true),
        (Fault::Marked(Mark::ContentRange), 3, true),
        (Fault::WrongId, 2, true),
    ] {
        let place = Place::new();
        place.fail(Call::List, fault.clone());
        let listing = place.client().list().await.unwrap();
        assert_eq!(listing.connections.len(), count, "{fault:?}");
        assert_eq!(listing.incomplete.is_some(), is_incomplete, "{fault:?}");
    }
}

#[tokio::test]
async fn e13_every_outcome_of_a_removal_is_told_apart_and_none_is_repeated() {
    let wait = |seconds| Decision::Wait(Some(TimeDelta::seconds(seconds)));
    for (fault, decision, is_there) in [
        (Fault::Limit { problem: Some("minute"), after: Some(30) }, wait(30), true),
        (Fault::Limit { problem: Some("concurrent"), after: None }, Decision::Wait(None), true),
        (Fault::Outage(500), Decision::ReadBack, true),
        (Fault::Outage(503), Decision::ReadBack, true),
        (Fault::Refuse(400, "Bad"), Decision::ReadBack, true),
        (Fault::Say(Response::page(200, "Welcome")), Decision::ReadBack, true),
        (Fault::Say(Response::empty(301).with("location", "/x")), Decision::ReadBack, true),
        (Fault::Reset, Decision::ReadBack, true),
        (Fault::Lost, Decision::ReadBack, false),
        // The status line came, and then nothing whole.
        (Fault::Half, Decision::ReadBack, false),
    ] {
        let place = Place::new();
        let (client, id) = (place.client(), place.connection());
        client.list().await.unwrap();
        place.fail(Call::Delete, fault.clone());
        let error = client.delete(id).await.unwrap_err();
        assert_eq!(error.decision(), decision, "{fault:?}: {error}");
        assert_eq!(place.server.model().counts().delete, 1, "{fault:?}");
        assert_eq!(place.is_there(id), is_there, "{fault:?}");
        assert!(!matches!(error, Error::Unavailable(_)), "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn e13_a_removal_whose_answer_never_comes_is_lost_and_reading_back_tells() {
    let mut place = Place::new();
    place.settings.limits = HASTY;
    let client = place.client();
    let id = place.connection();
    place.fail(Call::Delete, Fault::Silence);
    let error = client.delete(id).await.unwrap_err();
    assert_eq!(error, Error::Lost("no answer in time".to_owned()));
    let listing = client.list().await.unwrap();
    assert!(listing.connections.iter().all(|listed| listed.id != id));
    assert_eq!(client.delete(id).await.unwrap().deletion, Deletion::AlreadyGone);
    assert_eq!(place.server.model().removed().len(), 1);
}

#[tokio::test]
async fn a_removal_that_nobody_answered_the_door_for_did_nothing() {
    let mut place = Place::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.settings.api = format!("http://{closed}").parse().unwrap();
    let error = place.client().delete(place.connection()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(error.decision(), Decision::Wait(None));
}

#[tokio::test]
async fn without_a_token_nothing_is_removed_whatever_the_endpoint_says() {
    let says = |error: &str| Fault::Say(Response::json(400, &serde_json::json!({"error": error})));
    let json = |value: serde_json::Value| Fault::Say(Response::json(200, &value));
    for (fault, stops) in [
        (says("invalid_client"), true),
        (says("unauthorized_client"), true),
        (says("invalid_scope"), true),
        (says("something_new"), true),
        (Fault::Say(Response::page(200, "Welcome")), false),
        (Fault::Say(Response::page(400, "Bad")), false),
        (Fault::Say(Response::empty(200)), false),
        (Fault::Say(Response::empty(403)), false),
        (Fault::Say(Response::empty(302).with("location", "/x")), false),
        (json(serde_json::json!({"access_token": "t"})), false),
        (json(serde_json::json!({"access_token": "t", "token_type": "mac"})), false),
        (json(serde_json::json!({"access_token": "a\nb", "token_type": "Bearer"})), false),
        (Fault::Outage(500), false),
        (Fault::Outage(503), false),
        (Fault::Limit { problem: Some("minute"), after: Some(5) }, false),
        (Fault::Half, false),
        (Fault::Reset, false),
        (Fault::Lost, false),
    ] {
        let place = Place::new();
        let (client, id) = (place.client(), place.connection());
        place.fail(Call::Token, fault.clone());
        let error = client.delete(id).await.unwrap_err();
        assert_eq!(error.decision() == Decision::Stop, stops, "{fault:?}: {error}");
        assert_ne!(error.decision(), Decision::ReadBack, "{fault:?}: {error}");
        assert_eq!(place.server.model().counts().delete, 0, "{fault:?}");
        assert!(!error.to_string().contains(SECRET), "{error}");
        // What was wrong is over: so it was nothing that is kept.
        place.clock.reach(start() + TimeDelta::minutes(1));
        assert_eq!(client.delete(id).await.unwrap().deletion, Deletion::Removed, "{fault:?}");
    }
}

#[tokio::test]
async fn a_token_response_is_read_in_each_of_its_forms() {
    for scope in [serde_json::json!("app.connections"), serde_json::json!(["app.connections"])] {
        let place = Place::new();
        let body = serde_json::json!({
            "access_token": "unknown there", "token_type": "bearer", "scope": scope,
        });
        place.fail(Call::Token, Fault::Say(Response::json(200, &body)));
        place.client().list().await.unwrap();
        // The made-up token was sent, and refused, and replaced.
        assert_eq!(place.server.model().counts().list, 2);
    }
}

#[tokio::test]
async fn a_secret_that_changes_where_it_is_kept_is_used_without_a_restart() {
    let place = Place::new();
    let client = place.client();
    client.list().await.unwrap();
    place.server.model().app_mut(CLIENT_ID).unwrap().secret = Some("another".to_owned());
    place.clock.reach(start() + TimeDelta::hours(1));
    let error = client.list().await.unwrap_err();
    let expected = "the token endpoint says invalid_client";
    assert_eq!(error, Error::Credentials(expected.to_owned()));
    *place.secret.lock().unwrap() = "another".to_owned();
    client.list().await.unwrap();

    *place.secret.lock().unwrap() = String::new();
    place.clock.reach(start() + TimeDelta::hours(2));
    let error = client.list().await.unwrap_err();
    assert!(matches!(&error, Error::Withheld(why) if why.ends_with("is not set")), "{error}");
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn e31_neither_the_secret_nor_a_token_gets_into_a_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let place = Place::new();
    let client = place.client();
    client.list().await.unwrap();
    place.fail(Call::Token, Fault::Say(Response::page(200, SECRET)));
    place.server.model().forget_tokens();
    let error = client.delete(place.connection()).await.unwrap_err();
    let requests = place.server.requests.all();
    let sent = requests.iter().map(|request| &request.headers["authorization"]);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap() + &format!("{error:?}");
    for authorization in sent {
        let (_, credentials) = authorization.split_once(' ').unwrap();
        assert!(!log.contains(credentials), "{log}");
    }
    assert!(!log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn an_app_that_may_not_manage_connections_is_told_so() {
    let place = Place::new();
    place.server.model().app_mut(CLIENT_ID).unwrap().manages_connections = false;
    let error = place.client().list().await.unwrap_err();
    assert_eq!(error, Error::Credentials("the token endpoint says invalid_scope".to_owned()));
    place.server.model().app_mut(CLIENT_ID).unwrap().secret = None;
    let error = place.client().list().await.unwrap_err();
    assert_eq!(error, Error::Credentials("the token endpoint says unauthorized_client".to_owned()));
}

#[tokio::test]
async fn an_error_carries_xeros_name_for_the_exchange() {
    let place = Place::new();
    let (client, id) = (place.client(), place.connection());
    place.fail(Call::Delete, Fault::Refuse(418, "Short and stout"));
    let text = client.delete(id).await.unwrap_err().to_string();
    assert!(text.contains("status 418, Short and stout (Xero-Correlation-Id "), "{text}");
    place.fail(Call::Delete, Fault::Limit { problem: Some("APPMINUTE"), after: Some(3) });
    let text = client.delete(id).await.unwrap_err().to_string();
    assert!(text.contains("the app's calls a minute (Xero-Correlation-Id "), "{text}");
}

#[tokio::test]
async fn five_calls_at_a_time_and_no_sixth() {
    let place = Place::new();
    let client = place.client();
    client.list().await.unwrap();
    place.server.answer_lists_together(5);
    for listing in join_all((0..20).map(|_| client.list())).await {
        assert_eq!(listing.unwrap().connections.len(), 3);
    }
    assert_eq!(place.server.most_at_once(), 5);
}

#[tokio::test]
async fn zero_calls_a_minute_send_nothing() {
    let mut place = Place::new();
    place.settings.calls_per_minute = 0;
    let client = place.client();
    // The second one for its token, which takes a turn as well.
    for error in
        [client.list().await.unwrap_err(), client.delete(place.connection()).await.unwrap_err()]
    {
        assert!(matches!(error, Error::Withheld(_)), "{error}");
        assert_eq!(error.decision(), Decision::Stop);
    }
    assert!(place.server.requests.all().is_empty());
}

#[tokio::test]
async fn a_removal_does_not_wait_longer_than_what_was_looked_at_holds() {
    let mut place = Place::new();
    place.settings.calls_per_minute = 2;
    let client = place.client();
    client.list().await.unwrap();
    // It would need another token, and that a turn of its own.
    place.server.model().forget_tokens();
    let error = client.delete(place.connection()).await.unwrap_err();
    let Decision::Wait(Some(wait)) = error.decision() else { panic!("{error}") };
    assert!(wait > TimeDelta::seconds(20), "{wait}");
    assert!(place.is_there(place.connection()));
    place.clock.reach(place.clock.now() + wait);
    client.list().await.unwrap();
    let before = place.clock.now();
    client.delete(place.connection()).await.unwrap();
    assert_eq!(place.clock.now(), before, "its turn was waited for by whoever asked");
}

#[tokio::test]
async fn a_list_is_dated_when_it_left_and_not_when_somebody_wanted_it() {
    let mut place = Place::new();
    place.settings.calls_per_minute = 2;
    let client = place.client();
    let listing = client.list().await.unwrap();
    // The token had the turn before.
    assert_eq!((listing.asked_at - start()).num_milliseconds(), 30_500);
}

#[tokio::test]
async fn a_token_that_served_the_look_serves_the_removal_as_well() {
    let mut place = Place::new();
    place.settings.calls_per_minute = 2;
    let client = place.client();
    client.list().await.unwrap();
    let tokens = place.server.model().counts().token;
    // Thirty minutes, and a minute before that it is not used any more for anything new.
    place.clock.reach(start() + TimeDelta::minutes(29) + TimeDelta::seconds(30));
    client.delete(place.connection()).await.unwrap();
    assert_eq!(place.server.model().counts().token, tokens);
    client.list().await.unwrap();
    assert_eq!(place.server.model().counts().token, tokens + 1);
}

#[tokio::test]
async fn a_removal_that_was_kept_too_long_by_others_is_not_sent() {
    let place = Place::new();
    let client = place.client();
    client.list().await.unwrap();
    // Five lists keep all the places, and somebody looks at the clock when they are done.
    place.server.answer_lists_together(6);
    let lists = join_all((0..5).map(|_| client.list()));
    let waiting = client.delete(place.connection());
    let other = place.client();
    let meanwhile = async {
        // The first list's token and itself, and the five.
        while place.server.requests.all().len() < 2 + 5 {
            tokio::task::yield_now().await;
        }
        place.clock.reach(start() + TimeDelta::minutes(1));
        other.list().await
    };
    let (_, waited, _) = tokio::join!(lists, waiting, meanwhile);
    let error = waited.unwrap_err();
    assert_eq!(error.decision(), Decision::Wait(Some(TimeDelta::zero())), "{error}");
    assert_eq!(place.server.model().counts().delete, 0);
}

#[tokio::test]
async fn only_certificates_that_are_trusted_are_talked_to() {
    let mut place = Place::on(XeroServer::encrypted);
    let error = place.client().list().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(place.server.requests.all().is_empty());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("roots.pem");
    std::fs::write(&path, place.server.certificate.clone().unwrap()).unwrap();
    place.settings.roots = Some(path);
    assert_eq!(place.client().list().await.unwrap().connections.len(), 3);
}

#[tokio::test]
async fn an_address_below_another_keeps_its_path() {
    let mut place = Place::new();
    place.settings.api = place.server.url().join("/behind/a/gateway/").unwrap();
    let error = place.client().list().await.unwrap_err();
    assert!(matches!(error, Error::Unexpected(_)), "{error}");
    let requests = place.server.requests.all();
    assert_eq!(requests.last().unwrap().path, "/behind/a/gateway/connections");
}
