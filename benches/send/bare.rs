//! The same number of messages of the same size by the same clients, eight at a time, and
//! nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use worker::clock::{Clock, SystemClock};
use worker::delivery::http;
use worker::delivery::outcome::Outcome;
use worker::delivery::signature::Secret;
use worker::delivery::smtp::{Limits, Settings, Smtp, Tls};
use worker::delivery::webhook::{self, Endpoint};

use crate::campaign::{HOOK_SECRET, IN_FLIGHT, Way};
use crate::sinks::Sinks;

/// About as long as a digest of one connection, in HTML and text.
const MAIL_BYTES: usize = 12_000;
const BODY_BYTES: usize = 1_300;

pub async fn send(way: Way, count: usize, sinks: &Sinks) -> Result<Duration> {
    let left = Arc::new(AtomicUsize::new(count));
    let before = sinks.taken();
    let started = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let left = Arc::clone(&left);
        let (smtp_port, http_port) = (sinks.smtp_port, sinks.http_port);
        senders.spawn(async move {
            match way {
                Way::Mail => mails(smtp_port, &left).await,
                Way::Webhook => hooks(http_port, &left).await,
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let took = started.elapsed();
    ensure!(sinks.taken() - before == count, "not all arrived");
    Ok(took)
}

/// Takes one of those that are left.
fn next(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

async fn mails(port: u16, left: &AtomicUsize) -> Result<()> {
    let smtp = Smtp::new(Settings {
        host: "localhost".to_owned(),
        port,
        tls: Tls::None,
        login: None,
        hello: None,
        roots: None,
        limits: Limits::default(),
    })?;
    let mut message = b"Subject: Hello\r\n\r\n".to_vec();
    while message.len() < MAIL_BYTES {
        message.extend_from_slice(b"A line as long as those of a message that was wrapped.\r\n");
    }
    let (from, to) = ("a@books.example".parse()?, "b@customer.example".parse()?);
    let mut session = None;
    while next(left) {
        let outcome = smtp.send(&mut session, &from, &to, &message).await;
        ensure!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    Ok(())
}

async fn hooks(port: u16, left: &AtomicUsize) -> Result<()> {
    let endpoint = Endpoint::new(webhook::Settings {
        url: format!("http://127.0.0.1:{port}/hook").parse()?,
        secrets: vec![Secret::parse(HOOK_SECRET)?],
        private: true,
        limits: http::Limits::default(),
    })?;
    let body = vec![b' '; BODY_BYTES];
    while next(left) {
        let outcome = endpoint.deliver("bare", &body, SystemClock.now()).await;
        ensure!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    Ok(())
}
