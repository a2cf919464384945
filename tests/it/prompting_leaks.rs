//! Nothing about people, and no secret, leaves but in the message to the person (promise 7;
//! E20, E21, E31).

use std::collections::BTreeSet;

use mail_parser::MessageParser;
use worker::inventory::Column;

use crate::support::http::{Reply, Request};
use crate::support::inventory::id;
use crate::support::line::{Line, line, token};
use crate::support::said::Said;
use crate::support::sending::{BASES, BY_BOTH, Base, HOOK_SECRET, LINK_SECRET, Sending, well};
use crate::support::smtp::{Manner, Moment, Reaction, Step};

const PASSWORD: &str = "correct-horse-battery";
const USER: &str = "mailer-login";

/// Somebody with everything of their own, in words that stand nowhere else.
fn person(number: usize) -> Line {
    line(number)
        .with(Column::Email, format!("quokka{number}.zz@numbat{number}.example"))
        .with(Column::Name, format!("Wombat{number}zz"))
        .with(Column::TenantName, format!("Bilby{number}zz Limited"))
        .with(Column::AccountId, format!("dingo{number}zz"))
}

fn own_words(number: usize) -> [String; 3] {
    [format!("quokka{number}.zz"), format!("wombat{number}zz"), format!("bilby{number}zz")]
}

/// Repeats whatever it is told, as servers do.
fn echoing(moment: &Moment) -> Reaction {
    let person = |number: usize| moment.said.contains(&format!("quokka{number}.zz"));
    let said = |text: String| Reaction::Say(Box::leak(text.into_boxed_str()));
    match moment.step {
        Step::Rcpt if person(1) => said(format!("550 5.1.1 {} unknown", moment.said)),
        Step::Rcpt if person(2) => said("450 4.2.1 mailbox quokka2.zz is full".to_owned()),
        Step::Rcpt if person(3) => {
            said("554 spam https://books.example/xero/reconnect?token=abcdefgh".to_owned())
        }
        Step::Dot => Reaction::Usual,
        _ => Reaction::Usual,
    }
}

fn web(request: &Request) -> Reply {
    if request.path == "/hook" {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        return Reply::Answer(500, Vec::new(), body);
    }
    well(request)
}

async fn campaign(base: Base) -> Sending {
    let manner = Manner {
        offers: &["STARTTLS", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN"],
        login: Some((USER, PASSWORD)),
        ..Manner::default()
    };
    let mut people: Vec<Line> = (0..6).map(person).collect();
    people[4] = people[4]
        .clone()
        .without(Column::Scopes)
        .with(Column::AccessToken, token(&id("d", 4), "accounting.transactions", 1_700_000_000));
    people.push(person(7).with(Column::Email, "quokka7.zz@@numbat7.example"));
    let sending = Sending::at(base, &people, manner, echoing, web).await;
    sending.configure(&[
        BY_BOTH,
        (
            "max_per_minute = 60000",
            "username = \"mailer-login\"\npassword = { env = \"SMTP_PASSWORD\" }\nmax_per_minute = 60000",
        ),
    ]);
    sending
}

fn run(sending: &Sending, arguments: &[&str]) -> Said {
    let mut command = sending.command(arguments);
    command.env("SMTP_PASSWORD", PASSWORD).env("WORKER_LOG_LEVEL", "trace");
    Said::by(command)
}

/// What must stand in no log line, in lower case.
fn forbidden(sending: &Sending) -> Vec<String> {
    let mut words: Vec<String> = (0..8).flat_map(own_words).collect();
    words.extend(["quokka", "numbat", "wombat", "bilby", "dingo"].map(str::to_owned));
    let secrets = [PASSWORD, LINK_SECRET, HOOK_SECRET, "?token=v1", "abcdefgh"];
    words.extend(secrets.map(str::to_lowercase));
    words.push(HOOK_SECRET.trim_start_matches("whsec_").to_lowercase());
    words.push(token(&id("d", 4), "accounting.transactions", 1_700_000_000).to_lowercase());
    for mail in sending.smtp.received.all().iter() {
        let mail = MessageParser::default().parse(&mail.bytes).expect("a message");
        let text = mail.body_text(0).expect("a text").into_owned();
        let links = text.split("?token=").skip(1);
        words
            .extend(links.filter_map(|rest| rest.split_whitespace().next()).map(str::to_lowercase));
    }
    words
}

#[tokio::test]
async fn no_log_line_of_a_whole_campaign_names_a_person_or_a_secret() {
    // E31, at the finest level, with servers that repeat what they were told.
    for base in BASES {
        for format in ["json", "text"] {
            let sending = campaign(base).await;
            let run = |arguments: &[&str]| run(&sending, &[&["--log", format], arguments].concat());
            let mut all = vec![run(&["run-once"])];
            all.push(run(&["confirm", "link", "--by", "ann", "--note", "looked at it"]));
            all.push(run(&["run-once", "--dry-run", "--format", "json"]));
            let real = run(&["run-once", "--format", "json"]);
            assert_eq!(real.code, Some(3), "{real}");
            all.push(real);
            sending.retries_come_due().await;
            all.push(run(&["run-once"]));
            all.push(run(&["status"]));
            assert_eq!(sending.recipients().len(), 3, "{}", all[3]);
            let forbidden = forbidden(&sending);
            assert!(forbidden.len() > 30);
            // Nor does the record of it, which outlives all the rest.
            const RECORD: &str = "SELECT COALESCE(subject, '') || ' ' || COALESCE(person, '') \
                || ' ' || COALESCE(by_name, '') || ' ' || detail FROM audit";
            let record = sending.texts(RECORD).await;
            assert!(record.len() > 10, "{record:?}");
            for entry in record {
                let lower = entry.to_lowercase();
                let found = forbidden.iter().find(|word| lower.contains(word.as_str()));
                assert_eq!(found, None, "{base:?}: {entry}");
            }
            for said in &all {
                for line in said.err.lines().chain(said.out.lines()) {
                    let lower = line.to_lowercase();
                    let found = forbidden.iter().find(|word| lower.contains(word.as_str()));
                    assert_eq!(found, None, "{base:?} {format}: {line}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_broken_connection_to_the_mail_server_leaks_nothing_either() {
    let react = |moment: &Moment| match (moment.step, moment.connection % 3) {
        (Step::Rcpt, 0) => Reaction::Reset,
        (Step::Data, 1) => Reaction::Raw(b"\xff\xfequokka\r\n"),
        (Step::Dot, 2) => Reaction::Close,
        _ => Reaction::Usual,
    };
    let people: Vec<Line> = (0..6).map(person).collect();
    let sending = Sending::with(Base::Sqlite, &people, react, well).await;
    sending.prepare();
    let said = run(&sending, &["run-once"]);
    assert_eq!(said.code, Some(3), "{said}");
    for line in said.err.lines() {
        let lower = line.to_lowercase();
        assert!(!lower.contains("wombat") && !lower.contains("numbat"), "{line}");
        assert!(!lower.contains(".zz@") && !lower.contains("?token="), "{line}");
    }
}

#[tokio::test]
async fn each_message_goes_to_one_person_and_shows_nothing_of_anybody_else() {
    // E20, E21, over a whole batch.
    for base in BASES {
        let people: Vec<Line> = (100..150).map(person).collect();
        let sending = Sending::new(base, &people).await;
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 50);
        let received = sending.smtp.received.all();
        assert_eq!(received.len(), 50);
        let mut reached = BTreeSet::new();
        for mail in received.iter() {
            assert_eq!(mail.to.len(), 1, "one address an envelope");
            assert!(mail.encrypted);
            let parsed = MessageParser::default().parse(&mail.bytes).expect("a message");
            let all = format!(
                "{}\n{:?}\n{}\n{}",
                String::from_utf8_lossy(&mail.bytes),
                parsed.subject(),
                parsed.body_text(0).unwrap(),
                parsed.body_html(0).unwrap()
            )
            .to_lowercase();
            let own: Vec<usize> =
                (100..150).filter(|number| mail.to[0].contains(&own_words(*number)[0])).collect();
            assert_eq!(own.len(), 1, "{:?}", mail.to);
            reached.insert(own[0]);
            for number in 100..150 {
                let [address, name, tenant] = own_words(number).map(|word| all.contains(&word));
                let expected = number == own[0];
                assert_eq!([address, name, tenant], [expected; 3], "{number} to {:?}", mail.to);
            }
            assert_eq!(parsed.to().map(|to| to.iter().count()), Some(1));
            assert!(parsed.cc().is_none() && parsed.bcc().is_none());
        }
        assert_eq!(reached.len(), 50, "everybody got theirs: {base:?}");
    }
}

#[tokio::test]
async fn the_plan_names_addresses_only_when_asked_to() {
    let people: Vec<Line> = (0..3).map(person).collect();
    let sending = Sending::new(Base::Sqlite, &people).await;
    sending.prepare();
    let hidden = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
    assert!(!hidden.out.contains("quokka") && hidden.out.contains("\"recipient\""), "{hidden}");
    let shown = sending.worker(&["run-once", "--dry-run", "--format", "json", "--show-addresses"]);
    assert!(shown.out.contains("quokka1.zz@numbat1.example"), "{shown}");
    let real = sending.run();
    assert_eq!(real.code, Some(0), "{real}");
    assert!(!real.out.contains("quokka"), "{real}");
}
