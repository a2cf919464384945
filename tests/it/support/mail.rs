//! What the tests of mail share: a sender's settings, messages, and an outcome in one word.

use std::time::Duration;

use worker::delivery::outcome::Outcome;
use worker::delivery::smtp::{Limits, Login, Session, Settings, Smtp, Tls};
use worker::domain::address::Address;

use super::smtp::SmtpServer;

pub const MESSAGE: &[u8] = b"Subject: Hello\r\n\r\nHello.\r\n.hidden\r\n..\r\n.\r\nBye.\r\n";

/// Long enough for a busy machine.
pub const PATIENT: Duration = Duration::from_secs(30);

/// Short enough to wait for.
pub const SHORT: Duration = Duration::from_millis(150);

pub fn patient() -> Limits {
    Limits {
        connect: PATIENT,
        greeting: PATIENT,
        tls: PATIENT,
        login: PATIENT,
        command: PATIENT,
        message: PATIENT,
        answer: PATIENT,
        idle: PATIENT,
    }
}

pub fn settings(server: &SmtpServer) -> Settings {
    Settings {
        host: "localhost".to_owned(),
        port: server.port,
        tls: Tls::Starttls,
        login: None,
        hello: Some("worker.books.example".to_owned()),
        roots: Some(server.roots()),
        limits: patient(),
    }
}

pub fn login(username: &str, password: &str) -> Option<Login> {
    Some(Login { username: username.to_owned(), password: password.into() })
}

pub fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// A sender with its session.
pub struct Sender {
    pub smtp: Smtp,
    pub session: Option<Session>,
}

impl Sender {
    /// # Panics
    /// The settings cannot work.
    pub fn new(settings: Settings) -> Self {
        worker::web::install();
        let smtp = Smtp::new(settings).unwrap_or_else(|error| panic!("{error}"));
        Self { smtp, session: None }
    }

    pub async fn send_to(&mut self, to: &str, message: &[u8]) -> Outcome {
        let from = address("support@books.example");
        self.smtp.send(&mut self.session, &from, &address(to), message).await
    }

    pub async fn send(&mut self) -> Outcome {
        self.send_to("Jo.Smith@customer.example", MESSAGE).await
    }
}

/// An outcome in one word.
pub fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Refused { .. } => "refused",
        Outcome::Deferred { channel_down: true, .. } => "down",
        Outcome::Deferred { .. } => "deferred",
        Outcome::Unknown { .. } => "unknown",
    }
}

/// What a log would say of it.
pub fn why(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Accepted { reference } => reference.as_deref().unwrap_or_default(),
        Outcome::Refused { why } | Outcome::Deferred { why, .. } | Outcome::Unknown { why } => why,
    }
}
