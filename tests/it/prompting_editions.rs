//! The deadline moves: nobody is told a stage again, everybody who was told another date is
//! told the new one once, and changing it back is no less of a change.

use std::collections::BTreeMap;

use mail_parser::MessageParser;

use crate::support::line::lines;
use crate::support::sending::{BASES, Base, Sending, deadline, well};
use crate::support::smtp::{Moment, Reaction, Step};
use crate::support::victim::Victim;

/// Writes the configuration with another deadline; addresses get more than one mail a day.
fn move_deadline(sending: &Sending, days: u64) {
    let (usual, other) = (deadline(100), deadline(days));
    sending.configure(&[
        (&usual, &other),
        ("max_per_address_per_day = 1", "max_per_address_per_day = 100"),
    ]);
}

async fn told(base: Base, people: usize) -> Sending {
    let sending = Sending::new(base, &lines(0..people)).await;
    move_deadline(&sending, 100);
    sending.prepare();
    assert_eq!(sending.ran(0)["prompts_sent"], people);
    sending
}

/// The texts of the messages that came in since the last time, by recipient.
fn letters(sending: &Sending) -> BTreeMap<String, String> {
    let parser = MessageParser::default();
    let text = |bytes: &[u8]| {
        let mail = parser.parse(bytes).expect("a message");
        format!("{}\n{}", mail.subject().unwrap_or_default(), mail.body_text(0).unwrap())
    };
    let mut received = sending.smtp.received.all();
    received.drain(..).map(|mail| (mail.to.join(" "), text(&mail.bytes))).collect()
}

fn day(days: u64) -> String {
    let day = worker::clock::Clock::now(&worker::clock::SystemClock).date_naive();
    // With the space in front, since the 2nd stands in the 22nd.
    (day + chrono::Days::new(days)).format(" %-d %B %Y").to_string()
}

#[tokio::test]
async fn everyone_who_was_told_another_date_gets_one_correction_that_names_both() {
    for base in BASES {
        let sending = told(base, 3).await;
        letters(&sending);
        move_deadline(&sending, 120);
        assert_eq!(sending.ran(0)["prompts_sent"], 3);
        let corrections = letters(&sending);
        assert_eq!(corrections.len(), 3, "{base:?}");
        for text in corrections.values() {
            assert!(text.contains(&day(100)) && text.contains(&day(120)), "{text}");
        }
        assert_eq!(sending.ran(0)["prompts_planned"], 0, "and no second one");
        assert!(letters(&sending).is_empty());
    }
}

#[tokio::test]
async fn whoever_was_told_nothing_yet_is_told_the_new_date_by_their_stage() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..4)).await;
        sending.configure(&[("max_per_run = 5000", "max_per_run = 2")]);
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 2);
        letters(&sending);
        move_deadline(&sending, 120);
        assert_eq!(sending.ran(0)["prompts_sent"], 4);
        let texts = letters(&sending);
        let both = texts.values().filter(|text| text.contains(&day(100))).count();
        assert_eq!((texts.len(), both), (4, 2), "{base:?}: {texts:#?}");
        assert!(texts.values().all(|text| text.contains(&day(120))));
    }
}

#[tokio::test]
async fn a_deadline_that_is_changed_back_is_corrected_back() {
    for base in BASES {
        let sending = told(base, 2).await;
        move_deadline(&sending, 120);
        assert_eq!(sending.ran(0)["prompts_sent"], 2);
        letters(&sending);
        move_deadline(&sending, 100);
        assert_eq!(sending.ran(0)["prompts_sent"], 2);
        for text in letters(&sending).values() {
            assert!(text.contains(&day(100)) && text.contains(&day(120)), "{base:?}: {text}");
        }
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
    }
}

#[tokio::test]
async fn a_deadline_that_was_changed_back_before_anybody_was_told_needs_no_correction() {
    let sending = told(Base::Sqlite, 2).await;
    move_deadline(&sending, 120);
    sending.worker(&["pause", "--reason", "wait", "--by", "ann"]);
    sending.ran(0);
    sending.worker(&["resume", "--by", "ann"]);
    move_deadline(&sending, 100);
    assert_eq!(sending.ran(0)["prompts_planned"], 0);
}

#[tokio::test]
async fn what_was_being_sent_when_the_deadline_moved_is_not_sent_again() {
    // The worker was killed in the middle, and the next one finds another deadline while the
    // lease still runs.
    for base in BASES {
        let victim = Victim::default();
        let killer = victim.clone();
        let armed = std::sync::atomic::AtomicBool::new(true);
        let react = move |moment: &Moment| {
            if moment.step == Step::Dot && armed.swap(false, std::sync::atomic::Ordering::SeqCst) {
                killer.kill();
            }
            Reaction::Usual
        };
        let sending = Sending::with(base, &lines(0..1), react, well).await;
        move_deadline(&sending, 100);
        sending.prepare();
        victim.run(sending.command(&["run-once"]), |_| {});
        assert_eq!(sending.recipients().len(), 1);
        move_deadline(&sending, 120);
        assert_eq!(sending.ran(0)["prompts_sent"], 0, "{base:?}: it is in flight");
        sending.leases_run_out().await;
        assert_eq!(sending.ran(3)["prompts_sent"], 0);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!(sending.recipients().len(), 1);
    }
}

#[tokio::test]
async fn what_is_leased_when_the_deadline_moves_is_told_once() {
    // Another worker with the old configuration has it in its hands.
    for base in BASES {
        let sending = told(base, 1).await;
        sending
            .execute(
                "UPDATE prompts SET state = 'leased', deadline = NULL, day = NULL, \
            sent_at = NULL, lease_until = '2999-01-01T00:00:00.000000+00:00'",
            )
            .await;
        move_deadline(&sending, 120);
        assert_eq!(sending.ran(0)["prompts_sent"], 0, "{base:?}");
    }
}

#[tokio::test]
async fn a_promise_of_the_old_date_is_void() {
    // Removal is planned, never carried out, by this version: `explain` and the plan tell.
    for base in BASES {
        let sending = told(base, 2).await;
        let told = "SELECT CAST(count(*) AS text) FROM prompts p JOIN editions e \
            ON e.deadline = p.deadline WHERE e.number = (SELECT max(number) FROM editions) AND p.state = 'sent'";
        assert_eq!(sending.texts(told).await, ["2"]);
        move_deadline(&sending, 120);
        sending
            .execute(
                "INSERT INTO pauses (paused_at, reason, by_name) VALUES \
            ('2020-01-01T00:00:00.000000+00:00', 'wait', 'ann')",
            )
            .await;
        sending.ran(0);
        assert_eq!(sending.texts(told).await, ["0"], "{base:?}: nobody was told this one");
    }
}
