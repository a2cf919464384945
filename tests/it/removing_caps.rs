//! Caps of removals, counted in the database: for all runs and all replicas together.

use crate::support::removing::{Link, Removing, each};
use crate::support::sending::{BASES, Base};

const PER_RUN: &str = "max_per_run = 50\nmax_per_day = 200";
const RAMP: &str = "ramp = []            # the first, second and third step";

async fn signed(base: Base, links: &[Link], edits: &[(&str, &str)]) -> Removing {
    let removing = Removing::with(base, links, edits).await;
    removing.prepare().await;
    removing.approve();
    removing
}

/// What each of some runs removes.
fn runs(removing: &Removing, count: usize) -> Vec<u64> {
    (0..count).map(|_| removing.ran(0)["removals_done"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn e8_a_cap_for_each_run_lets_through_exactly_its_number() {
    // 0, 1, N-1, N, N+1
    for (cap, expected) in
        [(0, [0, 0, 0]), (1, [1, 1, 1]), (3, [3, 1, 0]), (4, [4, 0, 0]), (5, [4, 0, 0])]
    {
        for base in BASES {
            let cap = format!("max_per_run = {cap}\nmax_per_day = 200");
            let removing = signed(base, &each(0..4), &[(PER_RUN, &cap)]).await;
            assert_eq!(runs(&removing, 3), expected, "{base:?} {cap}");
        }
    }
}

#[tokio::test]
async fn e8_caps_of_the_day_hold_across_restarts() {
    for (edit, expected) in [
        (("max_per_day = 200", "max_per_day = 0"), [0, 0]),
        (("max_per_day = 200", "max_per_day = 3"), [3, 0]),
        (("max_percent = 100 ", "max_percent = 50 "), [2, 0]),
        (("max_percent = 100 ", "max_percent = 24 "), [0, 0]),
        ((RAMP, "ramp = [1, 50] #"), [1, 0]),
    ] {
        for base in BASES {
            let removing = signed(base, &each(0..4), &[edit]).await;
            assert_eq!(runs(&removing, 2), expected, "{base:?} {edit:?}");
        }
    }
}

#[tokio::test]
async fn a_ramp_waits_at_its_step_until_enough_have_come_back() {
    let edit = (RAMP, "ramp = [1, 50] #");
    let removing = signed(Base::Sqlite, &each(0..4), &[edit]).await;
    assert_eq!(runs(&removing, 1), [1]);
    // A day later nobody is back: one more, and no step further.
    removing.sending.execute("UPDATE removals SET day = '2026-01-01'").await;
    let said = removing.done(&["run-once", "--format", "json"], 0);
    assert_eq!(said.progress()["removals_done"], 1, "{said}");
    assert!(said.to_string().contains("ramp_waits"), "{said}");
    removing
        .sending
        .execute("UPDATE removals SET day = '2026-01-02', returned_at = settled_at")
        .await;
    assert_eq!(runs(&removing, 1), [2]);
}

#[tokio::test]
async fn an_accountant_with_three_hundred_tenants_loses_one() {
    // E1
    let links: Vec<Link> = (0..300).map(|tenant| Link { person: 1, tenant }).collect();
    let removing = signed(Base::Sqlite, &links, &[]).await;
    assert_eq!(runs(&removing, 2), [1, 0]);
    assert_eq!((removing.deletes(), removing.connected()), (1, 299));
}

#[tokio::test]
async fn an_accountant_whom_the_host_cannot_tell_loses_one_as_well() {
    // Nobody knows who consented: each connection is a grant by itself, with one address.
    let links: Vec<Link> = (0..5).map(|tenant| Link { person: 1, tenant }).collect();
    let removing = Removing::new(Base::Sqlite, &links).await;
    removing.host("UPDATE inventory SET xero_user_id = NULL").await;
    removing.prepare().await;
    removing.approve();
    assert_eq!(runs(&removing, 2), [1, 0]);
}
