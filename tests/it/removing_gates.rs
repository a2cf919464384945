//! What stops removals: each gate by itself, from outside, and that nothing is asked of Xero
//! behind a closed one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use worker::clock::{Clock, SystemClock};
use worker::domain::scopes::ScopeText;

use crate::support::removing::{BROAD, RENEWED, Removing, each};
use crate::support::sending::{BASES, Base, deadline};
use crate::support::xero::{CLIENT_ID, tenant, user};

/// Runs once, which has to end with this code for this reason, and to remove nothing.
fn stopped(removing: &Removing, code: i32, reason: &str) {
    let before = removing.deletes();
    let said = removing.done(&["run-once", "--format", "json"], code);
    let plan = said.json();
    let blocked = plan["blocked_by"].as_array().unwrap();
    let is_it = |gate: &serde_json::Value| gate["step"] == "remove" && gate["code"] == reason;
    assert!(blocked.iter().any(is_it), "{reason}: {said}");
    assert_eq!(removing.deletes(), before, "{reason}");
    assert_eq!(plan["progress"]["removals_done"], 0);
}

#[tokio::test]
async fn a_dry_run_and_a_plan_ask_nothing_of_xero_and_a_dry_run_changes_no_byte() {
    // E10
    let removing = Removing::new(Base::Sqlite, &each(0..3)).await;
    removing.prepare().await;
    removing.approve();
    let (mails, hooks) = (removing.sending.recipients().len(), removing.sending.hooks().len());
    let calls = removing.xero.requests.all().len();
    let before = removing.sending.place.contents();
    let dry = removing.done(&["run-once", "--dry-run", "--format", "json"], 0).json();
    assert_eq!(dry["removals"].as_array().unwrap().len(), 3, "{dry}");
    assert_eq!(removing.sending.place.contents(), before);
    removing.done(&["plan", "--format", "json"], 0);
    removing.done(&["plans"], 0);
    assert_eq!(removing.xero.requests.all().len(), calls, "nothing is asked");
    assert_eq!(removing.sending.recipients().len(), mails);
    assert_eq!(removing.sending.hooks().len(), hooks);
}

#[tokio::test]
async fn every_gate_of_the_run_that_is_closed_is_named_at_once() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.ran(0);
    removing.done(&["confirm", "link", "--by", "ann", "--note", "looked"], 0);
    removing.ran(0);
    removing.promises_come_due().await;
    removing.approve();
    stopped(&removing, 4, "not_confirmed");
    removing.done(&["pause", "--reason", "wait", "--by", "ann"], 0);
    let plan = removing.done(&["run-once", "--format", "json"], 0).json();
    let codes: Vec<&str> = plan["blocked_by"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gate| gate["step"] == "remove")
        .map(|gate| gate["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["paused", "not_confirmed"], "{plan}");
    assert_eq!(removing.deletes(), 0);
    assert!(!plan["removals"].as_array().unwrap().is_empty(), "gates do not empty the plan");
}

#[tokio::test]
async fn nothing_is_removed_that_nobody_signed_or_that_was_signed_for_something_else() {
    for base in BASES {
        let removing = Removing::new(base, &each(0..2)).await;
        removing.prepare().await;
        stopped(&removing, 0, "no_approval");
        let id = removing.plan();
        stopped(&removing, 0, "plan_waits");
        let stranger = removing.done(&["approve", &id, "--by", "mallory"], 2);
        assert!(stranger.to_string().contains("alice"), "{stranger}");
        removing.done(&["approve", &id[..8], "--by", "alice"], 0);
        // The policy is edited between the signature and the run.
        removing.configure(&[("wait_days = 7 ", "wait_days = 6 ")]);
        stopped(&removing, 0, "plan_outdated");
        let refused = removing.done(&["approve", &id, "--by", "bob"], 2);
        assert!(refused.to_string().contains("wait_days"), "{refused}");
        // As it was signed, it holds.
        removing.configure(&[]);
        assert_eq!(removing.ran(0)["removals_done"], 2, "{base:?}");
    }
}

#[tokio::test]
async fn two_signatures_are_two_names_and_a_plan_past_its_time_is_void() {
    for base in BASES {
        let removing =
            Removing::with(base, &each(0..2), &[("approval = \"one\"", "approval = \"two\"")])
                .await;
        removing.prepare().await;
        let id = removing.plan();
        removing.done(&["approve", &id, "--by", "alice"], 0);
        removing.done(&["approve", &id, "--by", "alice"], 0);
        stopped(&removing, 0, "plan_waits");
        removing.done(&["approve", &id, "--by", "bob"], 0);
        let later = "UPDATE plans SET valid_until = '2020-01-02T00:00:00.000000+00:00', \
                     made_at = '2020-01-01T00:00:00.000000+00:00'";
        removing.sending.execute(later).await;
        stopped(&removing, 0, "plan_expired");
        // The same facts are the same plan; once its time was over it needs signing anew.
        assert_eq!(removing.plan(), id);
        stopped(&removing, 0, "plan_waits");
        for name in ["alice", "bob"] {
            removing.done(&["approve", &id, "--by", name], 0);
        }
        assert_eq!(removing.ran(0)["removals_done"], 2, "{base:?}");
    }
}

#[tokio::test]
async fn a_file_is_signed_only_if_it_says_what_the_plan_says() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    for addresses in [&["--show-addresses"][..], &[]] {
        let arguments = [&["plan", "--format", "json", "--out", "plan.json"], addresses].concat();
        let said = removing.done(&arguments, 0);
        assert_eq!(said.out.contains("person1@example.com"), !addresses.is_empty(), "{said}");
        let text = std::fs::read_to_string(removing.sending.place.path("plan.json")).unwrap();
        assert_eq!(text, said.out);
        removing.sending.place.write("changed.json", text.replace("broad_only", "mixed"));
        let refused = removing.done(&["approve", "changed.json", "--by", "alice"], 2);
        assert!(refused.to_string().contains("does not say"), "{refused}");
        removing.done(&["approve", "plan.json", "--by", "alice"], 0);
    }
    let plans = removing.done(&["plans", "--format", "json"], 0).json();
    let approval = &plans[0]["approvals"][0];
    assert_eq!(approval["by"], "alice");
    assert!(approval["os_user"].as_str().unwrap().starts_with("alice (uid "), "{approval}");
    assert!(!approval["host"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_consent_between_plan_and_run_keeps_its_connection() {
    // E6
    for base in BASES {
        let removing = Removing::new(base, &each(0..3)).await;
        removing.prepare().await;
        removing.approve();
        removing.consent(1).await;
        let kept = removing.id(1);
        let ran = removing.ran(0);
        assert_eq!(ran["removals_done"], 2, "{ran}");
        assert!(removing.xero.model().connection(kept).is_some(), "{base:?}");
        let dropped = "SELECT outcome FROM removals WHERE state = 'dropped'";
        assert!(removing.sending.texts(dropped).await[0].starts_with("ready"), "{base:?}");
    }
}

#[tokio::test]
async fn a_person_erased_since_the_plan_keeps_their_connection() {
    for base in BASES {
        for in_the_last_moment in [false, true] {
            let removing = Arc::new(Removing::new(base, &each(0..3)).await);
            removing.prepare().await;
            removing.approve();
            let kept = removing.id(1);
            let forget = ["forget", "person1@example.com", "--by", "ann"];
            if in_the_last_moment {
                // After the scan: while the last look asks for Xero's list.
                let (shared, lists) = (Arc::downgrade(&removing), AtomicUsize::new(0));
                removing.xero.watch(move |request, comes| {
                    let is_list = comes && request.method == "GET";
                    if is_list && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                        shared.upgrade()?.done(&forget, 0);
                    }
                    None
                });
            } else {
                removing.done(&forget, 0);
            }
            let ran = removing.ran(0);
            assert_eq!(ran["removals_done"], 2, "{base:?} {in_the_last_moment}: {ran}");
            assert!(removing.xero.model().connection(kept).is_some(), "{base:?}");
            removing.done(&["audit", "verify"], 0);
        }
    }
}

#[tokio::test]
async fn an_inventory_that_is_a_file_never_leads_to_a_removal() {
    for base in BASES {
        let removing = Removing::new(base, &each(0..2)).await;
        removing.prepare().await;
        removing.approve();
        let row = |number: u32| {
            let (id, tenant) = (removing.id(number), tenant(number).id);
            format!("{id},{tenant},{},person{number}@example.com,{BROAD}", user(number))
        };
        let rows: Vec<String> = (0..2).map(row).collect();
        let csv = format!("connection_id,tenant_id,xero_user_id,email,scopes\n{}", rows.join("\n"));
        removing.sending.place.write("now.csv", csv);
        let sql = "url = \"sqlite://host.db\"\nquery = \"select * from inventory\"";
        let file = [("kind = \"sql\"", "kind = \"csv\""), (sql, "path = \"now.csv\"")];
        removing.configure(&file);
        stopped(&removing, 4, "inventory_not_live");
        removing.approve_if_any();
        stopped(&removing, 4, "inventory_not_live");
        // Nor after it was live once more, and signed.
        removing.configure(&[]);
        removing.approve_if_any();
        removing.configure(&file);
        stopped(&removing, 4, "inventory_not_live");
        assert_eq!(removing.deletes(), 0, "{base:?}");
    }
}

#[tokio::test]
async fn e54_custom_connections_are_never_touched() {
    let removing = Removing::new(Base::Sqlite, &each(0..3)).await;
    removing
        .host(&format!("UPDATE inventory SET flow = 'custom' WHERE xero_user_id = '{}'", user(1)))
        .await;
    removing.prepare().await;
    let kept = removing.id(1);
    removing.approve();
    assert_eq!(removing.ran(0)["removals_done"], 2);
    assert!(removing.xero.model().connection(kept).is_some());
    let told = removing.sending.recipients();
    assert!(!told.contains(&"TO:<person1@example.com>".to_owned()), "{told:?}");
}

#[tokio::test]
async fn too_much_drift_stops_all_of_a_plan() {
    for base in BASES {
        let removing = Removing::new(base, &each(0..3)).await;
        removing.prepare().await;
        removing.approve();
        removing.consent(0).await;
        removing.consent(1).await;
        stopped(&removing, 4, "drift");
        stopped(&removing, 4, "drift");
    }
}

#[tokio::test]
async fn whoever_is_exempt_after_the_signature_stays_and_goes_when_that_is_over() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    removing.approve();
    let id = removing.id(1).to_string();
    let until = ["--until", "2099-01-01", "--reason", "vip", "--by", "ann"];
    removing.done(&[&["exempt", "add", &id][..], &until].concat(), 0);
    assert_eq!(removing.ran(0)["removals_done"], 1);
    removing.done(&["exempt", "remove", &id], 0);
    assert_eq!(removing.ran(0)["removals_done"], 1);
    assert_eq!(removing.connected(), 0);
}

#[tokio::test]
async fn a_connection_that_changed_at_xero_since_the_plan_is_dropped() {
    // E58: a change is a reason to stop and look again.
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    removing.approve();
    let renewed = ScopeText::read(RENEWED).set;
    let now = SystemClock.now() + TimeDelta::seconds(1);
    // The host has not stored the consent, but Xero's list shows it.
    let consent = removing.xero.model().consent(now, CLIENT_ID, user(1), renewed, &[tenant(1)]);
    consent.unwrap();
    assert_eq!(removing.ran(0)["removals_done"], 1);
    assert_eq!(removing.connected(), 1);
    let dropped = "SELECT outcome FROM removals WHERE state = 'dropped'";
    let why = removing.sending.texts(dropped).await;
    assert!(why[0].contains("Xero's updated date"), "{why:?}");
}

#[tokio::test]
async fn a_file_missing_credentials_or_an_app_at_its_cap_remove_nothing() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    removing.configure(&[("connection_cap = 10000", "connection_cap = 2")]);
    removing.approve();
    stopped(&removing, 4, "no_room");
    removing.configure(&[("client_secret = { env = \"XERO_CLIENT_SECRET\" }", "")]);
    removing.approve();
    stopped(&removing, 4, "no_xero_credentials");
}

#[tokio::test]
async fn from_the_deadline_on_nothing_is_removed() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    removing.approve();
    let today = deadline(0);
    removing.configure(&[(&deadline(20), &today)]);
    let ran = removing.done(&["run-once", "--format", "json"], 0);
    assert_eq!(removing.deletes(), 0, "{ran}");
    assert!(ran.to_string().contains("deadline_passed"), "{ran}");
}

#[tokio::test]
async fn where_nobody_has_to_sign_every_run_warns_of_it() {
    for base in BASES {
        let edits = [("approval = \"one\"", "approval = \"none\"")];
        let removing = Removing::with(base, &each(0..2), &edits).await;
        removing.prepare().await;
        let said = removing.done(&["run-once", "--format", "json"], 0);
        assert_eq!(said.progress()["removals_done"], 2, "{said}");
        assert_eq!(said.json()["warnings"][0]["code"], "approval_none", "{said}");
    }
}
