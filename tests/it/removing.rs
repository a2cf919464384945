//! From a plan to its removals, with the real program, Xero and the host's database behind
//! sockets, on both stores.

use std::collections::BTreeMap;

use crate::support::removing::{Link, Removing, TABLE, each};
use crate::support::sending::{BASES, Base};

fn counts(states: &[(&str, usize)]) -> BTreeMap<String, usize> {
    states.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_plan_is_drawn_up_signed_off_and_applied_once() {
    for base in BASES {
        let removing = Removing::new(base, &each(0..3)).await;
        removing.prepare().await;
        let before = removing.deletes();
        let plan = removing.done(&["plan", "--format", "json"], 0).json();
        assert_eq!(plan["removals"].as_array().unwrap().len(), 3, "{plan}");
        assert_eq!(removing.plan(), plan["plan_id"], "the same facts give the same plan");
        let waiting = removing.done(&["run-once", "--format", "json"], 0);
        assert!(waiting.to_string().contains("plan_waits"), "{waiting}");
        assert_eq!(removing.deletes(), before, "nothing is removed without a signature");
        let id = removing.approve();
        let ran = removing.ran(0);
        assert_eq!((&ran["removals_done"], &ran["failures"]), (&3.into(), &0.into()), "{ran}");
        assert_eq!(removing.states().await, counts(&[("removed", 3)]), "{base:?}");
        assert_eq!(removing.connected(), 0);
        let again = removing.ran(0);
        assert_eq!(again["removals_done"], 0);
        assert_eq!(removing.deletes(), 3);
        let plans = removing.done(&["plans", "--format", "json"], 0).json();
        assert_eq!((&plans[0]["plan_id"], &plans[0]["settled"]), (&id.into(), &3.into()));
        assert_eq!(plans[0]["standing"]["state"], "applied");
    }
}

#[tokio::test]
async fn a_person_with_many_tenants_loses_one_and_the_rest_waits() {
    // E1: one consent is behind all of them.
    for base in BASES {
        let accountant: Vec<Link> = (0..6).map(|tenant| Link { person: 1, tenant }).collect();
        let removing = Removing::new(base, &accountant).await;
        removing.prepare().await;
        removing.approve();
        assert_eq!(removing.ran(0)["removals_done"], 1, "{base:?}");
        assert_eq!(removing.ran(0)["removals_done"], 0);
        assert_eq!((removing.deletes(), removing.connected()), (1, 5));
    }
}

#[tokio::test]
async fn e11_e12_a_customers_token_is_neither_refreshed_nor_revoked_whatever_happens() {
    let removing = Removing::new(Base::Sqlite, &each(0..4)).await;
    removing.prepare().await;
    removing.approve();
    removing.xero.model().forget_tokens();
    assert_eq!(removing.ran(0)["removals_done"], 4);
    for request in removing.xero.requests.all().iter() {
        let body = String::from_utf8_lossy(&request.body);
        let is_known = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/connect/token") => body.starts_with("grant_type=client_credentials&"),
            ("GET", "/connections") => true,
            ("DELETE", path) => path.starts_with("/connections/"),
            _ => false,
        };
        assert!(is_known, "{request:?}");
    }
}

#[tokio::test]
async fn a_table_in_the_workers_own_database_is_looked_at_again_as_well() {
    for base in BASES {
        let removing = Removing::with(base, &each(0..4), &TABLE).await;
        removing.prepare().await;
        removing.approve();
        removing.consent(2).await;
        assert_eq!(removing.ran(0)["removals_done"], 3, "{base:?}");
        assert_eq!((removing.deletes(), removing.connected()), (3, 1));
    }
}

#[tokio::test]
async fn explain_and_status_tell_the_whole_story_of_a_removal() {
    let removing = Removing::new(Base::Sqlite, &each(0..2)).await;
    removing.prepare().await;
    let id = removing.id(0).to_string();
    let next = |action: &str| {
        let story = removing.done(&["explain", &id, "--format", "json"], 0).json();
        assert_eq!(story[0]["next"]["action"], action, "{story}");
        story[0].clone()
    };
    assert_eq!(next("remove")["next"]["reasons"][0]["code"], "removal_due");
    let plan = removing.approve();
    let status = removing.done(&["status", "--format", "json"], 0).json();
    assert_eq!(status["removal_plan"]["plan_id"], plan, "{status}");
    assert_eq!(status["removal_plan"]["standing"]["state"], "approved");
    removing.ran(0);
    let story = removing.done(&["explain", &id, "--format", "json"], 0).json();
    let what: Vec<&str> = story[0]["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|happened| happened["what"].as_str().unwrap())
        .collect();
    for expected in
        ["prompt_sent", "plan_made", "plan_approved", "removal_intended", "removal_done"]
    {
        assert!(what.contains(&expected), "{expected}: {what:?}");
    }
    assert_eq!(story[0]["presence"], "removed");
    let text = removing.done(&["explain", &id], 0);
    assert!(text.out.contains("204: removed"), "{text}");
    assert!(!text.to_string().contains("person0@example.com"), "{text}");
}
