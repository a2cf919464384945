//! The client and the model against Xero's own description of the API
//! (tests/it/openapi/README.md): what we ask is described there, and so is what we are given.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use worker::clock::{Clock, VirtualClock};
use worker::domain::ids::ConnectionId;
use worker::simulation::xero::http::{Reaction, Request, Response};
use worker::xero::client::{Client, Limits, Settings};
use worker::xero::connections::{Connections, Deletion};
use worker::xero::limits::Bucket;

use crate::support::http::{HttpServer, Reply};
use crate::support::openapi::{Described, Description};
use crate::support::xero::{CLIENT_ID, SECRET, XeroServer, app, model, tenant, user};

fn start() -> DateTime<Utc> {
    "2027-08-20T10:00:00Z".parse().unwrap()
}

fn client<'a>(address: &url::Url, clock: &'a VirtualClock) -> Client<'a> {
    let settings = Settings {
        api: address.clone(),
        identity: address.clone(),
        client_id: CLIENT_ID.to_owned(),
        roots: None,
        calls_per_minute: 600,
        limits: Limits::default(),
    };
    let secret = || Ok(SecretString::from(SECRET));
    Client::new(&settings, Box::new(secret), Box::new(Bucket::new(600, clock)), clock).unwrap()
}

/// A server made from the description: it answers what is described, with the answers that
/// are, in turn, and refuses the rest.
fn mock(refused: Arc<Mutex<Vec<String>>>) -> HttpServer {
    let description = Description::default();
    let turn = Mutex::new(0);
    HttpServer::serving(move |request| {
        let request = Request {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        match description.request(&request) {
            Ok(Described::Token) => {
                let token = r#"{"access_token":"t","expires_in":1800,"token_type":"Bearer"}"#;
                Reply::Answer(200, Vec::new(), token.to_owned())
            }
            Ok(Described::Operation(operation)) => {
                let answers: Vec<(u16, &str)> = description.answers(operation).collect();
                let mut turn = turn.lock().unwrap();
                let (status, body) = answers[*turn % answers.len()];
                *turn += 1;
                if status == 204 {
                    return Reply::status(204);
                }
                Reply::Answer(status, Vec::new(), body.to_owned())
            }
            Err(why) => {
                refused.lock().unwrap().push(why);
                Reply::status(400)
            }
        }
    })
}

#[tokio::test]
async fn a_server_made_from_xeros_description_is_understood() {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let server = mock(Arc::clone(&refused));
    let clock = VirtualClock::at(start());
    let client = client(&server.url("/"), &clock);
    let id: ConnectionId = "7cb59f93-2964-421d-bb5e-a0f7a4572a44".parse().unwrap();
    let mut deletions = [client.delete(id).await.unwrap(), client.delete(id).await.unwrap()]
        .map(|deleted| deleted.deletion);
    deletions.sort_by_key(|deletion| *deletion != Deletion::Removed);
    assert_eq!(deletions, [Deletion::Removed, Deletion::AlreadyGone]);
    let listing = client.list().await.unwrap();
    assert_eq!(listing.incomplete, None);
    let [listed] = &listing.connections[..] else { panic!("its example") };
    assert_eq!(listed.id, id);
    assert_eq!(listed.tenant_name.as_deref(), Some("Demo Company (NZ)"));
    assert_eq!(listed.created_at, "2019-12-07T18:46:19.516540Z".parse().ok());
    assert!(refused.lock().unwrap().is_empty(), "{:?}", refused.lock().unwrap());
}

#[tokio::test]
async fn what_the_client_asks_and_the_model_answers_is_described() {
    let mut xero = model();
    let tenants = [tenant(1), tenant(2)];
    xero.consent(start() - TimeDelta::days(9), CLIENT_ID, user(1), app().scopes, &tenants).unwrap();
    let mut twin = xero.clone();
    let clock = Arc::new(VirtualClock::at(start()));
    let server = XeroServer::start(xero, Arc::clone(&clock) as Arc<dyn Clock>);
    let client = client(&server.url(), &clock);
    let listed = client.list().await.unwrap().connections;
    client.delete(listed[0].id).await.unwrap();
    client.delete(listed[0].id).await.unwrap();

    let description = Description::default();
    let requests = server.requests.all().clone();
    assert_eq!(requests.len(), 4);
    let mut bodies = Vec::new();
    for request in &requests {
        let described = description.request(request).unwrap_or_else(|why| panic!("{why}"));
        let Reaction::Answer(response) = twin.react(start(), request) else { panic!() };
        description.response(described, &response).unwrap_or_else(|why| panic!("{why}"));
        bodies.push(response.body);
    }
    // Nothing that is described is left out.
    let entries: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(&bodies[1]).unwrap();
    assert_eq!(entries.len(), 2);
    for name in description.properties("Connection") {
        assert!(entries.iter().all(|entry| entry.contains_key(&name)), "{name}");
    }
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let description = Description::default();
    let id = "7cb59f93-2964-421d-bb5e-a0f7a4572a44";
    let mut request = Request::new("GET", "/connections");
    request.headers.insert("authorization".to_owned(), "Bearer t".to_owned());
    let with = |method: &str, path: &str| Request {
        method: method.to_owned(),
        path: path.to_owned(),
        ..request.clone()
    };
    let list = description.request(&request).map_err(|why| panic!("{why}")).unwrap();
    assert!(description.request(&with("GET", &format!("/connections?authEventId={id}"))).is_ok());
    for (method, path) in [
        ("POST", "/connections".to_owned()),
        ("DELETE", "/connections".to_owned()),
        ("DELETE", "/connections/7".to_owned()),
        ("DELETE", format!("/connections/{id}?force=1")),
        ("GET", format!("/connections/{id}")),
        ("GET", "/connections?page=2".to_owned()),
        ("GET", "/connections?authEventId=7".to_owned()),
        ("GET", "/organisations".to_owned()),
        ("POST", "/connect/token".to_owned()),
    ] {
        assert!(description.request(&with(method, &path)).is_err(), "{method} {path}");
    }
    let mut tenanted = request.clone();
    tenanted.headers.insert("xero-tenant-id".to_owned(), id.to_owned());
    assert!(description.request(&tenanted).is_err());
    assert!(description.request(&Request::new("GET", "/connections")).is_err());

    let allowed =
        |body: serde_json::Value| description.response(list, &Response::json(200, &body)).is_ok();
    assert!(allowed(serde_json::json!([])));
    assert!(allowed(serde_json::json!([{"id": id, "createdDateUtc": "2019-12-07T18:46:19.51"}])));
    for wrong in [
        serde_json::json!({}),
        serde_json::json!([7]),
        serde_json::json!([{"id": "7"}]),
        serde_json::json!([{"tenantName": 7}]),
        serde_json::json!([{"createdDateUtc": "yesterday"}]),
    ] {
        assert!(!allowed(wrong.clone()), "{wrong}");
    }
    assert!(description.response(list, &Response::json(206, &serde_json::json!([]))).is_err());
}
