//! `scopes advise` from outside: from calls, logs and what came before, in every form.

use crate::support::place::Place;

#[test]
fn a_log_of_any_format_gives_the_least_set_and_says_what_it_could_not_read() {
    let place = Place::new(&[]);
    let log = "10.0.0.7 - - [20/Nov/2026:10:11:12 +0000] \"GET /api.xro/2.0/Invoices/INV-1 HTTP/1.1\" 200 1\n\
        {\"method\":\"POST\",\"url\":\"https:\\/\\/api.xero.com\\/api.xro\\/2.0\\/Contacts\"}\n\
        nothing of interest\n\
        path=/api.xro/2.0/Users\n";
    let said = place.worker_reading(&["scopes", "advise", "--calls", "-", "--format", "json"], log);
    assert_eq!(said.code, Some(0), "{said}");
    let advice = said.json();
    assert_eq!(
        advice["required_scopes"],
        serde_json::json!(["accounting.contacts", "accounting.invoices.read", "offline_access"])
    );
    assert_eq!(advice["unread"]["lines"], 2);
    assert_eq!(advice["unread"]["first"][1]["line"], 4);
    assert_eq!(advice["unread"]["first"][1]["reason"], "no_method");
    // Nobody's invoice number is in it.
    assert!(!said.to_string().contains("INV-1"), "{said}");
}

#[test]
fn the_set_that_is_pasted_is_the_set_that_is_read() {
    let place = Place::new(&[]);
    let pasted =
        place.done(&["scopes", "advise", "--use-case", "payroll-journals", "--format", "toml"]);
    let list: toml::Table = pasted.out.parse().unwrap();
    let scopes: Vec<&str> =
        list["required_scopes"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(
        scopes,
        [
            "accounting.journals.read",
            "accounting.manualjournals",
            "accounting.settings",
            "offline_access"
        ]
    );
    let before = r#"required_scopes = ["offline_access", "accounting.settings", "accounting.invoices", "accounting.contacts"]"#;
    place.configure(&[(before, &pasted.out)]);
    place.done(&["run-once", "--dry-run"]);
}

#[test]
fn who_is_asked_for_more_or_less_than_is_used_is_counted_over_the_grants() {
    let place = Place::new(&[]);
    let asked = ["scopes", "advise", "--endpoint", "GET /Invoices", "--format", "json"];
    let compared = place.done(&asked).json()["compared"].take();
    assert_eq!(compared["known"], serde_json::Value::Null, "there is no database yet");
    assert_eq!(compared["asked_for"][0]["more"].as_array().unwrap().len(), 3);
    place.done(&["run-once"]);
    let compared = place.done(&asked).json()["compared"].take();
    let known = compared["known"].as_u64().unwrap();
    let lacking: u64 = compared["lacking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["connections"].as_u64().unwrap())
        .sum();
    assert!(
        known > 1000 && compared["hold_all"].as_u64().unwrap() + lacking == known,
        "{compared}"
    );
    assert!(compared["asked_for"].as_array().unwrap().len() > 1, "rows with a set of their own");
}

#[test]
fn what_is_no_call_no_scope_or_nothing_at_all_is_told_with_what_to_write() {
    let place = Place::new(&[]);
    for (arguments, words) in [
        (&["--endpoint", "Invoices please"][..], "GET /Invoices"),
        (&["--endpoint", "/Invoices"], "method"),
        (&["--replaces", "accounting.balancesheets"], "accounting.reports.balancesheet.read"),
        (&["--calls", "missing.log"], "cannot be read"),
        (&["--use-case", "world-domination"], "possible values"),
        (&[], "--endpoint"),
    ] {
        let said = place.worker(&[&["scopes", "advise"], arguments].concat());
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.err.contains(words), "{words}: {said}");
    }
    let said = place.worker_reading(&["scopes", "advise", "--calls", "-"], "GET /health\n");
    assert_eq!(said.code, Some(2), "{said}");
}
