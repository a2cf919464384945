//! No address, token, name or secret of anybody is in a log, at any level, nor in a result
//! that was not asked for it.

use serde_json::Value;
use uuid::Uuid;

use crate::support::inventory::id;
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::said::Said;

/// In every piece of data about people, and in nothing else.
const MARK: &str = "zanzibar";
/// In every secret.
const SECRET: &str = "hushhush";

/// Values in base64url without padding, as in a JWT.
fn encoded(value: &Value) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in value.to_string().as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for letter in 0..=chunk.len() {
            text.push(LETTERS[(bits >> (18 - 6 * letter)) as usize & 63].into());
        }
    }
    text
}

fn token(number: usize) -> String {
    let header = encoded(&serde_json::json!({"alg": "RS256"}));
    let claims = encoded(&serde_json::json!({
        "client_id": "0123456789ABCDEF0123456789ABCDEF", "scope": ["accounting.transactions"],
        "iat": 1_780_000_000 + number, "name": MARK,
    }));
    format!("{header}.{claims}.{SECRET}{number}")
}

/// Rows that are good, and rows that are bad in ways that put anything anywhere.
fn inventory() -> String {
    let mut lines = String::new();
    let mut add = |row: Value| {
        lines.push_str(&row.to_string());
        lines.push('\n');
    };
    for number in 1..=40 {
        add(serde_json::json!({
            "tenant_id": id("a", number), "connection_id": id("c", number),
            "tenant_name": format!("{MARK} Ltd {number}"), "name": format!("Jo {MARK}"),
            "email": format!("jo{number}@{MARK}.example"), "account_id": format!("{MARK}-{number}"),
            "access_token": token(number), "evidence_at": "2026-02-01T00:00:00Z",
        }));
    }
    let ids = |number: usize| (id("a", number), id("c", number));
    for (number, column, value) in [
        (41, "access_token", format!("{SECRET}.not.a-token")),
        (42, "scopes", format!("jo@{MARK}.example {SECRET} Jo {MARK}")),
        (43, "flow", MARK.to_owned()),
        (44, "time_zone", format!("{MARK}/{MARK}")),
        (45, "email", format!("jo {MARK} at example")),
        (46, "connected_at", format!("{MARK} o'clock")),
        (47, "required_scopes", format!("{MARK}@{SECRET}.example")),
        (48, "connection_id", MARK.to_owned()),
        (49, "tenant_id", format!("jo@{MARK}.example")),
        (
            50,
            "token_response",
            format!("{{\"refresh_token\": \"{SECRET}\", \"scope\": \"files\"}}"),
        ),
        (51, "token_response", format!("{{\"access_token\": {SECRET}")),
        (52, "xero_user_id", MARK.to_owned()),
    ] {
        let (tenant, connection) = ids(number);
        let mut row = serde_json::json!({
            "tenant_id": tenant, "connection_id": connection, "scopes": "accounting.transactions",
        });
        row[column] = value.into();
        add(row);
    }
    lines + &format!("{{\"tenant_id\": \"{MARK}\", broken {SECRET}\n")
}

fn place(database: &str) -> Place {
    let place = Place::with_inventory(
        "people.jsonl",
        &[
            ("kind = \"csv\" ", "kind = \"jsonl\" "),
            ("\"sqlite://worker.db\"", &format!("{database:?}")),
            ("max_bad_percent = 1 ", "max_bad_percent = 50 "),
            ("max_per_run = 500", "max_per_run = 5"),
            ("{ env = \"LINK_SECRET\" }", "{ file = \"link\" }"),
        ],
    );
    place.write("people.jsonl", inventory());
    place.write("link", SECRET);
    place
}

fn traced(place: &Place, arguments: &[&str]) -> Said {
    let mut command = place.command(arguments);
    command.env("WORKER_LOG_LEVEL", "trace").env("XERO_CLIENT_SECRET", SECRET);
    Said::by(command)
}

fn is_silent(said: &Said, arguments: &[&str]) {
    for (stream, text) in [("standard output", &said.out), ("standard error", &said.err)] {
        for word in [MARK, SECRET] {
            let found = text.lines().find(|line| line.to_lowercase().contains(word));
            assert_eq!(found, None, "{word} in {stream} of {arguments:?}");
        }
    }
}

const AT: [&str; 2] = ["--at", "2027-07-20T03:00:00Z"];

#[tokio::test]
async fn no_log_and_no_plan_shows_people_or_secrets() {
    let pg = Pg::new().await;
    for database in ["sqlite://worker.db", &pg.url()] {
        let place = place(database);
        let dry = [&["run-once", "--dry-run"][..], &AT].concat();
        let in_json = [&dry[..], &["--format", "json"]].concat();
        for arguments in [
            &dry[..],
            &in_json,
            &["run-once"],
            &dry,
            &in_json,
            &["run-once", "--format", "json"],
            &["status"],
            &["status", "--format", "json"],
            &["migrate"],
            &["exempt", "list"],
        ] {
            let said = traced(&place, arguments);
            assert_eq!(said.code, Some(0), "{said}");
            is_silent(&said, arguments);
        }
        let plan = traced(&place, &in_json).json();
        assert!(!plan["prompts"].as_array().unwrap().is_empty());
        assert!(!plan["held_back"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_person_has_one_pseudonym_in_one_database_and_another_in_another() {
    let pseudonyms = |place: &Place| -> Vec<String> {
        let plan = [&["run-once", "--dry-run", "--format", "json"][..], &AT].concat();
        let plan = place.done(&plan).json();
        let prompts = plan["prompts"].as_array().unwrap().iter();
        prompts.map(|prompt| prompt["recipient"].as_str().unwrap().to_owned()).collect()
    };
    let (one, two) = (place("sqlite://worker.db"), place("sqlite://worker.db"));
    one.done(&["run-once"]);
    two.done(&["run-once"]);
    assert_eq!(pseudonyms(&one), pseudonyms(&one));
    assert!(pseudonyms(&one).iter().all(|name| !pseudonyms(&two).contains(name)));
}

#[test]
fn what_is_asked_for_by_an_address_answers_without_repeating_it() {
    let place = place("sqlite://worker.db");
    place.done(&["run-once"]);
    let address = format!("jo7@{MARK}.example");
    let said = traced(&place, &["explain", &address, "--format", "json"]);
    let connection = &said.json()[0];
    assert_eq!(connection["connection_id"], id("c", 7));
    // The host's own words for the customer are the answer; the person is not in it.
    assert!(!said.out.contains('@') && !said.out.contains("Jo "), "{said}");
    assert!(!said.err.contains(MARK), "{said}");
    let due = [&["due", "--format", "jsonl"][..], &AT].concat();
    let said = traced(&place, &due);
    assert!(said.out.lines().count() > 20);
    assert!(!said.out.contains('@') && !said.err.contains(MARK), "{said}");
    let shown = traced(&place, &[&due[..], &["--show-addresses"]].concat());
    assert!(shown.out.contains(&address) && !shown.err.contains(MARK), "{shown}");
}

#[test]
fn no_token_is_kept() {
    let place = place("sqlite://worker.db");
    place.done(&["run-once"]);
    let bytes = std::fs::read(place.database()).unwrap();
    for secret in [SECRET, "eyJ"] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}

#[test]
fn a_password_in_an_address_is_in_no_complaint() {
    let id = Uuid::from_u128(7);
    let place = Place::new(&[("wait_seconds = 60", "wait_seconds = 0")]);
    for url in [
        format!("postgres://worker:{SECRET}@127.0.0.1:1/{id}"),
        format!("postgres://worker:{SECRET}@[broken/db"),
        format!("oracle://worker:{SECRET}@host/db"),
    ] {
        for arguments in [&["run-once", "--dry-run"][..], &["run-once"], &["status"]] {
            let mut command = place.command(arguments);
            command.env("WORKER_DATABASE_URL", &url).env("WORKER_LOG_LEVEL", "trace");
            let said = Said::by(command);
            assert!([Some(1), Some(2)].contains(&said.code), "{said}");
            is_silent(&said, arguments);
        }
    }
}
