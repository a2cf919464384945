//! What the commands answer, as programs see it.

use serde_json::Value;
use worker::delivery::link::verify;
use worker::store::SCHEMA_VERSION;

use crate::support::generated::{HEADER, State, csv, row};
use crate::support::inventory::id;
use crate::support::letters::{secret, token_in};
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::said::Said;

/// Two people share the first tenant; the first of them has two connections.
fn place() -> Place {
    let place = Place::with_inventory("inventory.csv", &[]);
    let header = HEADER.replace("evidence_at\n", "evidence_at,account_id\n");
    let line = |connection: usize, tenant: usize, user: usize, scopes: &str| {
        format!(
            "{},{},{},p{user}@books.example,{scopes},2026-03-01 08:00:00,AC-{user}\n",
            id("a", tenant),
            id("c", connection),
            id("d", user)
        )
    };
    let broad = "offline_access accounting.settings accounting.transactions";
    let rows = [
        line(1, 1, 1, broad),
        line(2, 2, 1, broad),
        line(3, 1, 2, "accounting.settings accounting.invoices accounting.contacts"),
    ];
    place.write("inventory.csv", header + &rows.concat());
    place.done(&["run-once"]);
    place
}

fn explained(place: &Place, id: &str) -> Vec<Value> {
    let answer = place.done(&["explain", id, "--format", "json"]).json();
    answer.as_array().unwrap().clone()
}

#[test]
fn explain_takes_every_kind_of_id() {
    let place = place();
    for (asked, connections) in [
        (id("c", 1), vec![1]),
        (id("c", 1).to_uppercase(), vec![1]),
        (id("a", 1), vec![1, 3]),
        (id("d", 1), vec![1, 2]),
        ("P1@Books.Example".to_owned(), vec![1, 2]),
        ("AC-2".to_owned(), vec![3]),
        (id("e", 9), vec![]),
        ("nobody@books.example".to_owned(), vec![]),
    ] {
        let expected: Vec<String> = connections.into_iter().map(|number| id("c", number)).collect();
        let mut found: Vec<String> = explained(&place, &asked)
            .iter()
            .map(|one| one["connection_id"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, expected, "{asked}");
    }
}

#[test]
fn explain_tells_everything_in_the_promised_shape() {
    let place = place();
    let one = &explained(&place, &id("c", 1))[0];
    assert_eq!(one["tenant_id"], id("a", 1));
    assert_eq!(one["grant"], id("d", 1));
    assert_eq!(one["class"], "broad_only");
    assert_eq!(one["readiness"], "awaiting");
    assert_eq!(one["covered"], true);
    assert_eq!(one["missing"], serde_json::json!(["accounting.contacts", "accounting.invoices"]));
    assert_eq!(one["evidence"][0]["source"], "scopes");
    assert_eq!(one["evidence"][0]["at"], "2026-03-01T08:00:00Z");
    assert!(one["next"]["action"].is_string() && one["next"].get("at").is_some());
    let codes = one["next"]["reasons"].as_array().unwrap();
    assert!(codes.iter().all(|reason| reason["code"].is_string() && reason["text"].is_string()));
    assert_eq!(one["history"].as_array().unwrap().len(), 1);

    let text = std::fs::read_to_string(place.path("inventory.csv")).unwrap();
    let renewed =
        text.replace("accounting.transactions", "accounting.invoices accounting.contacts");
    place.write("inventory.csv", renewed.replace("2026-03-01", "2026-09-01"));
    place.done(&["run-once"]);
    let one = &explained(&place, &id("c", 1))[0];
    assert_eq!((&one["class"], &one["readiness"]), (&"granular".into(), &"ready".into()));
    assert_eq!(one["missing"], serde_json::json!([]));
    let history = one["history"].as_array().unwrap();
    assert!(history.iter().any(|entry| entry["before"] == "broad_only"), "{history:?}");
}

#[tokio::test]
async fn an_exemption_shows_in_counts_and_answers_until_it_is_removed() {
    let pg = Pg::new().await;
    for url in ["sqlite://worker.db", &pg.url()] {
        let place = place();
        let edits = [("\"sqlite://worker.db\"", &*format!("{url:?}"))];
        place.configure_inventory("inventory.csv", &edits);
        place.done(&["run-once"]);
        let until = ["--until", "2099-01-01", "--reason", "on leave", "--by", "jo"];
        let add = [&["exempt", "add", "p1@BOOKS.example"][..], &until].concat();
        let added = place.done(&[&add[..], &["--format", "json"]].concat()).json();
        assert_eq!(added["known_connections"], 2);
        let listed = place.done(&["exempt", "list", "--format", "json"]).json();
        assert_eq!(listed[0]["id"], "p1@books.example");
        // To the end of the day, in the campaign's zone.
        assert_eq!(listed[0]["until"], "2099-01-01T11:00:00Z");
        assert_eq!(place.standing()["exempt"], 2);
        assert_eq!(place.done(&["run-once"]).progress()["exempt"], 2);
        let one = &explained(&place, &id("c", 2))[0];
        assert_eq!(one["exempt_until"], "2099-01-01T11:00:00Z");
        let due = ["due", "--at", "2027-07-20T03:00:00Z", "--format", "jsonl"];
        assert_eq!(place.done(&due).out, "");

        place.done(&["exempt", "remove", "p1@books.example"]);
        assert_eq!(place.standing()["exempt"], 0);
        assert_eq!(place.done(&["exempt", "list", "--format", "json"]).out, "[]\n");
        assert_eq!(place.done(&due).out.lines().count(), 1);
        let again = place.worker(&["exempt", "remove", "p1@books.example"]);
        again.complains(2, "no such exemption", "exempt list");
    }
}

#[test]
fn due_gives_a_line_to_each_person() {
    let place = place();
    assert_eq!(place.done(&["due", "--at", "2026-11-30", "--format", "jsonl"]).out, "");
    let due = ["due", "--at", "2027-07-20T03:00:00Z", "--format", "jsonl", "--show-addresses"];
    let person = place.done(&due).json();
    assert_eq!(person["stage"], "final-notice");
    assert_eq!(person["recipient"], "p1@books.example");
    assert_eq!(person["grants"][0]["connections"].as_array().unwrap().len(), 2);
    assert!(person["grants"][0]["link"].is_null(), "there is no secret to sign one with");
}

#[test]
fn due_gives_hosts_that_send_themselves_a_link_for_each_consent() {
    let place = place();
    let due = |arguments: &[&str]| {
        let base = ["due", "--at", "2027-07-20T03:00:00Z", "--format", "jsonl"];
        let mut command = place.command(&[&base, arguments].concat());
        command.env("LINK_SECRET", "a secret of the tests");
        Said::by(command).json()["grants"][0].clone()
    };
    assert!(due(&[])["link"].is_null(), "a link is a person's own");
    let grant = due(&["--show-addresses"]);
    let token = token_in(grant["link"].as_str().unwrap());
    let now = "2027-07-20T03:00:00Z".parse().unwrap();
    let claims = verify(&token, &[secret("a secret of the tests")], now).unwrap();
    assert_eq!(claims.grant.to_string(), grant["grant"].as_str().unwrap());
    let required: Vec<&str> =
        grant["required"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    assert_eq!(claims.scopes, required.join(" "));
}

#[test]
fn status_tells_where_the_campaign_stands() {
    let place = place();
    let status = place.done(&["status", "--format", "json"]).json();
    assert_eq!(status["app"]["name"], "Acme Books");
    assert_eq!(status["standing"]["connections"], 3);
    assert_eq!(status["standing"]["ready"], 1);
    assert_eq!(status["standing"]["covered"], 1);
    assert!(status["last_scan_at"].is_string() && status["next_stage"].is_object(), "{status}");
    assert_eq!(status["runs"][0]["exit_code"], 0);
    let text = place.done(&["status"]).out;
    assert!(text.contains("3 connections, 33.3% ready"), "{text}");
    Place::new(&[]).worker(&["status"]).complains(1, "no database yet", "worker run-once");
}

#[tokio::test]
async fn a_scan_that_the_guard_stopped_passes_once_when_a_person_says_so() {
    let pg = Pg::new().await;
    for url in ["sqlite://worker.db", &pg.url()] {
        let edits = [
            ("\"sqlite://worker.db\"", &*format!("{url:?}")),
            ("max_change_percent = 100 ", "max_change_percent = 20 "),
        ];
        let place = Place::with_inventory("inventory.csv", &edits);
        place.write("inventory.csv", csv(20, State::Before));
        place.done(&["run-once"]);
        let before = place.standing();
        place.write("inventory.csv", csv(12, State::Before));

        let stopped = place.worker(&["run-once", "--format", "json"]);
        stopped.complains(4, "changed nothing", "accept-scan");
        let gate = &stopped.json()["blocked_by"][0];
        assert_eq!((&gate["step"], &gate["code"]), (&"scan".into(), &"scan_stopped".into()));
        assert_eq!(stopped.progress()["exempt"], 0);
        assert_eq!(place.standing(), before);
        let events = stopped.events();
        let digest = events.iter().find_map(|event| event["digest"].as_str()).unwrap();
        assert!(gate["text"].as_str().unwrap().contains(digest));
        let dry = place.worker(&["run-once", "--dry-run", "--format", "json"]);
        assert!(dry.json()["blocked_by"][0]["text"].as_str().unwrap().contains(digest));

        let by = ["--by", "alice", "--reason", "eight left", "--format", "json"];
        let accepted = place.done(&[&["accept-scan", digest][..], &by].concat()).json();
        assert!(accepted["stopped_at"].is_string());
        let passed = place.done(&["run-once"]);
        assert_eq!(passed.progress()["connections"], 12);
        assert_eq!(passed.progress()["gone"], 8);
        // Once: the same loss again is another scan.
        place.write("inventory.csv", csv(6, State::Before) + &row(90, State::Before));
        assert_eq!(place.worker(&["run-once"]).code, Some(4));
    }
}

#[test]
fn scopes_are_explained_as_arguments_or_line_by_line() {
    let place = Place::new(&[]);
    let one = ["scopes", "explain", "accounting.transactions", "balancesheets", "--format", "json"];
    let answer = place.done(&one).json();
    assert_eq!(answer["class"], "broad_only");
    assert_eq!(answer["hints"]["balancesheets"], "accounting.reports.balancesheet.read");
    assert_eq!(answer["missing"].as_array().unwrap().len(), 3);
    let input = "accounting.invoices,accounting.settings\n\nopenid+email%20offline_access\n";
    let lines = place.worker_reading(&["scopes", "explain", "-", "--format", "json"], input).out;
    let classes: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["class"].to_string())
        .collect();
    assert_eq!(classes, ["\"granular\"", "\"unknown\"", "\"unaffected\""]);

    let list = place.done(&["scopes", "list", "--format", "json"]).json();
    assert!(list.as_array().unwrap().len() > 50);
    // Neither needs a configuration; what is missing is then not known.
    std::fs::remove_file(place.path("jobs.toml")).unwrap();
    assert!(place.done(&one).json()["missing"].is_null());
    place.done(&["scopes", "list"]);
}

#[test]
fn migrate_makes_a_database_and_then_has_nothing_to_do() {
    let place = Place::new(&[]);
    let migrate = ["migrate", "--format", "json"];
    assert_eq!(
        place.done(&migrate).json(),
        serde_json::json!({"before": 0, "after": SCHEMA_VERSION})
    );
    assert_eq!(
        place.done(&migrate).json(),
        serde_json::json!({"before": SCHEMA_VERSION, "after": SCHEMA_VERSION})
    );
    place.worker(&["status"]).complains(1, "has not been used yet", "worker run-once");
    place.done(&["run-once"]);
}
