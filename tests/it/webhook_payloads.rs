//! What webhooks say: the program, the schema and docs/webhooks.md agree.

use serde_json::{Value, json};
use worker::delivery::payload::{SCHEMA, State, StateChange, prompt};
use worker::domain::digest::{Digest, DigestConnection, DigestGrant};
use worker::domain::grant::{ConnectionKey, GrantId};
use worker::domain::ids::{ConnectionId, TenantId, UserId};

use crate::support::schema::wrongs;

const DOCS: &str = include_str!("../../docs/webhooks.md");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The examples of the page.
fn documented() -> Vec<Value> {
    let blocks = DOCS.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

fn uuid(text: &str) -> uuid::Uuid {
    text.parse().unwrap()
}

/// The facts of the example in the page.
fn digest() -> Digest {
    let user = uuid("7b1e9c52-3c1a-4a80-9d3e-2f6a8c0d4b11");
    let id = uuid("e1eede29-f875-4a5d-8470-17f6a29a88b1");
    let deadline = "2027-09-12T12:00:00Z".parse().unwrap();
    Digest {
        prompt: uuid("3f0c2a9e-5b7d-5e1f-8a44-6c0f9d2b1e77"),
        stage: "final-notice".into(),
        template: "final-notice".into(),
        is_final: true,
        recipient: "jo@customer.example".into(),
        address: Some("jo@customer.example".into()),
        name: Some("Jo Smith".into()),
        locale: Some("en-NZ".into()),
        zone: chrono_tz::Pacific::Auckland,
        dated: "2027-07-14T21:00:00Z".parse().unwrap(),
        deadline,
        deadline_before: None,
        removal_from: Some("2027-08-13T12:00:00Z".parse().unwrap()),
        links_until: deadline,
        grants: vec![DigestGrant {
            grant: GrantId(user),
            user: Some(UserId(user)),
            scopes: "accounting.contacts accounting.invoices offline_access".into(),
            connections: vec![DigestConnection {
                key: ConnectionKey(id),
                id: Some(ConnectionId(id)),
                tenant: TenantId(uuid("d99ecdfe-391d-43d2-b834-17636ba90e8d")),
                tenant_name: Some("Customer Ltd".into()),
                account: Some("customer-17".into()),
                missing: "accounting.invoices".into(),
                required: "accounting.invoices".into(),
                connected_at: None,
            }],
        }],
        not_shown: 0,
    }
}

fn link(grant: &DigestGrant) -> String {
    assert!(!grant.connections.is_empty());
    "https://books.example/xero/reconnect?token=…".to_owned()
}

fn change(state: State) -> StateChange {
    let DigestGrant { grant, connections, .. } = digest().grants.remove(0);
    StateChange {
        state,
        connection: connections[0].id,
        tenant: connections[0].tenant,
        account: connections[0].account.clone(),
        grant,
        at: "2027-07-20T03:12:45.123456Z".parse().unwrap(),
    }
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn the_examples_of_the_page_are_what_is_sent() {
    let documented = documented();
    let sent = [parsed(&prompt(&digest(), link)), parsed(&change(State::Ready).to_bytes())];
    assert_eq!(documented, sent);
}

#[test]
fn everything_that_is_sent_is_as_the_schema_says() {
    let schema = schema();
    let mut bodies: Vec<Vec<u8>> = State::ALL.map(|state| change(state).to_bytes()).into();
    bodies.push(prompt(&digest(), link));
    // As little as can be known, and names in every script.
    let mut little = digest();
    (little.address, little.name, little.locale, little.removal_from) = (None, None, None, None);
    little.deadline_before = Some(little.deadline);
    little.recipient = format!("grant:{}", little.grants[0].grant);
    little.grants[0].user = None;
    let connection = &mut little.grants[0].connections[0];
    (connection.id, connection.account) = (None, None);
    connection.tenant_name = Some("東京 \"GmbH\" \u{202e}\r\n\0".into());
    connection.missing = String::new();
    bodies.push(prompt(&little, link));
    bodies
        .push(StateChange { connection: None, account: None, ..change(State::Removed) }.to_bytes());
    for body in bodies {
        assert_eq!(wrongs(&schema, &parsed(&body)), Vec::<String>::new());
    }
}

#[test]
fn the_schema_refuses_what_is_not_as_it_says() {
    let schema = schema();
    let good = parsed(&prompt(&digest(), link));
    for (place, value) in [
        ("/type", json!("promt")),
        ("/timestamp", json!("2027-07-14 21:00:00")),
        ("/data/prompt", json!(7)),
        ("/data/reference", json!("XC-1")),
        ("/data/recipient", json!({})),
        ("/data/deadline", json!(null)),
        ("/data/not_shown", json!(-1)),
        ("/data/grants/0/connections/0/missing/0", json!("two scopes")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!wrongs(&schema, &bad).is_empty(), "{place}");
    }
    let mut more = good;
    more["data"]["surprise"] = json!(true);
    assert!(wrongs(&schema, &more).iter().any(|wrong| wrong.contains("surprise")));
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    assert_eq!(prompt(&digest(), link), prompt(&digest(), link));
    assert_eq!(change(State::Ready).to_bytes(), change(State::Ready).to_bytes());
}

#[test]
fn every_state_and_every_type_is_documented() {
    for state in State::ALL {
        assert!(DOCS.contains(&format!("| `{}` |", state.as_str())), "{}", state.as_str());
    }
    let types = &schema()["oneOf"][1]["properties"]["type"]["enum"];
    assert_eq!(*types, json!(State::ALL.map(State::as_str)));
}
