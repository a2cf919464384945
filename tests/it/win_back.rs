//! After a removal: what people are told, how often, and when it ends.

use chrono::{DateTime, TimeDelta, Utc};
use worker::clock::{Clock, SystemClock};
use worker::inventory::Column;

use crate::support::inventory::id;
use crate::support::line::{BROAD, Line, READY, line, lines};
use crate::support::said::Said;
use crate::support::sending::{BASES, Base, Sending, deadline};

const MANY_A_DAY: (&str, &str) = ("max_per_address_per_day = 1", "max_per_address_per_day = 99");
/// A campaign with nothing to say but what follows removals.
async fn quiet(base: Base, lines: &[Line]) -> Sending {
    let sending = Sending::new(base, lines).await;
    calm(&sending, &[]);
    sending.prepare();
    sending
}

/// Configures it so that no stage of the campaign is due.
fn calm(sending: &Sending, edits: &[(&str, &str)]) {
    let (soon, later) = (deadline(100), deadline(300));
    sending.configure(&[&[MANY_A_DAY, (&soon, &later)], edits].concat());
}

fn all_scopes() -> String {
    format!("{READY} accounting.contacts")
}

fn at(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339()
}

/// The first words of the subjects of all mails so far, in the order in which they came.
fn subjects(sending: &Sending) -> Vec<String> {
    let subject =
        |(subject, _): &(String, String)| subject.split(' ').take(3).collect::<Vec<_>>().join(" ");
    mails(sending).iter().map(subject).collect()
}

/// Subjects and texts of all mails so far.
fn mails(sending: &Sending) -> Vec<(String, String)> {
    let received = sending.smtp.received.all();
    let read = |bytes: &[u8]| {
        let mail = mail_parser::MessageParser::default().parse(bytes).expect("a mail");
        let text = mail.body_text(0).expect("a text").into_owned();
        (mail.subject().expect("a subject").to_owned(), text)
    };
    received.iter().map(|received| read(&received.bytes)).collect()
}

const REMOVED: &str = "Your connection between";
const REMINDER: &str = "Acme Books is";
const LAST: &str = "The last message";
const CROSSED: &str = "Sorry: your consent";

#[tokio::test]
async fn whoever_lost_a_connection_is_told_at_once_reminded_and_told_for_the_last_time() {
    for base in BASES {
        let sending = quiet(base, &lines(0..3)).await;
        sending.removed(1).await;
        let told = sending.ran(0);
        assert_eq!((&told["removed"], &told["connections"]), (&1.into(), &2.into()), "{base:?}");
        assert_eq!(sending.recipients(), ["TO:<person1@example.com>"], "{base:?}");
        assert_eq!(subjects(&sending), [REMOVED]);
        for (days, so_far) in [
            (0, vec![REMOVED]),
            (6, vec![REMOVED]),
            (7, vec![REMOVED, REMINDER]),
            (20, vec![REMOVED, REMINDER]),
            (21, vec![REMOVED, REMINDER, LAST]),
            (300, vec![REMOVED, REMINDER, LAST]),
        ] {
            sending.removals_were(days).await;
            sending.ran(0);
            sending.ran(0);
            assert_eq!(subjects(&sending), so_far, "{base:?} after {days} days");
        }
        let counts = sending.ran(0);
        assert_eq!((&counts["removed"], &counts["returned"]), (&1.into(), &0.into()));
    }
}

#[tokio::test]
async fn a_ready_grant_for_the_tenant_ends_it_and_counts_once() {
    for base in BASES {
        let sending = quiet(base, &lines(0..3)).await;
        sending.removed(1).await;
        sending.ran(0);
        // By a new connection, in the place of the old one.
        let mut rows = lines(0..3);
        rows[1] = line(1)
            .with(Column::ConnectionId, id("c", 101))
            .with(Column::Scopes, all_scopes())
            .with(Column::EvidenceAt, at(SystemClock.now()));
        sending.show(&rows);
        let back = sending.ran(0);
        assert_eq!((&back["removed"], &back["returned"]), (&1.into(), &1.into()), "{base:?}");
        assert_eq!((&back["connections"], &back["ready"]), (&3.into(), &1.into()), "{base:?}");
        let returned = sending.texts("SELECT CAST(returned_at AS text) FROM removals").await;
        sending.removals_were(7).await;
        let again = sending.ran(0);
        assert_eq!(&again["returned"], 1);
        assert_eq!(subjects(&sending), [REMOVED], "{base:?}");
        let still = sending.texts("SELECT CAST(returned_at AS text) FROM removals").await;
        assert_eq!(still, returned, "it is noted once");
        let acts = "SELECT kind FROM audit WHERE kind = 'returned'";
        assert_eq!(sending.texts(acts).await.len(), 1);
    }
}

#[tokio::test]
async fn the_same_connection_is_back_when_its_row_is_newer_than_the_removal() {
    for base in BASES {
        let sending = quiet(base, &lines(0..2)).await;
        sending.removed(1).await;
        let mut rows = lines(0..2);
        // The host goes on listing it, and changes something else about it.
        rows[1] = line(1).with(Column::TenantName, "Renamed");
        sending.show(&rows);
        assert_eq!(sending.ran(0)["connections"], 1, "{base:?}");
        rows[1] = line(1)
            .with(Column::Scopes, all_scopes())
            .with(Column::EvidenceAt, at(SystemClock.now() + TimeDelta::seconds(1)));
        sending.show(&rows);
        let back = sending.ran(0);
        assert_eq!((&back["connections"], &back["returned"]), (&2.into(), &1.into()), "{base:?}");
    }
}

#[tokio::test]
async fn whoever_comes_back_with_broad_scopes_is_shown_as_that_and_reminded_of_nothing() {
    for base in BASES {
        let sending = quiet(base, &lines(0..2)).await;
        sending.removed(1).await;
        sending.ran(0);
        let mut rows = lines(0..2);
        rows[1] = line(1).with(Column::ConnectionId, id("c", 101));
        sending.show(&rows);
        let back = sending.ran(0);
        assert_eq!((&back["broad_only"], &back["returned"]), (&2.into(), &0.into()), "{base:?}");
        sending.removals_were(7).await;
        sending.ran(0);
        assert_eq!(subjects(&sending), [REMOVED], "{base:?}");
        let status = sending.worker(&["status", "--format", "json"]).json();
        assert_eq!(status["funnel"]["back_broad"], 1, "{base:?}");
    }
}

#[tokio::test]
async fn a_second_removal_of_the_same_person_is_told_by_itself_and_the_first_never_again() {
    for base in BASES {
        let of_ann = |number| {
            let ann = line(number).with(Column::Email, "ann@example.com");
            ann.with(Column::TenantName, format!("Tenant {number}"))
        };
        let sending = quiet(base, &[line(0), of_ann(1), of_ann(2), of_ann(3)]).await;
        sending.removed(1).await;
        sending.ran(0);
        sending.removals_were(7).await;
        sending.removed(2).await;
        // Both that it happened, and the reminder of the first.
        sending.ran(0);
        sending.ran(0);
        let said = subjects(&sending);
        let times = |what: &str| said.iter().filter(|subject| *subject == what).count();
        assert_eq!((said.len(), times(REMOVED), times(REMINDER)), (3, 2, 1), "{base:?}: {said:?}");
        let mails = mails(&sending);
        let about = |number: usize| {
            let name = format!("Tenant {number}");
            mails.iter().filter(|(_, text)| text.contains(&name)).count()
        };
        assert_eq!([about(1), about(2), about(3)], [2, 1, 0], "{base:?}");
    }
}

#[tokio::test]
async fn two_removals_of_one_person_are_one_message() {
    for base in BASES {
        let of_ann = |number| line(number).with(Column::Email, "ann@example.com");
        let sending = quiet(base, &[line(0), of_ann(1), of_ann(2)]).await;
        sending.removed(1).await;
        sending.removed(2).await;
        sending.ran(0);
        sending.ran(0);
        assert_eq!(subjects(&sending), [REMOVED], "{base:?}");
    }
}

#[tokio::test]
async fn contacts_outlast_the_row_but_nobody_is_written_to_who_has_left_e2() {
    for base in BASES {
        let of_ann = |number| line(number).with(Column::Email, "ann@example.com");
        let sending = quiet(base, &[line(0), of_ann(1), of_ann(2), line(3)]).await;
        sending.removed(1).await;
        sending.removed(3).await;
        // The host drops what it can no longer use, before anybody was told.
        sending.show(&[line(0), of_ann(2)]);
        let told = sending.ran(0);
        assert_eq!((&told["gone"], &told["removed"]), (&0.into(), &2.into()), "{base:?}");
        assert_eq!(sending.recipients(), ["TO:<ann@example.com>"], "{base:?}");
    }
}

#[tokio::test]
async fn what_was_gone_at_xero_before_us_is_told_to_nobody() {
    for base in BASES {
        let sending = quiet(base, &lines(0..3)).await;
        sending.show(&lines(0..2));
        let gone = sending.ran(0);
        assert_eq!((&gone["gone"], &gone["removed"]), (&1.into(), &0.into()), "{base:?}");
        assert_eq!(sending.recipients(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_consent_that_crossed_the_removal_is_answered_at_any_hour() {
    for base in BASES {
        let sending = quiet(base, &lines(0..2)).await;
        // Nobody is at work.
        let tomorrow = (SystemClock.now() + TimeDelta::days(3)).format("%a").to_string();
        let days = format!("[\"{}\"]", tomorrow.to_lowercase());
        let closed = ("[\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]", days);
        calm(&sending, &[(closed.0, &closed.1)]);
        sending.removed(1).await;
        let waits = sending.ran(0);
        assert_eq!((&waits["prompts_sent"], &waits["held_back"]), (&0.into(), &1.into()));
        let mut rows = lines(0..2);
        let before = SystemClock.now() - TimeDelta::minutes(1);
        rows[1] = line(1).with(Column::Scopes, all_scopes()).with(Column::EvidenceAt, at(before));
        sending.show(&rows);
        let crossed = sending.ran(0);
        assert_eq!(crossed["prompts_sent"], 2, "{base:?}: by mail, and to the product");
        assert_eq!(subjects(&sending), [CROSSED], "{base:?}");
        assert_eq!((&crossed["removed"], &crossed["returned"]), (&1.into(), &0.into()));
        sending.ran(0);
        assert_eq!(subjects(&sending), [CROSSED], "{base:?}");
        let status = sending.worker(&["status", "--format", "json"]).json();
        assert_eq!(status["funnel"]["crossed"], 1, "{base:?}");
        let told = sending.worker(&["explain", &id("c", 1)]);
        assert!(told.out.contains("crossed"), "{told}");
        // It stands for the message that tells of the removal; the later ones come in their days.
        calm(&sending, &[]);
        sending.ran(0);
        assert_eq!(subjects(&sending), [CROSSED], "{base:?}");
        sending.removals_were(7).await;
        sending.ran(0);
        assert_eq!(subjects(&sending), [CROSSED, REMINDER], "{base:?}");
    }
}

#[tokio::test]
async fn a_consent_after_the_removal_that_brings_nothing_back_is_no_crossing() {
    for base in BASES {
        let user = id("d", 9);
        let theirs = |number| {
            let row = line(number).with(Column::XeroUserId, user.clone());
            row.with(Column::Email, "ann@example.com")
        };
        let sending = quiet(base, &[line(0), theirs(1), theirs(2)]).await;
        sending.removed(1).await;
        // They consent once more, for their other tenant only.
        let later = SystemClock.now() + TimeDelta::seconds(1);
        let scopes = format!("{BROAD} {}", all_scopes());
        let other = theirs(2).with(Column::Scopes, scopes).with(Column::EvidenceAt, at(later));
        sending.show(&[line(0), theirs(1), other]);
        let run = sending.ran(0);
        assert_eq!((&run["ready"], &run["returned"]), (&1.into(), &0.into()), "{base:?}");
        assert_eq!(subjects(&sending), [REMOVED], "{base:?}");
    }
}

#[tokio::test]
async fn what_a_dry_run_foretells_of_a_removal_is_what_arrives() {
    for base in BASES {
        let sending = quiet(base, &lines(0..2)).await;
        sending.removed(1).await;
        let hashes = |said: &Said| -> Vec<String> {
            let plan = said.json();
            let prompts = plan["prompts"].as_array().expect("a list").iter();
            prompts
                .map(|prompt| {
                    assert_eq!(prompt["stage"], "removed", "{said}");
                    prompt["message_sha256"].as_str().expect("a hash").to_owned()
                })
                .collect()
        };
        let dry = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
        let foretold = hashes(&dry);
        assert_eq!(foretold.len(), 2, "{dry}");
        assert!(subjects(&sending).is_empty());
        let due = sending.worker(&["due", "--format", "jsonl"]);
        assert!(due.out.contains("\"stage\":\"removed\""), "{due}");
        assert_eq!(hashes(&sending.run()), foretold, "{base:?}");
        assert_eq!(subjects(&sending), [REMOVED]);
        let due = sending.worker(&["due", "--format", "jsonl"]);
        assert_eq!(due.out, "", "{base:?}");
    }
}

#[tokio::test]
async fn a_host_that_sends_by_its_own_means_says_which_removals_it_told_of() {
    for base in BASES {
        let sending = quiet(base, &lines(0..3)).await;
        let by_mail = (
            "channels = [\"email\", \"webhook:product\"]\ntemplate = \"final-notice\"",
            "channels = [\"email\"]\ntemplate = \"final-notice\"",
        );
        calm(&sending, &[by_mail]);
        sending.removed(1).await;
        let import = |ids: &str, code: i32| {
            let sent = format!(
                "kind,address,stage,connection_ids\nsent,person1@example.com,removed,{ids}\n"
            );
            sending.place.write("sent.csv", sent);
            let said = sending.worker(&["outcomes", "import", "sent.csv"]);
            assert_eq!(said.code, Some(code), "{said}");
        };
        import("", 2);
        import(&id("c", 1), 0);
        assert_eq!(sending.worker(&["due", "--format", "jsonl"]).out, "", "{base:?}");
        sending.ran(0);
        assert!(subjects(&sending).is_empty(), "{base:?}");
        sending.removals_were(7).await;
        sending.ran(0);
        assert_eq!(subjects(&sending), [REMINDER], "{base:?}");
    }
}

#[tokio::test]
async fn the_product_hears_of_a_removal_and_of_the_return() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..2)).await;
        let to_product = (
            "days_before = 150\nchannels = [\"email\"]",
            "days_before = 150\nchannels = [\"webhook:product\"]",
        );
        sending.configure(&[to_product, MANY_A_DAY]);
        sending.prepare();
        sending.ran(0);
        let heard = || -> Vec<String> {
            let bodies = sending.hooks();
            let says = |body: &serde_json::Value| match body["data"]["stage"].as_str() {
                Some(stage) => format!("{} {stage}", body["type"].as_str().unwrap()),
                None => body["type"].as_str().expect("a type").to_owned(),
            };
            bodies
                .iter()
                .map(|hook| says(&serde_json::from_slice(&hook.body).expect("JSON")))
                .collect()
        };
        assert_eq!(heard(), ["prompt reminder"; 2]);
        sending.removed(1).await;
        sending.ran(0);
        sending.ran(0);
        assert_eq!(heard()[2..], ["removed", "prompt removed"], "{base:?}");
        let mut rows = lines(0..2);
        rows[1] =
            line(1).with(Column::ConnectionId, id("c", 101)).with(Column::Scopes, all_scopes());
        sending.show(&rows);
        sending.ran(0);
        sending.ran(0);
        assert_eq!(heard()[4..], ["returned"], "{base:?}");
    }
}

#[tokio::test]
async fn counts_add_up_while_connections_are_removed_and_come_back() {
    for base in BASES {
        let mut rows = lines(0..6);
        rows[4] = line(4).with(Column::Scopes, all_scopes());
        rows[5] = line(5).with(Column::Scopes, "");
        let sending = quiet(base, &rows).await;
        let adds_up = |progress: &serde_json::Value| {
            let sum = |names: &[&str]| -> u64 {
                names.iter().map(|name| progress[*name].as_u64().expect("a count")).sum()
            };
            let all = sum(&["connections"]);
            assert_eq!(sum(&["broad_only", "mixed", "granular", "unaffected", "unknown"]), all);
            assert_eq!(sum(&["ready", "awaiting", "unaffected", "unknown"]), all);
            (all, sum(&["removed"]), sum(&["returned"]), sum(&["gone"]))
        };
        assert_eq!(adds_up(&sending.ran(0)), (6, 0, 0, 0));
        sending.removed(1).await;
        sending.removed(2).await;
        assert_eq!(adds_up(&sending.ran(0)), (4, 2, 0, 0), "{base:?}");
        rows.remove(2);
        sending.show(&rows);
        assert_eq!(adds_up(&sending.ran(0)), (4, 2, 0, 0), "{base:?}: it is not gone too");
        rows[1] = line(1).with(Column::ConnectionId, id("c", 9)).with(Column::Scopes, BROAD);
        sending.show(&rows);
        assert_eq!(adds_up(&sending.ran(0)), (5, 2, 0, 0), "{base:?}");
        rows[1] = rows[1].clone().with(Column::Scopes, all_scopes());
        sending.show(&rows);
        assert_eq!(adds_up(&sending.ran(0)), (5, 2, 1, 0), "{base:?}");
    }
}
