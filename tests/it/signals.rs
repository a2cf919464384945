//! What hosts have seen of Xero's answers makes a grant more urgent, and no more than that.

use std::fs;

use crate::support::inventory::id;
use crate::support::place::Place;

fn place() -> Place {
    let place = Place::with_inventory(
        "connections.csv",
        &[
            ("deadline = 2027-09-13", "deadline = 2099-09-13"),
            ("days_before = 270", "days_before = 3660"),
            ("max_per_run = 500", "max_per_run = 1"),
        ],
    );
    let mut csv = "tenant_id,connection_id,xero_user_id,email,scopes,last_used_at\n".to_owned();
    for n in 1..=9 {
        let [tenant, connection, user] = ["1", "2", "3"].map(|kind| id(kind, n));
        csv.push_str(&format!(
            "{tenant},{connection},{user},p{n}@x.test,accounting.transactions,2026-0{n}-01T00:00:00Z\n"
        ));
    }
    // Two people of one tenant.
    csv.push_str(&format!(
        "{},{},{},p10@x.test,accounting.transactions,\n",
        id("1", 9),
        id("2", 10),
        id("3", 10)
    ));
    fs::write(place.path("connections.csv"), csv).unwrap();
    place.done(&["run-once"]);
    place
}

fn log(n: usize, status: u16, header: &str) -> String {
    format!(
        r#"{{"at":"2026-11-20T10:00:00Z","connection_id":"{}","method":"POST","url":"/api.xro/2.0/Invoices","status":{status},"headers":{{"WWW-Authenticate":"{header}"}}}}"#,
        id("2", n)
    ) + "\n"
}

#[test]
fn a_grant_that_was_seen_to_lack_a_scope_is_told_so_and_keeps_its_class() {
    let place = place();
    let before = place.standing();
    place
        .write("seen.jsonl", log(2, 401, "insufficient_scope") + &log(3, 429, "") + "not a line\n");
    let said = place.done(&["scopes", "diagnose", "seen.jsonl", "--record"]);
    assert!(said.out.contains("Recorded: 1 grants"), "{said}");
    assert!(said.out.contains("1  limit") && said.out.contains("lines with no answer"), "{said}");
    assert_eq!(place.standing(), before, "signals alone make no class");
    let explained = place.done(&["explain", &id("2", 2), "--format", "json"]).json();
    assert_eq!(explained[0]["signal"]["needs"], "accounting.invoices");
    let said = place.done(&["explain", &id("2", 2)]);
    assert!(said.out.contains("for want of accounting.invoices; prompted before others"), "{said}");
    assert!(
        place.done(&["explain", &id("2", 3), "--format", "json"]).json()[0]["signal"].is_null()
    );
    // The same log again is no news.
    let said = place.done(&["scopes", "diagnose", "seen.jsonl", "--record"]);
    assert!(said.out.contains("Recorded: 0 grants"), "{said}");
}

#[test]
fn whose_token_it_was_has_to_be_clear() {
    let place = place();
    let by = |field: &str, id: &str| {
        format!(
            r#"{{"{field}":"{id}","status":401,"headers":{{"WWW-Authenticate":"insufficient_scope"}}}}"#
        ) + "\n"
    };
    for (line, recorded) in [
        (by("xero_user_id", &id("3", 4)), 1),
        (by("tenant_id", &id("1", 5)), 1),
        // Two people connected it.
        (by("tenant_id", &id("1", 9)), 0),
        (by("connection_id", &id("2", 99)), 0),
        (by("connection_id", "nonsense"), 0),
    ] {
        place.write("seen.jsonl", &line);
        let said = place.done(&["scopes", "diagnose", "seen.jsonl", "--record"]);
        assert!(said.out.contains(&format!("Recorded: {recorded} grants")), "{line}: {said}");
    }
    place.write("seen.txt", "HTTP/1.1 401 Unauthorized\n\n");
    let said = place.worker(&["scopes", "diagnose", "seen.txt", "--record"]);
    assert_eq!(said.code, Some(2), "{said}");
}

#[test]
fn what_fails_already_is_prompted_first() {
    let place = place();
    let first = || {
        let plan = place
            .done(&[
                "run-once",
                "--dry-run",
                "--format",
                "json",
                "--at",
                "2098-01-06T22:00:00Z",
                "--show-addresses",
            ])
            .json();
        plan["prompts"][0]["recipient"].as_str().unwrap().to_owned()
    };
    assert_eq!(first(), "p9@x.test", "who used it last");
    place.write("seen.jsonl", log(2, 401, "insufficent_scope"));
    place.done(&["scopes", "diagnose", "seen.jsonl", "--record"]);
    assert_eq!(first(), "p2@x.test");
}
