//! Mail servers that fail: whatever they do at whatever step, it is known whether the message
//! went out, and it is known to be unknown where nobody can tell. One test for each class of
//! outcome and each way of failing (E23, E27, E28).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use worker::delivery::outcome::Outcome;
use worker::delivery::smtp::{Limits, Settings, Tls};

use crate::support::mail::{MESSAGE, SHORT, Sender, class, login, settings, why};
use crate::support::smtp::{Manner, Reaction, SmtpServer, Step};

/// Every step at which the server speaks, and what silence or a broken connection there
/// comes to.
const STEPS: [(Step, &str); 9] = [
    (Step::Banner, "down"),
    (Step::Ehlo, "down"),
    (Step::Starttls, "down"),
    (Step::Tls, "down"),
    (Step::Auth, "down"),
    (Step::Mail, "down"),
    (Step::Rcpt, "deferred"),
    (Step::Data, "deferred"),
    (Step::Dot, "unknown"),
];

const MANNER: Manner = Manner {
    offers: &["STARTTLS", "AUTH PLAIN"],
    implicit: false,
    login: Some(("u", "hushhush")),
    name: "localhost",
};

/// A server that reacts in one way at one step.
fn at(step: Step, reaction: Reaction) -> SmtpServer {
    SmtpServer::reacting(MANNER, move |moment| {
        if moment.step == step { reaction.clone() } else { Reaction::Usual }
    })
}

fn sender(server: &SmtpServer) -> Settings {
    Settings { login: login("u", "hushhush"), ..settings(server) }
}

/// With a short limit for one step alone.
fn short(limits: &mut Limits, step: Step) {
    *match step {
        Step::Banner | Step::Ehlo => &mut limits.greeting,
        Step::Starttls | Step::Tls => &mut limits.tls,
        Step::Auth => &mut limits.login,
        Step::Message => &mut limits.message,
        Step::Dot => &mut limits.answer,
        _ => &mut limits.command,
    } = SHORT;
}

/// Sends one message to a server, and says what came of it.
async fn outcome(server: &SmtpServer) -> Outcome {
    Sender::new(sender(server)).send().await
}

#[tokio::test]
async fn a_server_that_hangs_at_any_step_is_left_after_that_steps_limit() {
    for (step, expected) in STEPS {
        let server = at(step, Reaction::Hang);
        let mut settings = sender(&server);
        short(&mut settings.limits, step);
        let outcome = Sender::new(settings).send().await;
        assert_eq!(class(&outcome), expected, "{step:?} {outcome:?}");
        assert!(why(&outcome).contains("no answer within"), "{step:?} {outcome:?}");
        assert_eq!(server.received.all().len(), usize::from(step == Step::Dot));
    }
}

#[tokio::test]
async fn a_server_that_closes_or_resets_at_any_step_delivered_nothing_before_the_final_dot() {
    for (step, expected) in STEPS {
        for reaction in [Reaction::Close, Reaction::Reset] {
            let server = at(step, reaction.clone());
            let outcome = outcome(&server).await;
            assert_eq!(class(&outcome), expected, "{step:?} {reaction:?} {outcome:?}");
            assert_eq!(server.received.all().len(), usize::from(step == Step::Dot));
        }
    }
}

#[tokio::test]
async fn a_server_that_answers_with_nonsense_at_any_step_is_not_believed() {
    for (step, expected) in STEPS {
        let nonsense: [&'static [u8]; 6] = [
            b"hello?\r\n",
            b"\xff\xfe\x00\r\n",
            b"999 what\r\n",
            b"2\r\n",
            b"250-one\r\n550 two\r\n",
            b"334 who\r\n",
        ];
        for bytes in nonsense {
            let is_334 = bytes.starts_with(b"334");
            if is_334 && matches!(step, Step::Banner | Step::Starttls | Step::Auth) {
                // It makes sense at a login. Of a greeting and of STARTTLS the code does not
                // matter, as what follows them tells.
                continue;
            }
            let server = at(step, Reaction::Raw(bytes));
            let mut settings = sender(&server);
            // After some of it the server waits for us and we for it.
            short(&mut settings.limits, step);
            let outcome = Sender::new(settings).send().await;
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(class(&outcome), expected, "{step:?} {text:?} {outcome:?}");
            assert!(!why(&outcome).contains(char::is_control), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    for (step, expected) in STEPS {
        let long: &'static [u8] = vec![b'2'; 200_000].leak();
        let server = at(step, Reaction::Raw(long));
        let mut settings = sender(&server);
        short(&mut settings.limits, step);
        let outcome = Sender::new(settings).send().await;
        assert_eq!(class(&outcome), expected, "{step:?}");
        assert!(why(&outcome).len() < 500, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_answers_slowly_is_waited_for_as_long_as_the_limit() {
    for (step, expected) in STEPS.into_iter().filter(|(step, _)| *step != Step::Tls) {
        let server = at(step, Reaction::Slowly(Duration::from_millis(1)));
        assert_eq!(class(&outcome(&server).await), "accepted", "{step:?}");
        let server = at(step, Reaction::Slowly(Duration::from_secs(5)));
        let mut settings = sender(&server);
        short(&mut settings.limits, step);
        let outcome = Sender::new(settings).send().await;
        assert_eq!(class(&outcome), expected, "{step:?} {outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_in_the_middle_of_a_message_got_none() {
    let server = at(Step::Message, Reaction::Hang);
    let mut settings = sender(&server);
    short(&mut settings.limits, Step::Message);
    let message = [b"Subject: long\r\n\r\n", "word\r\n".repeat(4_000_000).as_bytes()].concat();
    let outcome = Sender::new(settings).send_to("jo@customer.example", &message).await;
    assert_eq!(class(&outcome), "deferred", "{outcome:?}");
    assert!(why(&outcome).starts_with("writing the message: no answer within"), "{outcome:?}");
    let server = at(Step::Message, Reaction::Reset);
    let outcome = Sender::new(sender(&server)).send_to("jo@customer.example", &message).await;
    assert_eq!(class(&outcome), "deferred", "{outcome:?}");
    assert!(server.received.all().is_empty());
}

#[tokio::test]
async fn a_refusal_is_for_good_for_now_or_of_the_way_by_its_step_and_code() {
    for (step, said, expected) in [
        (Step::Banner, "554 5.3.2 Not you", "down"),
        (Step::Banner, "421 4.3.2 Closing", "down"),
        (Step::Ehlo, "550 5.7.1 Not you", "down"),
        (Step::Starttls, "454 4.7.0 TLS not available", "down"),
        (Step::Auth, "535 5.7.8 Wrong password", "down"),
        (Step::Auth, "454 4.7.0 Later", "down"),
        (Step::Mail, "550 5.7.1 You may not send as this", "down"),
        (Step::Mail, "530 5.7.0 Log in first", "down"),
        (Step::Mail, "451 4.3.0 Later", "deferred"),
        (Step::Rcpt, "550 5.1.1 No such user", "refused"),
        (Step::Rcpt, "553 5.1.3 Bad address", "refused"),
        (Step::Rcpt, "450 4.2.1 Grey list", "deferred"),
        (Step::Rcpt, "452 4.2.2 Mailbox full", "deferred"),
        (Step::Rcpt, "421 4.7.0 Too many", "down"),
        (Step::Data, "554 5.5.1 No valid recipients", "refused"),
        (Step::Data, "451 4.3.0 Later", "deferred"),
        (Step::Data, "250 2.0.0 Out of step", "deferred"),
        (Step::Dot, "554 5.7.1 Looks like spam", "refused"),
        (Step::Dot, "552 5.3.4 Too big", "refused"),
        (Step::Dot, "451 4.3.0 Later", "deferred"),
        (Step::Dot, "421 4.3.2 Closing", "down"),
        (Step::Dot, "354 Go on", "unknown"),
        (Step::Dot, "250 2.0.0 Ok", "accepted"),
    ] {
        let server = at(step, Reaction::Say(said));
        let outcome = outcome(&server).await;
        assert_eq!(class(&outcome), expected, "{step:?} {said} {outcome:?}");
        assert!(why(&outcome).contains(&said[4..]), "{step:?} {said} {outcome:?}");
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_message() {
    let server = SmtpServer::start(Manner { offers: &["AUTH PLAIN"], ..MANNER });
    let outcome = outcome(&server).await;
    assert_eq!(class(&outcome), "down");
    assert!(why(&outcome).contains("does not offer STARTTLS"), "{outcome:?}");
    let commands: Vec<String> = server.commands.all().iter().map(|(_, it)| it.clone()).collect();
    assert_eq!(commands, ["EHLO worker.books.example"]);
}

#[tokio::test]
async fn a_certificate_of_a_stranger_or_for_another_name_is_refused() {
    let implicit = Manner { implicit: true, offers: &[], ..Manner::default() };
    for (manner, tls) in [(Manner::default(), Tls::Starttls), (implicit, Tls::Implicit)] {
        let server = SmtpServer::start(manner.clone());
        let stranger = Settings { tls, roots: None, ..settings(&server) };
        let elsewhere = SmtpServer::start(Manner { name: "other.example", ..manner });
        let other_name = Settings { tls, ..settings(&elsewhere) };
        for settings in [stranger, other_name] {
            let outcome = Sender::new(settings).send().await;
            assert_eq!(class(&outcome), "down", "{tls:?} {outcome:?}");
            assert!(why(&outcome).contains("certificate"), "{tls:?} {outcome:?}");
        }
        assert!(server.received.all().is_empty() && elsewhere.received.all().is_empty());
    }
}

/// Somebody on the way can speak until the encryption begins, and not be heard after.
#[tokio::test]
async fn words_slipped_in_before_the_encryption_are_not_believed() {
    let slipped_in = b"220 Ready\r\n250-localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n";
    for (manner, expected) in [(MANNER, "down"), (Manner::default(), "deferred")] {
        let login = manner.login.and_then(|(user, password)| login(user, password));
        let server = SmtpServer::reacting(manner, |moment| match moment.step {
            Step::Starttls => Reaction::Raw(slipped_in),
            _ => Reaction::Usual,
        });
        let outcome = Sender::new(Settings { login, ..settings(&server) }).send().await;
        assert_eq!(class(&outcome), expected, "{outcome:?}");
        assert!(server.received.all().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_way_that_is_down_and_stays_unsaid() {
    let server = SmtpServer::reacting(MANNER, |moment| match moment.step {
        Step::Auth => Reaction::Say("535 5.7.8 u/hushhosh is wrong"),
        _ => Reaction::Usual,
    });
    let outcome =
        Sender::new(Settings { login: login("u", "hushhosh"), ..settings(&server) }).send().await;
    assert_eq!(class(&outcome), "down");
    assert!(why(&outcome).contains("logging in") && !why(&outcome).contains("hushhosh"));
}

#[tokio::test]
async fn nobody_listening_is_a_way_that_is_down() {
    let server = SmtpServer::start(MANNER);
    let settings = sender(&server);
    let mut settings = Sender::new(settings);
    drop(server);
    let outcome = settings.send().await;
    assert_eq!(class(&outcome), "down");
    assert!(why(&outcome).starts_with("connecting to the mail server"), "{outcome:?}");
}

/// E31: servers repeat the address, and logs keep it.
#[tokio::test]
async fn no_address_that_a_server_repeats_gets_into_an_outcome() {
    let said = "<Jo.Smith@customer.example>: jo.smith unknown, ask postmaster@customer.example";
    for (step, code) in [(Step::Rcpt, 550), (Step::Rcpt, 450), (Step::Dot, 554), (Step::Dot, 250)] {
        let line: &'static str = format!("{code} {said}").leak();
        let outcome = outcome(&at(step, Reaction::Say(line))).await;
        let why = why(&outcome).to_lowercase();
        assert!(!why.contains("smith") && !why.contains('@'), "{why}");
        assert!(why.contains("unknown, ask"), "{why}");
    }
}

#[tokio::test]
async fn one_bad_recipient_does_not_stop_the_others() {
    let server = SmtpServer::reacting(MANNER, |moment| match moment.step {
        Step::Rcpt if moment.said.contains("bad") => Reaction::Say("550 5.1.1 No"),
        Step::Rcpt if moment.said.contains("broken") => Reaction::Close,
        _ => Reaction::Usual,
    });
    let mut sender = Sender::new(sender(&server));
    let mut classes = Vec::new();
    for name in ["one", "bad", "two", "broken", "three"] {
        let to = format!("{name}@customer.example");
        classes.push(class(&sender.send_to(&to, MESSAGE).await));
    }
    assert_eq!(classes, ["accepted", "refused", "accepted", "deferred", "accepted"]);
    assert_eq!(server.received.all().len(), 3);
}

/// Where the tests of crashes end the worker: the message is in, the answer is not out.
#[tokio::test]
async fn the_server_can_be_stopped_between_the_message_and_the_answer() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let server = SmtpServer::reacting(MANNER, move |moment| {
        if moment.step == Step::Dot {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Reaction::Usual
    });
    assert_eq!(class(&outcome(&server).await), "accepted");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn sending_that_is_given_up_before_the_end_of_the_message_delivers_nothing() {
    let server = at(Step::Data, Reaction::Hang);
    let mut sender = Sender::new(sender(&server));
    assert!(tokio::time::timeout(SHORT * 4, sender.send()).await.is_err());
    assert!(sender.session.is_none(), "the connection went with it");
    assert!(server.received.all().is_empty());
}
