//! Mail gateways, previews and crawlers open the links of messages before anybody reads them.
//! Nothing follows from that here: whoever is done is seen in the inventory, and nowhere else.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use chrono::Timelike;
use mail_parser::MessageParser;
use worker::clock::{Clock, SystemClock};

use crate::always::ANY_PORT;
use crate::support::line::lines;
use crate::support::replica::Replica;
use crate::support::sending::{BASES, BY_BOTH, Sending};

/// The paths of all links that went out, by mail and by webhook.
fn links(sending: &Sending) -> BTreeSet<String> {
    let mut texts: Vec<String> = sending
        .smtp
        .received
        .all()
        .iter()
        .map(|mail| MessageParser::default().parse(&mail.bytes).expect("a message"))
        .map(|mail| mail.body_text(0).expect("a text").into_owned())
        .collect();
    let bodies = sending.hooks().into_iter().map(|hook| String::from_utf8(hook.body));
    texts.extend(bodies.map(|body| body.expect("a text")));
    let of = |text: &String| {
        let (_, after) = text.split_once("/xero/reconnect?token=").expect("a link");
        let token: String =
            after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        format!("/xero/reconnect?token={token}")
    };
    texts.iter().map(of).collect()
}

/// Asks a server for a path in one way; gives the status.
fn opened(address: &str, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\n{length}Connection: close\r\n\r\n")
        .expect("it takes a request");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    String::from_utf8_lossy(&head[9..]).into_owned()
}

/// All that prompts, readiness and removals are decided by, and the record.
async fn facts(sending: &Sending) -> Vec<String> {
    const FACTS: [&str; 5] = [
        "SELECT state || ' ' || recipient || ' ' || stage || ' ' || channel FROM prompts \
         ORDER BY recipient, channel",
        "SELECT readiness || ' ' || presence FROM connections ORDER BY connection_key",
        "SELECT class || ' ' || CAST(ready AS text) FROM grants ORDER BY grant_id",
        "SELECT what || ' ' || after FROM changes ORDER BY connection_key",
        "SELECT CAST(number AS text) || ' ' || kind || ' ' || detail FROM audit ORDER BY number",
    ];
    let mut facts = Vec::new();
    for sql in FACTS {
        facts.extend(sending.texts(sql).await);
    }
    facts
}

#[tokio::test]
async fn opening_a_link_changes_nothing_here_however_often_and_by_whomever() {
    // E29
    // Nothing fires meanwhile.
    let far = format!("\"{} * * * *\"", (SystemClock.now().minute() + 30) % 60);
    let rarely = ("\"17 * * * *\"", far.as_str());
    const OFTEN: (&str, &str) = ("max_per_address_per_day = 1", "max_per_address_per_day = 9");
    for base in BASES {
        let sending = Sending::new(base, &lines(0..3)).await;
        sending.configure(&[BY_BOTH, ANY_PORT, OFTEN]);
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 6);
        let links = links(&sending);
        assert!(links.len() >= 3, "{links:?}");
        let before = facts(&sending).await;

        // At the product, and at the worker itself, should somebody lead the link there.
        sending.configure(&[BY_BOTH, ANY_PORT, OFTEN, rarely]);
        let worker = Replica::start(sending.command(&["run"]));
        let here = worker.tells("answering for health")["http.listen"].clone();
        let here = here.as_str().expect("an address").to_owned();
        let product = format!("127.0.0.1:{}", sending.http.port);
        for path in &links {
            for method in ["GET", "HEAD", "POST", "GET"] {
                assert_eq!(opened(&product, method, path), "400", "{base:?} {method}");
                let status = opened(&here, method, path);
                assert!(["404", "405"].contains(&status.as_str()), "{base:?} {method}: {status}");
            }
        }
        assert_eq!(facts(&sending).await, before, "{base:?}");
        drop(worker);

        // Nobody counts as done for it, and everybody is told at the next stage as well.
        let second = ("days_before = 90", "days_before = 100");
        sending.configure(&[BY_BOTH, ANY_PORT, OFTEN, second]);
        let next = sending.ran(0);
        assert_eq!((&next["ready"], &next["awaiting"]), (&0.into(), &3.into()), "{next}");
        assert_eq!(next["prompts_sent"], 6, "{base:?}");
    }
}
