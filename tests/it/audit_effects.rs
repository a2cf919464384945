//! The record of what a campaign really does: nothing is done without it, at any moment, and
//! its end is in every progress event.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::line::lines;
use crate::support::place::Place;
use crate::support::sending::{BASES, BY_BOTH, Base, Sending, well};
use crate::support::smtp::{Reaction, Step};
use crate::support::victim::Victim;

fn entries(sending: &Sending, filter: &[&str]) -> Vec<Value> {
    let listed = sending.worker(&[&["audit", "list", "--format", "json"][..], filter].concat());
    assert_eq!(listed.code, Some(0), "{listed}");
    listed.json().as_array().expect("a list").clone()
}

fn head(sending: &Sending) -> String {
    let verified = sending.worker(&["audit", "verify", "--format", "json"]);
    assert_eq!(verified.code, Some(0), "{verified}");
    verified.json()["head"].as_str().expect("a head").to_owned()
}

/// That every prompt's last entry tells its state, and each that left was announced before.
async fn tells_the_states(sending: &Sending) {
    let id = match sending.pg {
        Some(_) => "CAST(prompt_id AS text)",
        None => "lower(hex(prompt_id))",
    };
    let query = format!("SELECT {id} || ' ' || state || ' ' || attempts FROM prompts");
    let recorded = entries(sending, &[]);
    for prompt in sending.texts(&query).await {
        let [id, state, attempts] = prompt.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{prompt}")
        };
        let kinds: Vec<&str> = recorded
            .iter()
            .filter(|entry| {
                let subject = entry["subject"].as_str().unwrap_or_default();
                subject.replace('-', "") == id.replace('-', "")
            })
            .map(|entry| entry["kind"].as_str().unwrap())
            .collect();
        let intents = kinds.iter().filter(|kind| **kind == "prompt_sending").count();
        assert_eq!(intents.to_string(), attempts, "{prompt}: {kinds:?}");
        let expected: &[&str] = match (state, intents) {
            (_, 0) => &[],
            ("sending", _) => &["prompt_sending"],
            ("sent", _) => &["prompt_sent", "prompt_settled"],
            ("refused", _) => &["prompt_refused"],
            ("unknown", _) => &["prompt_unknown", "prompt_swept"],
            ("queued" | "leased", _) => &["prompt_put_off", "prompt_swept", "prompt_settled"],
            other => panic!("{other:?}"),
        };
        let last = kinds.last().into_iter().all(|last| expected.contains(last));
        assert!(last, "{prompt}: {kinds:?}");
    }
}

/// Every third is refused, every third put off.
fn uneven(moment: &crate::support::smtp::Moment) -> Reaction {
    match (
        moment.step,
        moment.said.bytes().filter(u8::is_ascii_digit).map(u64::from).sum::<u64>() % 3,
    ) {
        (Step::Rcpt, 0) => Reaction::Say("550 5.1.1 no such user"),
        (Step::Rcpt, 1) => Reaction::Say("451 4.3.0 later"),
        _ => Reaction::Usual,
    }
}

#[tokio::test]
async fn every_attempt_and_what_became_of_it_is_recorded() {
    for base in BASES {
        let sending = Sending::with(base, &lines(0..9), uneven, well).await;
        sending.configure(&[BY_BOTH]);
        sending.prepare();
        let before = head(&sending);
        let progress = sending.ran(3);
        assert_eq!(progress["audit_head"], head(&sending));
        tells_the_states(&sending).await;
        let count = |kind: &str| entries(&sending, &["--kind", kind]).len();
        assert_eq!(count("prompt_sending"), 18, "{base:?}");
        assert_eq!(count("prompt_sent"), 12);
        assert_eq!((count("prompt_refused"), count("prompt_put_off")), (3, 3));
        assert_eq!(count("suppressed"), 3);
        assert_eq!(
            (count("scan_completed"), count("edition_begun"), count("confirmed")),
            (2, 1, 1)
        );
        // Logged before, it is still in it.
        let logged = sending.worker(&["audit", "verify", "--head", &before]);
        assert_eq!(logged.code, Some(0), "{logged}");
        let of_one = entries(&sending, &["--subject", "person2@example.com"]);
        let all_of_one = |entry: &Value| entry["person"] == of_one[0]["person"];
        assert!(of_one.len() >= 4 && of_one.iter().all(all_of_one), "{of_one:#?}");
        let newest = entries(&sending, &["--limit", "2"]);
        assert_eq!(newest.len(), 2);
        assert_eq!(newest[1]["hash"], head(&sending));
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_no_effect_unrecorded() {
    // Promise 9: what is in the ledger and its entry are one commit.
    for base in BASES {
        for nth in [1, 3, 5] {
            let victim = Victim::default();
            let (killer, count) = (victim.clone(), AtomicUsize::new(0));
            let react = move |moment: &crate::support::smtp::Moment| {
                if moment.step == Step::Dot && count.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                    killer.kill();
                }
                Reaction::Usual
            };
            let sending = Sending::with(base, &lines(0..8), react, well).await;
            sending.prepare();
            victim.run(sending.command(&["run-once"]), |_| {});
            tells_the_states(&sending).await;
            sending.leases_run_out().await;
            sending.ran(3);
            tells_the_states(&sending).await;
            head(&sending);
        }
    }
}

#[tokio::test]
async fn a_dry_run_reports_the_end_of_the_original_and_adds_nothing() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        let nothing = sending.worker(&["run-once", "--dry-run"]).progress();
        assert!(nothing["audit_head"].is_null(), "{base:?}");
        sending.prepare();
        let before = head(&sending);
        sending.show(&lines(0..5));
        let dry = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
        assert_eq!(dry.progress()["audit_head"], before);
        assert_eq!(dry.json()["progress"]["audit_head"], before);
        assert_eq!(head(&sending), before);
    }
}

#[tokio::test]
async fn a_record_that_is_not_whole_is_a_failed_check() {
    let sending = Sending::new(Base::Sqlite, &lines(0..3)).await;
    sending.prepare();
    let logged = head(&sending);
    sending
        .execute(
            "DROP TRIGGER audit_is_not_changed; UPDATE audit SET by_name = 'bo' WHERE number = 3",
        )
        .await;
    let wrong = sending.worker(&["audit", "verify", "--head", &logged, "--format", "json"]);
    wrong.complains(4, "entry 3 was altered", "backup");
    assert_eq!(wrong.json()["first_wrong"], 3);
    assert_eq!(wrong.json()["found"], "altered");
    let no_head = sending.worker(&["audit", "verify", "--head", "abc"]);
    no_head.complains(2, "64 hexadecimal digits", "audit_head");
    sending.worker(&["audit", "list", "--kind", "x"]).complains(2, "no kind", "prompt_sent");
}

#[tokio::test]
async fn the_page_tells_anybody_how_to_check_it() {
    let page = include_str!("../../docs/audit.md");
    let (_, rest) = page.split_once("```python\n").expect("the page has it");
    let (script, _) = rest.split_once("```").expect("its end");
    let sending = Sending::with(Base::Sqlite, &lines(0..9), uneven, well).await;
    sending.prepare();
    sending.worker(&["pause", "--reason", "a \"ü\" \\ \u{1f986}\u{7f}\tand more", "--by", "ann"]);
    sending.worker(&["resume", "--by", "ann"]);
    sending.ran(3);
    sending.place.write("check.py", script);
    let check = |database: &str| {
        let mut command = std::process::Command::new("python3");
        command.args(["check.py", database]).current_dir(sending.place.dir());
        command.output().expect("python3")
    };
    let said = check("worker.db");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), head(&sending), "{said:?}");
    sending
        .execute(
            "DROP TRIGGER audit_is_not_changed; UPDATE audit SET subject = 'x' WHERE number = 4",
        )
        .await;
    let said = check("worker.db");
    assert!(String::from_utf8_lossy(&said.stderr).contains("entry 4 is not"), "{said:?}");
}

#[test]
fn the_story_of_a_connection_has_what_people_decided_about_it() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let id = "AC-20548";
    let exempt = ["exempt", "add", id, "--until", "2099-01-01", "--reason", "a friend"];
    place.done(&[&exempt[..], &["--by", "ann"]].concat());
    place.done(&["exempt", "remove", id, "--by", "bo"]);
    let text = place.done(&["explain", id]).out;
    assert!(text.contains("exemption_added by ann: "), "{text}");
    assert!(text.contains("reason a friend"), "{text}");
    let explained = place.done(&["explain", id, "--format", "json"]).json();
    let history = explained[0]["history"].as_array().unwrap();
    let removed = history.iter().find(|happened| happened["what"] == "exemption_removed").unwrap();
    assert_eq!((&removed["by"], removed["number"].is_i64()), (&"bo".into(), true));
}
