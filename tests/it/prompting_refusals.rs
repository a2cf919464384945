//! Servers that refuse, fail or are not what they should be, through the whole program: each
//! prompt gets its outcome, the others go on, and the exit code tells (E27, E28).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use worker::inventory::Column;

use crate::support::line::{Line, line, lines};
use crate::support::said::Said;
use crate::support::sending::{BASES, BY_BOTH, Base, Sending, well};
use crate::support::smtp::{Manner, Moment, Reaction, Step};

fn names(said: &str, person: usize) -> bool {
    said.contains(&format!("<person{person}@"))
}

/// Refuses one person with an answer, while `is_so`.
fn refusing(
    person: usize,
    at: Step,
    answer: &'static str,
    is_so: &Arc<AtomicBool>,
) -> impl Fn(&Moment) -> Reaction + Send + Sync + 'static {
    let is_so = Arc::clone(is_so);
    move |moment| {
        let here = moment.step == at && names(&moment.said, person);
        if here && is_so.load(Ordering::SeqCst) { Reaction::Say(answer) } else { Reaction::Usual }
    }
}

fn states(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
}

/// The codes for which something is held back, each once.
fn held_back(said: &Said) -> Vec<String> {
    let plan = said.json();
    let held = plan["held_back"].as_array().expect("a list").iter();
    let mut codes: Vec<String> = held
        .filter(|held| held["action"] == "prompt")
        .flat_map(|held| held["reasons"].as_array().expect("a list").clone())
        .map(|reason| reason["code"].as_str().expect("a code").to_owned())
        .collect();
    codes.sort();
    codes.dedup();
    codes
}

/// What the log says of prompts that failed.
fn warnings(said: &Said) -> Vec<Value> {
    said.events().into_iter().filter(|event| event["level"] == "WARN").collect()
}

#[tokio::test]
async fn somebody_who_is_refused_for_good_is_not_written_to_again_and_the_others_are() {
    for base in BASES {
        let on = Arc::new(AtomicBool::new(true));
        let react = refusing(1, Step::Rcpt, "550 5.1.1 No such user", &on);
        let sending = Sending::with(base, &lines(0..4), react, well).await;
        sending.prepare();
        let said = sending.run();
        assert_eq!(said.code, Some(3), "{said}");
        let progress = said.progress();
        assert_eq!((&progress["prompts_sent"], &progress["failures"]), (&3.into(), &1.into()));
        let told = warnings(&said);
        assert_eq!(told.len(), 1, "{said}");
        assert!(told[0]["prompt.id"].is_string(), "the log names the prompt: {said}");
        assert!(!said.err.contains("person1"), "and not the person: {said}");
        assert_eq!(sending.states().await, states(&[("sent", 3), ("refused", 1)]));
        // Even once the server would take it.
        on.store(false, Ordering::SeqCst);
        let next = sending.run();
        assert_eq!(next.code, Some(0), "{next}");
        assert_eq!(held_back(&next), ["refused", "suppressed"]);
        assert_eq!(sending.recipients().len(), 3, "{base:?}");
        let listed = sending.worker(&["suppress", "list", "--format", "json"]);
        assert!(listed.out.contains("person1@example.com"), "{listed}");
    }
}

#[tokio::test]
async fn somebody_who_is_refused_for_now_is_tried_again_when_the_time_has_come() {
    // E27: what was refused for now is neither lost nor repeated for ever.
    for base in BASES {
        let on = Arc::new(AtomicBool::new(true));
        let react = refusing(1, Step::Rcpt, "450 4.2.1 Greylisted, come again", &on);
        let sending = Sending::with(base, &lines(0..3), react, well).await;
        sending.prepare();
        assert_eq!(sending.ran(3)["prompts_sent"], 2);
        let next = sending.run();
        assert_eq!(next.code, Some(0), "{next}");
        assert_eq!(held_back(&next), ["retry_later"]);
        sending.retries_come_due().await;
        assert_eq!(sending.ran(3)["failures"], 1, "it is still so");
        on.store(false, Ordering::SeqCst);
        sending.retries_come_due().await;
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(sending.states().await, states(&[("sent", 3)]), "{base:?}");
        assert_eq!(sending.recipients().len(), 3);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_left_alone_and_nothing_is_lost() {
    // E28: at each step, in each way.
    let steps = [Step::Banner, Step::Ehlo, Step::Starttls, Step::Tls, Step::Mail];
    let ways = [Reaction::Close, Reaction::Reset, Reaction::Say("421 4.3.2 Going down")];
    for (number, step) in steps.into_iter().enumerate() {
        for (other, way) in ways.iter().enumerate() {
            if step == Step::Tls && other == 2 {
                continue;
            }
            let base = if (number + other) % 2 == 0 { Base::Sqlite } else { Base::Postgres };
            let on = Arc::new(AtomicBool::new(true));
            let (is_down, way) = (Arc::clone(&on), way.clone());
            let react = move |moment: &Moment| {
                let here = moment.step == step && is_down.load(Ordering::SeqCst);
                if here { way.clone() } else { Reaction::Usual }
            };
            let sending = Sending::with(base, &lines(0..12), react, well).await;
            sending.prepare();
            let said = sending.run();
            let what = format!("{base:?} {step:?}: {said}");
            assert_eq!(said.code, Some(3), "{what}");
            let failures = said.progress()["failures"].as_u64().unwrap();
            assert!((3..=8).contains(&failures), "three, and what was in flight: {what}");
            assert!(said.err.contains("left alone for the rest of this run"), "{what}");
            assert_eq!(sending.states().await, states(&[("queued", 12)]), "{what}");
            assert!(sending.recipients().is_empty());
            on.store(false, Ordering::SeqCst);
            sending.retries_come_due().await;
            assert_eq!(sending.ran(0)["prompts_sent"], 12);
            assert_eq!(sending.recipients().len(), 12);
        }
    }
}

#[tokio::test]
async fn a_mail_server_that_is_down_does_not_keep_the_webhook_from_being_told() {
    let react = |moment: &Moment| match moment.step {
        Step::Banner => Reaction::Close,
        _ => Reaction::Usual,
    };
    let sending = Sending::with(Base::Sqlite, &lines(0..10), react, well).await;
    sending.configure(&[BY_BOTH]);
    sending.prepare();
    assert_eq!(sending.ran(3)["prompts_sent"], 10);
    assert_eq!(sending.hooks().len(), 10);
}

#[tokio::test]
async fn a_run_stops_when_more_than_half_are_refused_for_good() {
    for base in BASES {
        let react = |moment: &Moment| match moment.step {
            Step::Rcpt => Reaction::Say("550 5.7.1 Not from here"),
            _ => Reaction::Usual,
        };
        let sending = Sending::with(base, &lines(0..150), react, well).await;
        sending.prepare();
        let said = sending.run();
        assert_eq!(said.code, Some(4), "{said}");
        assert!(said.err.contains("too many prompts were refused"), "{said}");
        let failures = said.progress()["failures"].as_u64().unwrap();
        assert!((20..30).contains(&failures), "{failures}");
        let rest = 150 - usize::try_from(failures).unwrap();
        let refused = sending.states().await["refused"];
        assert_eq!(150 - refused, rest, "the others are as they were");
        assert!(!sending.states().await.contains_key("leased"), "and nobody holds them");
    }
}

/// A template of one's own that fails for whoever is called so.
fn with_own_template(sending: &Sending, text: &str) {
    std::fs::create_dir_all(sending.place.path("own/en")).unwrap();
    let embedded = include_str!("../../src/delivery/templates/en/reminder.txt.j2");
    sending.place.write("own/en/reminder.txt.j2", format!("{text}{embedded}"));
    sending.configure(&[("# templates = \"templates\" ", "templates = \"own\" ")]);
}

#[tokio::test]
async fn a_template_that_fails_for_one_customer_leaves_the_others_theirs() {
    let mut people = lines(0..5);
    people[2] = line(2).with(Column::Name, "Trouble");
    for base in BASES {
        let sending = Sending::new(base, &people).await;
        with_own_template(
            &sending,
            "{% if name and name[:4] == \"Trou\" %}{{ name.no.such }}{% endif %}",
        );
        sending.prepare();
        let said = sending.run();
        assert_eq!(said.code, Some(3), "{said}");
        assert_eq!(said.progress()["prompts_sent"], 4);
        assert_eq!(said.progress()["failures"], 1);
        let told = warnings(&said);
        assert!(told.iter().any(|event| event["prompt.id"].is_string()), "{said}");
        assert!(!said.err.contains("person2") && !said.err.contains("Trouble"), "{said}");
        assert!(sending.recipients().iter().all(|to| !to.contains("person2")));
        assert_eq!(held_back(&sending.run()), ["retry_later"]);
        with_own_template(&sending, "");
        sending.retries_come_due().await;
        assert_eq!(sending.ran(0)["prompts_sent"], 1, "once it was mended");
    }
}

/// Runs against a server of this manner; nothing but greetings may have been said to it.
async fn in_clear_text_says_nothing(manner: Manner, trusted: bool) {
    let sending = Sending::at(Base::Sqlite, &lines(0..5), manner, |_| Reaction::Usual, well).await;
    if !trusted {
        let roots = format!("roots = {:?}\n", sending.smtp.roots());
        sending.configure(&[(&roots, "")]);
    }
    sending.prepare();
    assert_eq!(sending.ran(3)["prompts_sent"], 0);
    for (_, command) in sending.smtp.commands.all().iter() {
        let verb = command.split(' ').next().unwrap_or_default();
        assert!(["EHLO", "STARTTLS", "QUIT"].contains(&verb), "{command}");
    }
    assert_eq!(sending.states().await, states(&[("queued", 5)]));
}

#[tokio::test]
async fn a_server_without_starttls_is_told_nothing() {
    let manner = Manner { offers: &["8BITMIME", "SMTPUTF8"], ..Manner::default() };
    in_clear_text_says_nothing(manner, true).await;
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_is_told_nothing() {
    in_clear_text_says_nothing(Manner { name: "elsewhere.example", ..Manner::default() }, true)
        .await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_told_nothing() {
    in_clear_text_says_nothing(Manner::default(), false).await;
}

#[tokio::test]
async fn an_address_that_is_none_leaves_the_others_theirs() {
    // E26
    let mut people: Vec<Line> = lines(0..4);
    people[1] = line(1).with(Column::Email, "not an address");
    people[2] = line(2).without(Column::Email);
    let sending = Sending::new(Base::Sqlite, &people).await;
    sending.prepare();
    let said = sending.run();
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(said.progress()["prompts_sent"], 2);
    assert_eq!(said.progress()["unreachable"], 2);
    assert_eq!(held_back(&said), ["unreachable"]);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown_and_the_others_go_on() {
    // E23: nobody knows whether it arrived, when the connection breaks after the final dot.
    for base in BASES {
        let react = |moment: &Moment| match (moment.step, moment.connection, moment.message) {
            (Step::Dot, 0, 0) => Reaction::Reset,
            _ => Reaction::Usual,
        };
        let sending = Sending::with(base, &lines(0..8), react, well).await;
        sending.prepare();
        let progress = sending.ran(3);
        assert_eq!(
            (&progress["prompts_sent"], &progress["prompts_unknown"]),
            (&7.into(), &1.into())
        );
        assert_eq!(held_back(&sending.run()), ["outcome_unknown"]);
        assert_eq!(sending.recipients().len(), 8, "{base:?}");
    }
}

/// Does this to one person's message at a step, and to nobody else.
fn spoiling(
    person: usize,
    at: Step,
    reaction: Reaction,
) -> impl Fn(&Moment) -> Reaction + Send + Sync + 'static {
    let theirs: Mutex<BTreeSet<usize>> = Mutex::default();
    move |moment| {
        let mut theirs = theirs.lock().unwrap();
        if moment.step == Step::Rcpt {
            theirs.remove(&moment.connection);
            if names(&moment.said, person) {
                theirs.insert(moment.connection);
            }
        }
        let here = moment.step == at && theirs.contains(&moment.connection);
        if here { reaction.clone() } else { Reaction::Usual }
    }
}

#[tokio::test]
async fn a_server_that_misbehaves_with_one_message_spoils_no_other() {
    // E28
    let nonsense = Reaction::Raw(b"\xff\x00 what?\r\n");
    for (step, reaction, state) in [
        (Step::Rcpt, Reaction::Close, "queued"),
        (Step::Rcpt, nonsense.clone(), "queued"),
        (Step::Data, Reaction::Reset, "queued"),
        (Step::Dot, Reaction::Close, "unknown"),
        (Step::Dot, nonsense, "unknown"),
    ] {
        for base in BASES {
            let case = format!("{base:?} {step:?} {reaction:?}");
            let react = spoiling(2, step, reaction.clone());
            let sending = Sending::with(base, &lines(0..6), react, well).await;
            sending.prepare();
            let said = sending.run();
            assert_eq!(said.code, Some(3), "{case}: {said}");
            assert_eq!(said.progress()["prompts_sent"], 5, "{case}: {said}");
            assert_eq!(sending.states().await, states(&[("sent", 5), (state, 1)]), "{case}");
            let told = warnings(&said);
            assert!(told.iter().any(|event| event["prompt.id"].is_string()), "{case}: {said}");
            assert!(!said.err.contains("person2"), "{case}: {said}");
        }
    }
}
