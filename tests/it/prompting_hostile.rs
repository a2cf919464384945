//! Data that nobody would write on purpose, from the inventory into messages.

use std::collections::BTreeSet;

use mail_parser::MessageParser;
use worker::inventory::Column;

use crate::support::line::{Line, line, lines};
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::{Manner, Reaction};

/// Names as people, companies and attackers write them.
const NAMES: &[&str] = &[
    "Acme\r\nBcc: eve@evil.example",
    "Acme\nX-Injected: yes\n\n<html>",
    "Acme\r\n.\r\nMAIL FROM:<eve@evil.example>",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% include 'secret' %}",
    "=?utf-8?q?Bcc:_eve@evil.example?=",
    "株式会社テスト",
    "شركة الاختبار",
    "\u{202e}dlrow olleh\u{202c}",
    "Ελληνική Εταιρεία ΑΕ",
    "한국 주식회사",
    "👩‍👩‍👧‍👦 Family 🇳🇿 Ltd",
    "Zürich Straße & Söhne <GmbH>",
    "a\u{0}b\u{7}c\u{1b}[31m",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}",
    "A name that goes on and on and on and on and on and on and on and on and on and on and on and on \
     and on and on and on and on and on and on and on and on and on and on and on and on and on and on",
    ".",
    "",
    "From the start",
];

#[tokio::test]
async fn no_name_can_change_what_a_message_is() {
    let people: Vec<Line> = NAMES
        .iter()
        .enumerate()
        .map(|(number, name)| {
            line(number).with(Column::TenantName, *name).with(Column::Name, *name)
        })
        .collect();
    for base in BASES {
        let sending = Sending::new(base, &people).await;
        sending.configure(&[("max_bad_percent = 1", "max_bad_percent = 100")]);
        sending.prepare();
        let progress = sending.ran(0);
        let bad = progress["bad_rows"].as_u64().unwrap();
        assert_eq!(progress["prompts_sent"], NAMES.len() as u64 - bad);
        assert!(bad <= 1, "at most the one with a NUL is no text: {bad}");
        let mut headers = BTreeSet::new();
        for mail in sending.smtp.received.all().iter() {
            let raw = String::from_utf8(mail.bytes.clone()).expect("ASCII, or UTF-8");
            let parsed = MessageParser::default().parse(&mail.bytes).expect("a message");
            assert_eq!(mail.to.len(), 1);
            let names: Vec<String> =
                parsed.headers().iter().map(|header| header.name().to_owned()).collect();
            headers.insert(names);
            assert!(raw.lines().all(|line| line.len() <= 998), "RFC 5322, section 2.1.1");
            assert!(!raw.replace("\r\n", "").contains(['\r', '\n', '\0']), "line ends are CRLF");
            let html = parsed.body_html(0).expect("an HTML part");
            assert!(!html.contains("<script") && !html.contains("<img src=x"), "{html}");
            assert_eq!(parsed.attachment_count(), 0);
            assert!(!parsed.body_text(0).unwrap().contains(['\u{202e}', '\u{1b}']));
        }
        assert_eq!(headers.len(), 1, "the same headers for everybody: {headers:?}");
    }
}

#[tokio::test]
async fn addresses_in_every_script_are_reached_where_the_server_can() {
    let people = [
        line(0).with(Column::Email, "jo@bücher.example"),
        line(1).with(Column::Email, "jo@例え.テスト"),
        line(2).with(Column::Email, "用户@例え.テスト"),
        line(3).with(Column::Email, "josé@customer.example"),
        line(4).with(Column::Email, "plain@customer.example"),
    ];
    let plain: &[&str] = &["STARTTLS", "8BITMIME"];
    for base in BASES {
        for (offers, reached) in [(Manner::default().offers, 5), (plain, 3)] {
            let manner = Manner { offers, ..Manner::default() };
            let sending = Sending::at(base, &people, manner, |_| Reaction::Usual, well).await;
            sending.prepare();
            let said = sending.run();
            assert_eq!(said.code, Some(if reached == 5 { 0 } else { 3 }), "{said}");
            assert_eq!(sending.recipients().len(), reached, "{base:?}: {said}");
            for word in ["jo@", "josé", "用户", "例え", "bücher"] {
                assert!(!said.err.contains(word), "{said}");
            }
        }
    }
}

/// So many connections of one person.
fn of_one_person(count: usize) -> Vec<Line> {
    let user = line(0).get(Column::XeroUserId).unwrap().to_owned();
    (0..count)
        .map(|number| {
            line(number).with(Column::Email, "jo@customer.example").with(Column::XeroUserId, &user)
        })
        .collect()
}

const SHOWN: &str = "SELECT CAST(c.connection_key AS text) FROM prompt_connections c \
    JOIN prompts p ON p.prompt_id = c.prompt_id WHERE p.stage = ";

async fn shown_at(sending: &Sending, stage: &str) -> BTreeSet<String> {
    let sql = match sending.pg {
        Some(_) => SHOWN.to_owned(),
        None => SHOWN.replace("CAST(c.connection_key AS text)", "hex(c.connection_key)"),
    };
    sending.texts(&format!("{sql}'{stage}'")).await.into_iter().collect()
}

#[tokio::test]
async fn what_was_cut_off_a_long_list_is_not_told_and_comes_first_the_next_time() {
    // E24
    for base in BASES {
        let sending = Sending::new(base, &of_one_person(10_001)).await;
        sending.configure(&[("max_per_address_per_day = 1", "max_per_address_per_day = 5")]);
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 1, "{base:?}");
        let first = shown_at(&sending, "reminder").await;
        assert_eq!(first.len(), 100);
        let text = {
            let received = sending.smtp.received.all();
            let mail = MessageParser::default().parse(&received[0].bytes).unwrap();
            mail.body_text(0).unwrap().into_owned()
        };
        assert!(text.contains("9,901") || text.contains("9901"), "{text}");
        sending.configure(&[
            ("max_per_address_per_day = 1", "max_per_address_per_day = 5"),
            (
                "days_before = 90\nchannels = [\"email\", \"webhook:product\"]",
                "days_before = 120\nchannels = [\"email\"]",
            ),
        ]);
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        let second = shown_at(&sending, "second-reminder").await;
        assert_eq!(second.len(), 100);
        assert!(first.is_disjoint(&second), "who was cut off comes first");
    }
}

#[tokio::test]
async fn a_person_linked_by_many_rows_gets_one_message() {
    // E25
    let mut rows = Vec::new();
    for number in 0..7 {
        let spelling = if number % 2 == 0 { "jo@customer.example" } else { "JO@Customer.Example" };
        rows.push(line(0).with(Column::Email, spelling).with(Column::Name, format!("Jo {number}")));
    }
    rows.push(line(0).with(Column::Email, "ann@customer.example"));
    rows.extend(lines(5..6));
    for base in BASES {
        let sending = Sending::new(base, &rows).await;
        sending.configure(&[("max_bad_percent = 1", "max_bad_percent = 100")]);
        sending.prepare();
        let said = sending.run();
        let progress = said.progress();
        assert_eq!(progress["bad_rows"], 0, "{said}");
        assert_eq!(progress["prompts_sent"], 3, "jo, ann, and the other: {base:?}");
        let mut once = sending.recipients();
        once.dedup();
        assert_eq!(once.len(), 3);
    }
}

#[tokio::test]
async fn a_hundred_thousand_prompts_fit_into_every_statement() {
    // E33
    const MANY: usize = 100_000;
    for base in BASES {
        let sending = Sending::new(base, &lines(0..=200)).await;
        sending.prepare();
        let (numbers, key, no) = match base {
            Base::Postgres => (
                "SELECT n FROM generate_series(1, 100000) AS s(n)",
                "('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
                "false",
            ),
            Base::Sqlite => (
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) \
                 SELECT n FROM s",
                "unhex('00000000000040008000' || printf('%012x', n))",
                "0",
            ),
        };
        let at = "'2020-01-01T00:00:00.000000+00:00'";
        sending
            .execute(&format!(
                "INSERT INTO prompts (prompt_id, recipient, stage, channel, edition, state, \
                 due_at, attempts, lease_until, fence, is_notice, run_id, made_at) \
                 SELECT {key}, 'person' || n || '@example.com', 'reminder', 'email', 1, \
                 CASE WHEN n % 2 = 0 THEN 'leased' ELSE 'sending' END, {at}, 0, {at}, 1, {no}, \
                 {key}, {at} FROM ({numbers}) AS numbers"
            ))
            .await;
        let said = sending.run();
        assert_eq!(said.code, Some(3), "{said}");
        assert_eq!(said.progress()["prompts_unknown"], MANY / 2, "{base:?}");
        // Those that were only leased, and whoever had nothing yet.
        assert_eq!(said.progress()["prompts_sent"], 101);
    }
}
