//! What people do for connections that the program leaves alone, and how far they are.

use std::fs;

use crate::support::inventory::id;
use crate::support::place::Place;

fn place() -> Place {
    let place = Place::with_inventory("connections.csv", &[]);
    let mut csv = "tenant_id,connection_id,tenant_name,email,scopes,flow\n".to_owned();
    for (n, flow, scopes) in [
        (1, "custom", "accounting.transactions accounting.journals.read"),
        (2, "oauth1", "accounting.transactions"),
        (3, "web", "accounting.transactions"),
    ] {
        csv.push_str(&format!(
            "{},{},Tenant {n},p{n}@x.test,{scopes},{flow}\n",
            id("1", n),
            id("2", n)
        ));
    }
    fs::write(place.path("connections.csv"), csv).unwrap();
    place.done(&["run-once"]);
    place
}

#[test]
fn each_manual_connection_has_its_steps_in_order_and_who_gets_the_mail() {
    let place = place();
    let lists = place.done(&["checklist", "list", "--format", "json", "--show-addresses"]).json();
    let lists = lists.as_array().unwrap();
    assert_eq!(lists.len(), 2, "the web connection is the program's");
    let custom = lists.iter().find(|list| list["flow"] == "custom").unwrap();
    assert_eq!(custom["people"][0], "p1@x.test");
    let names: Vec<&str> = custom["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["note", "journals", "announce", "add", "authorise", "verify", "clean"]);
    let said = place.done(&["explain", &id("2", 1)]);
    assert!(said.out.contains("[ ] add") && said.out.contains("For good:"), "{said}");
    let said = place.done(&["explain", &id("2", 3), "--format", "json"]);
    assert!(said.json()[0].get("checklist").is_none(), "{said}");
}

#[test]
fn a_step_is_done_once_and_can_be_opened_again() {
    let place = place();
    let connection = id("2", 1);
    let done = ["checklist", "done", &connection, "note", "--by", "ann"];
    assert_eq!(place.done(&done).out, "Done: note.\n");
    assert_eq!(place.done(&done).out, "note was done before.\n");
    let said = place.done(&["checklist", "list", &connection]);
    assert!(said.out.contains("[x] note") && said.out.contains("by ann"), "{said}");
    assert_eq!(
        place.done(&["checklist", "reopen", &connection, "note", "--by", "bo"]).out,
        "Open again: note.\n"
    );
    let said = place.done(&["checklist", "list", &connection]);
    assert!(said.out.contains("[ ] note"), "{said}");
    // Each act is in the record once, with who did it.
    let record = place.done(&["audit", "list"]).out;
    for act in ["checklist_done", "checklist_reopened"] {
        assert_eq!(record.matches(act).count(), 1, "{act}: {record}");
    }
}

#[test]
fn a_step_that_is_none_of_its_own_is_refused() {
    let place = place();
    for (connection, step) in [(id("2", 2), "clean"), (id("2", 3), "note"), (id("2", 77), "note")] {
        let said = place.worker(&["checklist", "done", &connection, step, "--by", "ann"]);
        assert_eq!(said.code, Some(2), "{said}");
    }
}
