//! E-mail over SMTP when all goes well: encryption, login, sessions, addresses in every
//! script.

use std::time::{Duration, Instant};

use worker::delivery::smtp::{Login, Settings, Smtp, Tls};

use crate::support::mail::{MESSAGE, Sender, class, login, settings, why};
use crate::support::smtp::{Manner, Reaction, SmtpServer, Step};

fn with(server: &SmtpServer, tls: Tls, login: Option<Login>) -> Settings {
    Settings { tls, login, ..settings(server) }
}

#[tokio::test]
async fn a_message_arrives_as_it_is_over_starttls_after_a_login() {
    for offers in [&["STARTTLS", "AUTH PLAIN LOGIN"], &["STARTTLS", "AUTH LOGIN"]] {
        let manner = Manner { offers, login: Some(("u", "hushhush")), ..Manner::default() };
        let server = SmtpServer::start(manner);
        let mut sender = Sender::new(with(&server, Tls::Starttls, login("u", "hushhush")));
        let outcome = sender.send().await;
        assert_eq!((class(&outcome), why(&outcome)), ("accepted", "250 2.0.0 Ok: queued as Q0"));
        let received = server.received.all();
        let [message] = received.as_slice() else { panic!("{received:?}") };
        assert_eq!(message.bytes, MESSAGE, "dots at the beginning of lines included");
        assert!(message.encrypted);
        assert_eq!(message.user.as_deref(), Some("u"));
        assert_eq!(message.from, "FROM:<support@books.example>");
        let commands = server.commands.all();
        assert_eq!(commands[0].1, "EHLO worker.books.example");
        assert_eq!(commands[1].1, "STARTTLS", "nothing else is said unencrypted");
    }
}

#[tokio::test]
async fn a_message_arrives_over_tls_from_the_first_byte_and_without_tls() {
    let implicit = Manner { implicit: true, offers: &[], ..Manner::default() };
    let bare = Manner { offers: &[], ..Manner::default() };
    for (manner, tls) in [(implicit, Tls::Implicit), (bare, Tls::None)] {
        let server = SmtpServer::start(manner);
        let mut sender = Sender::new(with(&server, tls, None));
        assert_eq!(class(&sender.send().await), "accepted", "{tls:?}");
        assert_eq!(server.received.all()[0].encrypted, tls == Tls::Implicit);
    }
}

/// A final dot that waits for the acknowledgement of what went before costs 40 ms a message.
#[tokio::test]
async fn no_message_waits_for_an_acknowledgement() {
    let implicit = Manner { implicit: true, offers: &[], ..Manner::default() };
    for (manner, tls) in [(implicit, Tls::Implicit), (Manner::default(), Tls::Starttls)] {
        let server = SmtpServer::start(manner);
        let mut sender = Sender::new(with(&server, tls, None));
        let mut quickest = Duration::MAX;
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(class(&sender.send().await), "accepted");
            quickest = quickest.min(begun.elapsed());
        }
        assert!(quickest < Duration::from_millis(30), "{tls:?} {quickest:?}");
    }
}

/// E21: an envelope with 77 recipients.
#[tokio::test]
async fn every_envelope_has_exactly_one_recipient() {
    let server = SmtpServer::start(Manner::default());
    let mut sender = Sender::new(settings(&server));
    for number in 0..20 {
        let to = format!("person{number}@customer.example");
        assert_eq!(class(&sender.send_to(&to, MESSAGE).await), "accepted");
    }
    let received = server.received.all();
    assert_eq!(received.len(), 20);
    for (number, message) in received.iter().enumerate() {
        assert_eq!(message.to, [format!("TO:<person{number}@customer.example>")]);
    }
}

#[tokio::test]
async fn one_session_carries_many_messages_without_asking_for_more_than_needed() {
    let server = SmtpServer::start(Manner::default());
    let mut sender = Sender::new(settings(&server));
    for _ in 0..5 {
        assert_eq!(class(&sender.send().await), "accepted");
    }
    assert_eq!(server.connections(), 1);
    let verbs: Vec<String> =
        server.commands.all().iter().map(|(_, line)| line[..4].into()).collect();
    assert_eq!(verbs[..3], ["EHLO", "STAR", "EHLO"]);
    assert_eq!(verbs[3..].concat(), "MAILRCPTDATA".repeat(5));
    sender.session.take().unwrap().close().await;
    assert_eq!(server.commands.all().last().unwrap().1, "QUIT");
}

#[tokio::test]
async fn after_a_refusal_the_session_is_cleared_and_goes_on() {
    let server = SmtpServer::reacting(Manner::default(), |moment| {
        match (moment.step, moment.said.contains("gone@")) {
            (Step::Rcpt, true) => Reaction::Say("550 5.1.1 Nobody here"),
            _ => Reaction::Usual,
        }
    });
    let mut sender = Sender::new(settings(&server));
    assert_eq!(class(&sender.send_to("gone@customer.example", MESSAGE).await), "refused");
    assert_eq!(class(&sender.send().await), "accepted");
    assert_eq!(server.connections(), 1);
    assert!(server.commands.all().iter().any(|(_, line)| line == "RSET"));
    assert_eq!(server.received.all()[0].to, ["TO:<Jo.Smith@customer.example>"]);
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_opened_anew_before_anything_is_lost() {
    // E45
    for farewell in [
        Reaction::Close,
        Reaction::Reset,
        Reaction::SayAndClose("421 4.4.2 Idle for too long"),
        Reaction::Raw(b"\xff\xfe what\r\n"),
    ] {
        let said = farewell.clone();
        let server = SmtpServer::reacting(Manner::default(), move |moment| {
            match (moment.connection, moment.message, moment.step) {
                (0, 1, Step::Mail) => said.clone(),
                _ => Reaction::Usual,
            }
        });
        let mut sender = Sender::new(settings(&server));
        assert_eq!(class(&sender.send().await), "accepted");
        assert_eq!(class(&sender.send().await), "accepted", "{farewell:?}");
        let connections: Vec<usize> =
            server.received.all().iter().map(|message| message.connection).collect();
        assert_eq!(connections, [0, 1], "{farewell:?}");
    }
}

#[tokio::test]
async fn a_session_that_was_idle_for_too_long_is_not_used_again() {
    // E45
    let server = SmtpServer::start(Manner::default());
    let mut settings = settings(&server);
    settings.limits.idle = Duration::ZERO;
    let mut sender = Sender::new(settings);
    assert_eq!(class(&sender.send().await), "accepted");
    assert_eq!(class(&sender.send().await), "accepted");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_internationalised_domain_goes_out_in_ascii() {
    let server = SmtpServer::start(Manner { offers: &["STARTTLS"], ..Manner::default() });
    let mut sender = Sender::new(settings(&server));
    assert_eq!(class(&sender.send_to("Jo@bücher.example", MESSAGE).await), "accepted");
    assert_eq!(server.received.all()[0].to, ["TO:<Jo@xn--bcher-kva.example>"]);
}

#[tokio::test]
async fn an_internationalised_local_part_needs_a_server_that_takes_it() {
    let able = SmtpServer::start(Manner::default());
    let mut sender = Sender::new(settings(&able));
    assert_eq!(class(&sender.send_to("用户@bücher.example", MESSAGE).await), "accepted");
    let received = able.received.all().clone();
    assert_eq!(received[0].to, ["TO:<用户@xn--bcher-kva.example>"]);
    assert_eq!(received[0].from, "FROM:<support@books.example> SMTPUTF8");

    let unable = SmtpServer::start(Manner { offers: &["STARTTLS"], ..Manner::default() });
    let mut sender = Sender::new(settings(&unable));
    let outcome = sender.send_to("用户@bücher.example", MESSAGE).await;
    assert_eq!(class(&outcome), "refused");
    assert!(why(&outcome).contains("SMTPUTF8") && !why(&outcome).contains("用户"), "{outcome:?}");
    assert_eq!(class(&sender.send().await), "accepted", "the others go on");
    assert_eq!(unable.connections(), 1);
}

#[tokio::test]
async fn a_message_of_8_bits_needs_a_server_that_takes_it() {
    let message = "Subject: Hello\r\n\r\nGrüße\r\n".as_bytes();
    let able = SmtpServer::start(Manner::default());
    let mut sender = Sender::new(settings(&able));
    assert_eq!(class(&sender.send_to("jo@customer.example", message).await), "accepted");
    assert_eq!(able.received.all()[0].bytes, message);
    assert_eq!(able.received.all()[0].from, "FROM:<support@books.example> BODY=8BITMIME");
    let unable = SmtpServer::start(Manner { offers: &["STARTTLS"], ..Manner::default() });
    let mut sender = Sender::new(settings(&unable));
    let outcome = sender.send_to("jo@customer.example", message).await;
    assert_eq!(class(&outcome), "refused");
    assert!(why(&outcome).contains("8BITMIME"), "{outcome:?}");
}

#[tokio::test]
async fn commands_cannot_be_smuggled_in_with_a_message() {
    let server = SmtpServer::start(Manner::default());
    let mut sender = Sender::new(settings(&server));
    for message in [
        b"Subject: a\r\n\r\nb\n.\nMAIL FROM:<x@y.example>\r\n".as_slice(),
        b"Subject: a\r\n\r\nb\r.\rMAIL FROM:<x@y.example>\r\n",
        b"Subject: a\r\n\r\nb\n.\r\nMAIL FROM:<x@y.example>\r\n",
    ] {
        let outcome = sender.send_to("jo@customer.example", message).await;
        assert_eq!(class(&outcome), "refused", "{outcome:?}");
    }
    assert!(server.commands.all().is_empty());
}

#[test]
fn certificates_that_cannot_be_read_are_named_at_the_start() {
    worker::web::install();
    let server = SmtpServer::start(Manner::default());
    let empty = server.roots().with_file_name("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (path, reason) in [
        (empty, "there is no certificate in it"),
        (server.roots().with_file_name("none.pem"), "No such file"),
    ] {
        let mut settings = settings(&server);
        settings.roots = Some(path.clone());
        let Err(error) = Smtp::new(settings) else { panic!("{}", path.display()) };
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.remedy().contains("roots"));
    }
}
