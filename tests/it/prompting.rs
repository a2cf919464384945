//! Prompts from end to end: the program, a database, a mail server and a web server.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use worker::inventory::Column;

use crate::support::line::{READY, line, lines};
use crate::support::sending::{BASES, Sending};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn everybody_gets_one_message_and_a_second_run_sends_nothing() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..20)).await;
        sending.prepare();
        let first = sending.ran(0);
        assert_eq!((&first["prompts_planned"], &first["prompts_sent"]), (&20.into(), &20.into()));
        assert_eq!(sending.recipients().len(), 20, "{base:?}");
        let distinct: BTreeSet<String> = sending.recipients().into_iter().collect();
        assert_eq!(distinct.len(), 20);
        let second = sending.ran(0);
        assert_eq!((&second["prompts_planned"], &second["prompts_sent"]), (&0.into(), &0.into()));
        assert_eq!(sending.recipients().len(), 20);
    }
}

#[tokio::test]
async fn the_hashes_of_a_dry_run_are_those_of_the_bytes_that_then_arrive() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..7)).await;
        sending.prepare();
        let dry = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
        assert_eq!(dry.code, Some(0), "{dry}");
        let hashes = |plan: &serde_json::Value| -> BTreeSet<String> {
            let prompts = plan["prompts"].as_array().expect("a list").iter();
            prompts.map(|prompt| prompt["message_sha256"].as_str().unwrap().to_owned()).collect()
        };
        let foretold = hashes(&dry.json());
        assert_eq!(foretold.len(), 7);
        assert!(sending.smtp.received.all().is_empty(), "a dry run sends nothing");
        let real = sending.run();
        assert_eq!(hashes(&real.json()), foretold);
        let arrived: BTreeSet<String> =
            sending.smtp.received.all().iter().map(|mail| sha256(&mail.bytes)).collect();
        assert_eq!(arrived, foretold);
    }
}

#[tokio::test]
async fn somebody_behind_several_rows_and_spellings_gets_one_digest_with_a_link_for_each_grant() {
    let rows = [
        line(1).with(Column::Email, "jo@customer.example"),
        line(2).with(Column::Email, "Jo@Customer.example"),
        line(3)
            .with(Column::Email, "jo@customer.example")
            .with(Column::XeroUserId, line(1).get(Column::XeroUserId).unwrap()),
    ];
    for base in BASES {
        let sending = Sending::new(base, &rows).await;
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        let received = sending.smtp.received.all();
        let mail = mail_parser::MessageParser::default().parse(&received[0].bytes).unwrap();
        let text = mail.body_text(0).unwrap();
        assert_eq!(text.matches("/xero/reconnect?token=").count(), 2, "{text}");
    }
}

#[tokio::test]
async fn nobody_is_written_to_before_a_named_person_has_confirmed_the_link() {
    let sending = Sending::new(BASES[0], &lines(0..2)).await;
    assert_eq!(sending.ran(0)["prompts_sent"], 0);
    let stopped = sending.run();
    assert_eq!(stopped.code, Some(4), "{stopped}");
    let gates = stopped.json()["blocked_by"].clone();
    let of_prompts = |gate: &&serde_json::Value| gate["step"] == "prompt";
    let codes: Vec<_> = gates.as_array().expect("a list").iter().filter(of_prompts).collect();
    assert_eq!(codes.len(), 1, "{stopped}");
    assert_eq!(codes[0]["code"], "not_confirmed", "{stopped}");
    assert!(sending.recipients().is_empty());
    assert!(sending.http.requests.all().is_empty(), "nobody is asked anything in vain");
}

#[tokio::test]
async fn somebody_who_has_become_ready_is_told_nothing() {
    let sending = Sending::new(BASES[0], &lines(0..3)).await;
    sending.prepare();
    let mut now = lines(0..3);
    now[1] = line(1).with(Column::Scopes, format!("{READY} accounting.contacts"));
    sending.show(&now);
    assert_eq!(sending.ran(0)["prompts_sent"], 2);
    assert!(sending.recipients().iter().all(|to| !to.contains("person1@")));
}
