//! From a removal to the return, with the real program, Xero, a mail server and the host's
//! database behind sockets, on both stores; and a worker that is killed on the way.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use worker::clock::{Clock, SystemClock};
use worker::domain::scopes::ScopeText;
use worker::inventory::Column;

use crate::support::line::line;
use crate::support::removing::{RENEWED, Removing, each};
use crate::support::sending::{BASES, Base, Sending, deadline, well};
use crate::support::smtp::{Reaction, Step};
use crate::support::victim::Victim;
use crate::support::xero::{CLIENT_ID, tenant, user};

const MANY_A_DAY: (&str, &str) = ("max_per_address_per_day = 1", "max_per_address_per_day = 99");

/// Five people are connected; the first did not react and has lost the connection.
async fn removed(base: Base) -> Removing {
    let removing = Removing::with(base, &each(0..5), &[MANY_A_DAY]).await;
    for person in 1..5 {
        removing.consent(person).await;
    }
    removing.prepare().await;
    removing.approve();
    let ran = removing.ran(0);
    assert_eq!(ran["removals_done"], 1, "{ran}");
    // Its own run has it outside already.
    assert_eq!((&ran["removed"], &ran["connections"]), (&1.into(), &4.into()), "{ran}");
    removing
}

/// Reconnects at Xero, and tells the id of the new connection.
fn reconnect(removing: &Removing, person: u32, scopes: &str) -> String {
    let scopes = ScopeText::read(scopes).set;
    let mut model = removing.xero.model();
    let tenants = [tenant(person)];
    model.consent(SystemClock.now(), CLIENT_ID, user(person), scopes, &tenants).expect("a consent");
    let one = model.of_app(CLIENT_ID).find(|one| one.user == user(person));
    one.expect("a connection").id.to_string()
}

/// The stages of all prompts that went, each with whom it went to.
async fn told(removing: &Removing) -> Vec<String> {
    let sql = "SELECT stage || ' ' || recipient FROM prompts \
               WHERE state = 'sent' AND channel = 'email' AND stage <> 'final-notice'";
    removing.sending.texts(sql).await
}

#[tokio::test]
async fn the_whole_story_ends_with_a_return() {
    for base in BASES {
        let removing = removed(base).await;
        assert!(told(&removing).await.is_empty());
        let first = removing.ran(0);
        assert_eq!((&first["removed"], &first["returned"]), (&1.into(), &0.into()), "{base:?}");
        let one = "removed person0@example.com".to_owned();
        assert!(told(&removing).await.contains(&one), "{base:?}: {:?}", told(&removing).await);
        // They follow the link; the host has not noticed yet.
        let id = reconnect(&removing, 0, RENEWED);
        assert_eq!(removing.ran(0)["returned"], 0, "{base:?}");
        removing
            .host(&format!(
                "UPDATE inventory SET connection_id = '{id}', scopes = '{RENEWED}', \
                 connected_at = '{}' WHERE xero_user_id = '{}'",
                SystemClock.now().to_rfc3339(),
                user(0)
            ))
            .await;
        let back = removing.ran(0);
        assert_eq!((&back["returned"], &back["ready"]), (&1.into(), &5.into()), "{base:?} {back}");
        let status = removing.done(&["status", "--format", "json"], 0).json();
        let funnel = &status["funnel"];
        assert_eq!(funnel["retained"], 5, "{status}");
        assert!(status["xero"]["tenants"].as_u64().is_some_and(|tenants| tenants > 0), "{status}");
        let report = removing.done(&["report", "--format", "json"], 0).json();
        assert_eq!((&report["removals"], &report["xero"]), (funnel, &status["xero"]), "{base:?}");
        assert_eq!(report["xero"]["cap"], 10_000, "{report}");
        for form in ["text", "html"] {
            let report = removing.done(&["report", "--format", form], 0).out;
            assert!(report.contains("of at most 10000, "), "{report}");
        }
        let text = removing.done(&["status"], 0).out;
        assert!(text.contains("returned 1") && text.contains("Xero's list of"), "{text}");
    }
}

#[tokio::test]
async fn a_consent_between_the_last_look_and_the_delete_is_found_and_answered_e6() {
    for base in BASES {
        let removing = removed(base).await;
        // They had consented in that very moment; their host stores it now.
        removing
            .host(&format!(
                "UPDATE inventory SET scopes = '{RENEWED}' WHERE xero_user_id = '{}'",
                user(0)
            ))
            .await;
        let found = removing.ran(0);
        assert_eq!((&found["removed"], &found["returned"]), (&1.into(), &0.into()), "{base:?}");
        let one = "crossed person0@example.com".to_owned();
        assert!(told(&removing).await.contains(&one), "{base:?}: {:?}", told(&removing).await);
        let status = removing.done(&["status", "--format", "json"], 0).json();
        assert_eq!(status["funnel"]["crossed"], 1, "{status}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_stops_removals_and_nothing_else() {
    for base in BASES {
        let removing = Removing::with(base, &each(0..5), &[MANY_A_DAY]).await;
        removing.prepare().await;
        removing.approve();
        let everybody: Vec<_> = removing.xero.model().of_app(CLIENT_ID).map(|one| one.id).collect();
        for id in everybody {
            removing.xero.model().disconnect(id);
        }
        // 200 and nothing in it (E50): for Xero's part nobody is connected.
        let said = removing.done(&["run-once", "--format", "json"], 4);
        let run = said.progress();
        assert_eq!((&run["connections"], &run["broad_only"]), (&5.into(), &5.into()), "{run}");
        assert_eq!((&run["removals_done"], removing.deletes()), (&0.into(), 0), "{said}");
        assert!(said.out.contains("list_empty"), "{said}");
    }
}

/// A campaign with one removed connection, in which the worker is killed once at a step of
/// telling its person.
async fn killed_at(base: Base, step: Step) -> Sending {
    let victim = Victim::default();
    let (killer, armed) = (victim.clone(), Arc::new(AtomicBool::new(false)));
    let fuse = Arc::clone(&armed);
    let seen = Mutex::new(());
    let react = move |moment: &crate::support::smtp::Moment| {
        let _one = seen.lock().expect("nobody panics here");
        if moment.step == step && fuse.swap(false, Ordering::SeqCst) {
            killer.kill();
        }
        Reaction::Usual
    };
    let people = [line(0), line(1).with(Column::Email, "ann@example.com")];
    let sending = Sending::with(base, &people, react, well).await;
    let (soon, later) = (deadline(100), deadline(300));
    let by_mail = (
        "channels = [\"email\", \"webhook:product\"]\ntemplate = \"final-notice\"",
        "channels = [\"email\"]\ntemplate = \"final-notice\"",
    );
    sending.configure(&[(&soon, &later), MANY_A_DAY, by_mail]);
    sending.prepare();
    sending.removed(1).await;
    armed.store(true, Ordering::SeqCst);
    let (status, said) = victim.run(sending.command(&["run-once"]), |_| {});
    assert_eq!(status.signal(), Some(9), "{base:?} {step:?}: {said}");
    sending
}

#[tokio::test]
async fn a_worker_killed_while_it_tells_of_a_removal_tells_it_never_twice() {
    for base in BASES {
        for step in [Step::Rcpt, Step::Data, Step::Dot] {
            let sending = killed_at(base, step).await;
            let so_far = sending.recipients().len();
            sending.leases_run_out().await;
            sending.ran(3);
            sending.ran(0);
            assert_eq!(sending.recipients().len(), so_far, "{base:?} {step:?}");
            let counts = sending.ran(0);
            assert_eq!((&counts["removed"], &counts["returned"]), (&1.into(), &0.into()));
            // What follows is a message of its own.
            sending.removals_were(7).await;
            sending.ran(0);
            sending.ran(0);
            assert_eq!(sending.recipients().len(), so_far + 1, "{base:?} {step:?}");
        }
    }
}
