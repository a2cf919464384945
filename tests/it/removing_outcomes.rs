//! What Xero may say to a removal, and what becomes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use worker::simulation::xero::http::{Reaction, Response};
use worker::simulation::xero::{Call, Fault};

use crate::support::removing::{Link, RENEWED, Removing, each};
use crate::support::sending::{BASES, Base};
use crate::support::xero::user;

const REFUSED: Fault = Fault::Refuse(403, "AuthenticationUnsuccessful");

fn counts(states: &[(&str, usize)]) -> BTreeMap<String, usize> {
    states.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
}

/// A campaign whose plan is signed, one call at a time.
async fn signed(base: Base, links: &[Link]) -> Removing {
    let removing = Removing::new(base, links).await;
    removing.prepare().await;
    removing.approve();
    removing
}

#[tokio::test]
async fn e13_what_xero_does_not_have_any_more_is_gone_and_not_our_removal() {
    for base in BASES {
        let removing = Arc::new(signed(base, &each(0..2)).await);
        // The person disconnects between the last look and the DELETE.
        let (id, shared) = (removing.id(0), Arc::downgrade(&removing));
        removing.xero.watch(move |request, comes| {
            if comes && request.method == "DELETE" && request.path.ends_with(&id.to_string()) {
                shared.upgrade()?.xero.model().disconnect(id);
            }
            None
        });
        let ran = removing.ran(0);
        assert_eq!((&ran["removals_done"], &ran["failures"]), (&1.into(), &0.into()), "{ran}");
        assert_eq!(removing.states().await, counts(&[("gone", 1), ("removed", 1)]), "{base:?}");
    }
}

#[tokio::test]
async fn e13_a_403_for_what_the_list_has_sets_it_aside_and_stops_the_run() {
    for base in BASES {
        let removing = Removing::with(
            base,
            &each(0..2),
            // One after the other.
            &[("calls_per_minute = 60000", "calls_per_minute = 120")],
        )
        .await;
        removing.prepare().await;
        removing.approve();
        removing.xero.model().fail_always(Call::Delete, Some(REFUSED));
        let ran = removing.ran(4);
        assert_eq!(ran["removals_done"], 0, "{ran}");
        assert_ne!(ran["failures"], 0, "{ran}");
        let aside = removing.states().await.get("set_aside").copied().unwrap_or_default();
        assert!(aside >= 1, "{base:?}: {:?}", removing.states().await);
        removing.xero.model().fail_always(Call::Delete, None);
        // It is not tried again, under this plan or another.
        let before = removing.deletes();
        removing.ran(0);
        assert_eq!(removing.deletes() - before, 2 - aside);
        let plan = removing.done(&["plan", "--format", "json"], 0).json();
        assert!(plan["held_back"].to_string().contains("set_aside"), "{plan}");
    }
}

#[tokio::test]
async fn what_was_set_aside_is_tried_again_once_somebody_has_looked_at_it() {
    for base in BASES {
        let removing = signed(base, &each(0..1)).await;
        let id = removing.id(0).to_string();
        let settle = ["settle", &id, "--as", "not-removed", "--by", "ann"];
        let nothing = removing.done(&settle, 2);
        assert!(nothing.to_string().contains("no removal of the connection"), "{nothing}");
        removing.xero.model().fail(Call::Delete, REFUSED);
        removing.ran(4);
        assert_eq!(removing.states().await, counts(&[("set_aside", 1)]), "{base:?}");
        removing.ran(0);
        assert_eq!(removing.deletes(), 1, "{base:?}: not by itself");
        let settled = removing.done(&[&settle[..], &["--format", "json"]].concat(), 0).json();
        assert_eq!((&settled["connection"], &settled["state"]), (&(&*id).into(), &"queued".into()));
        removing.done(&settle, 2);
        // What was signed before is still signed.
        assert_eq!(removing.ran(0)["removals_done"], 1, "{base:?}");
        assert_eq!(removing.states().await, counts(&[("removed", 1)]));
        let acts = ["audit", "list", "--kind", "removal_settled", "--format", "json"];
        let acts = removing.done(&acts, 0).json();
        assert_eq!((acts.as_array().unwrap().len(), &acts[0]["by"]), (1, &"ann".into()), "{acts}");
        removing.done(&["audit", "verify"], 0);
        removing.done(&["settle", "person0@example.com", "--as", "not-removed", "--by", "a"], 2);
    }
}

#[tokio::test]
async fn e13_a_403_for_what_the_list_lacks_is_gone() {
    for base in BASES {
        let removing = Arc::new(signed(base, &each(0..2)).await);
        let (id, shared) = (removing.id(0), Arc::downgrade(&removing));
        removing.xero.watch(move |request, comes| {
            let is_it = request.method == "DELETE" && request.path.ends_with(&id.to_string());
            if !is_it || !comes {
                return None;
            }
            shared.upgrade()?.xero.model().disconnect(id);
            Some(Reaction::Answer(Response { status: 403, headers: Vec::new(), body: Vec::new() }))
        });
        assert_eq!(removing.ran(0)["removals_done"], 1, "{base:?}");
        assert_eq!(removing.states().await, counts(&[("gone", 1), ("removed", 1)]), "{base:?}");
    }
}

#[tokio::test]
async fn e13_a_limit_or_an_outage_stops_politely_and_a_later_run_goes_on() {
    for base in BASES {
        for fault in [
            Fault::Limit { problem: Some("minute"), after: Some(30) },
            Fault::Limit { problem: None, after: None },
            Fault::Outage(503),
        ] {
            let removing = signed(base, &each(0..3)).await;
            removing.xero.model().fail_always(Call::Delete, Some(fault.clone()));
            let ran = removing.ran(3);
            assert_eq!(ran["removals_done"], 0, "{fault:?}: {ran}");
            // What a gateway gave up on may still happen.
            let state = if matches!(fault, Fault::Outage(_)) { "unknown" } else { "queued" };
            let states = removing.states().await;
            assert!(states[state] >= 1, "{base:?} {fault:?}: {states:?}");
            assert_eq!(states.get("removed"), None, "{base:?} {fault:?}: {states:?}");
            removing.xero.model().fail_always(Call::Delete, None);
            removing.retries_come_due().await;
            removing.leases_run_out().await;
            removing.sending.execute("DELETE FROM rates").await;
            assert_eq!(removing.ran(0)["removals_done"], 3, "{base:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn e13_a_lost_answer_is_settled_at_once_by_reading_back() {
    for base in BASES {
        let removing = signed(base, &each(0..3)).await;
        removing.xero.model().fail(Call::Delete, Fault::Lost);
        let ran = removing.ran(0);
        assert_eq!((&ran["removals_done"], &ran["failures"]), (&3.into(), &0.into()), "{ran}");
        assert_eq!((removing.deletes(), removing.connected()), (3, 0), "{base:?}");
    }
}

#[tokio::test]
async fn e13_what_the_list_still_has_is_unknown_and_settled_by_the_next_runs_list() {
    for base in BASES {
        let removing = signed(base, &each(0..3)).await;
        // Nothing takes effect, and no answer comes.
        let seen = AtomicUsize::new(0);
        removing.xero.watch(move |request, comes| {
            let first = || seen.fetch_add(1, Ordering::SeqCst) == 0;
            (comes && request.method == "DELETE" && first()).then_some(Reaction::Reset)
        });
        let ran = removing.ran(3);
        assert_eq!((&ran["removals_done"], &ran["failures"]), (&2.into(), &1.into()), "{ran}");
        assert_eq!(removing.states().await, counts(&[("removed", 2), ("unknown", 1)]));
        // It may still be on its way: nobody is asked again yet.
        assert_eq!(removing.ran(3)["removals_done"], 0);
        assert_eq!(removing.deletes(), 3);
        removing.leases_run_out().await;
        let ran = removing.ran(0);
        assert_eq!(ran["removals_done"], 1, "{base:?}: {ran}");
        assert_eq!((removing.deletes(), removing.connected()), (4, 0), "{base:?}");
    }
}

#[tokio::test]
async fn e50_an_empty_short_or_incomplete_list_settles_nothing() {
    use worker::simulation::xero::Mark;
    for fault in
        [Fault::EmptyList, Fault::ShortList(1), Fault::Marked(Mark::Partial), Fault::Outage(500)]
    {
        let edits = [("max_change_percent = 100", "max_change_percent = 20")];
        let removing = Removing::with(Base::Sqlite, &each(0..8), &edits).await;
        removing.prepare().await;
        removing.approve();
        let seen = AtomicUsize::new(0);
        removing.xero.watch(move |request, comes| {
            let first = || seen.fetch_add(1, Ordering::SeqCst) == 0;
            (comes && request.method == "DELETE" && first()).then_some(Reaction::Reset)
        });
        removing.ran(3);
        removing.leases_run_out().await;
        let before = (removing.deletes(), removing.states().await);
        removing.xero.model().fail_always(Call::List, Some(fault.clone()));
        removing.worker(&["run-once"]);
        assert_eq!((removing.deletes(), removing.states().await), before, "{fault:?}");
    }
}

#[tokio::test]
async fn three_lost_answers_in_a_row_break_off() {
    for base in BASES {
        let removing = signed(base, &each(0..12)).await;
        removing.xero.watch(|request, comes| {
            (comes && request.method == "DELETE").then_some(Reaction::Reset)
        });
        let ran = removing.ran(4);
        assert_eq!(ran["removals_done"], 0, "{ran}");
        assert!(removing.deletes() <= 10, "{base:?}: {}", removing.deletes());
    }
}

#[tokio::test]
async fn refused_credentials_and_clocks_that_differ_remove_nothing() {
    for base in BASES {
        let removing = signed(base, &each(0..2)).await;
        removing.xero.model().skew = TimeDelta::minutes(3);
        let said = removing.done(&["run-once", "--format", "json"], 4);
        assert!(said.to_string().contains("clock_differs"), "{said}");
        removing.xero.model().skew = TimeDelta::zero();
        removing.xero.model().forget_tokens();
        let refusal = Fault::Refuse(400, "invalid_client");
        removing.xero.model().fail_always(Call::Token, Some(refusal));
        removing.ran(4);
        assert_eq!(removing.deletes(), 0, "{base:?}");
    }
}

#[tokio::test]
async fn e51_a_tenant_that_two_people_connected_is_removed_once() {
    for base in BASES {
        let links = [Link { person: 1, tenant: 1 }, Link { person: 2, tenant: 1 }];
        let removing = signed(base, &links).await;
        assert_eq!(removing.ran(0)["removals_done"], 1, "{base:?}");
        removing.approve_if_any();
        removing.ran(0);
        assert_eq!((removing.deletes(), removing.connected()), (1, 1), "{base:?}");
    }
}

#[tokio::test]
async fn e52_an_id_that_stands_for_another_tenant_is_never_touched() {
    let removing = Arc::new(signed(Base::Sqlite, &each(0..2)).await);
    let (id, other) = (removing.id(0), uuid::Uuid::from_u128(77));
    let lists = AtomicUsize::new(0);
    let shared = Arc::downgrade(&removing);
    removing.xero.watch(move |request, comes| {
        // The scan's list is well; that of the last look has the id for somebody else.
        let is_list = comes && request.method == "GET" && request.path == "/connections";
        if !is_list || lists.fetch_add(1, Ordering::SeqCst) == 0 {
            return None;
        }
        let model = shared.upgrade()?;
        let model = model.xero.model();
        let entries: Vec<serde_json::Value> = model
            .of_app(crate::support::xero::CLIENT_ID)
            .map(|one| {
                let tenant = if one.id == id { other } else { one.tenant.id.0 };
                let date = |at: chrono::DateTime<chrono::Utc>| {
                    at.naive_utc().format("%Y-%m-%dT%H:%M:%S%.6f0").to_string()
                };
                serde_json::json!({
                    "id": one.id.to_string(),
                    "authEventId": one.auth_event.to_string(),
                    "tenantId": tenant.to_string(),
                    "tenantType": "ORGANISATION",
                    "tenantName": null,
                    "createdDateUtc": date(one.created_at),
                    "updatedDateUtc": date(one.updated_at),
                })
            })
            .collect();
        let body = serde_json::to_vec(&entries).ok()?;
        Some(Reaction::Answer(Response { status: 200, headers: Vec::new(), body }))
    });
    assert_eq!(removing.ran(0)["removals_done"], 1);
    assert!(removing.xero.model().connection(id).is_some());
    assert_eq!(removing.states().await, counts(&[("dropped", 1), ("removed", 1)]));
}

#[tokio::test]
async fn a_consent_that_the_host_stores_after_the_scan_is_seen_by_the_last_look() {
    // E6: between scan and DELETE.
    for base in BASES {
        let removing = signed(base, &each(0..3)).await;
        let lists = AtomicUsize::new(0);
        let host = removing.sending.place.path("host.db");
        let consent =
            format!("UPDATE inventory SET scopes = '{RENEWED}' WHERE xero_user_id = '{}'", user(1));
        removing.xero.watch(move |request, comes| {
            let is_list = comes && request.method == "GET" && request.path == "/connections";
            if is_list && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                write_to(&host, &consent);
            }
            None
        });
        let ran = removing.ran(0);
        assert_eq!(ran["removals_done"], 2, "{base:?}: {ran}");
        assert_eq!(removing.states().await, counts(&[("dropped", 1), ("removed", 2)]));
    }
}

/// Writes to a database from a place that cannot wait.
fn write_to(path: &std::path::Path, sql: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr, SqliteConnection};
    let (path, sql) = (format!("sqlite://{}", path.display()), sql.to_owned());
    let writing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let mut host = SqliteConnection::connect(&path).await.unwrap();
            host.execute(AssertSqlSafe(sql).into_sql_str()).await.unwrap();
        });
    });
    writing.join().unwrap();
}

#[tokio::test]
async fn what_cannot_be_looked_at_again_is_held_back() {
    for base in BASES {
        let removing = signed(base, &each(0..2)).await;
        let lists = AtomicUsize::new(0);
        let host = removing.sending.place.path("host.db");
        removing.xero.watch(move |request, comes| {
            let is_list = comes && request.method == "GET" && request.path == "/connections";
            if is_list && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                write_to(&host, "ALTER TABLE inventory RENAME TO gone");
            }
            None
        });
        let ran = removing.ran(0);
        assert_eq!((&ran["removals_done"], &ran["held_back"]), (&0.into(), &2.into()), "{ran}");
        removing.host("ALTER TABLE gone RENAME TO inventory").await;
        assert_eq!(removing.ran(0)["removals_done"], 2, "{base:?}");
    }
}
