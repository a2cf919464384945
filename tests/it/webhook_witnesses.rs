//! Others verify what we sign: the Rust library of Standard Webhooks, and the receivers in
//! docs/webhooks.md, as they stand there, in their own languages.

use std::io::Write;
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::json;
use standardwebhooks::Webhook;
use worker::clock::{Clock, SystemClock};
use worker::delivery::http::Limits;
use worker::delivery::signature::Secret;
use worker::delivery::webhook::{Endpoint, Settings};

use crate::support::http::{HttpServer, Reply, Request};
use crate::support::mail::PATIENT;

const DOCS: &str = include_str!("../../docs/webhooks.md");
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PLAIN: &str = "correct horse, battery & staple: ñ";
const STRANGER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BODY: &str = "{\"type\":\"ready\",\"name\":\"Müller & Søn\"}";

/// A request as it came in at a receiver.
async fn received(secrets: &[&str], at: DateTime<Utc>) -> Request {
    let server = HttpServer::replying(Reply::status(204));
    let settings = Settings {
        url: server.url("/hooks"),
        secrets: secrets.iter().map(|secret| Secret::parse(secret).unwrap()).collect(),
        private: true,
        limits: Limits { connect: PATIENT, whole: PATIENT },
    };
    Endpoint::new(settings).unwrap().deliver("msg-7", BODY.as_bytes(), at).await;
    let requests = server.requests.all();
    requests[0].clone()
}

#[tokio::test]
async fn the_library_of_standard_webhooks_verifies_each_signature() {
    let request = received(&[NEW, OLD, PLAIN], SystemClock.now()).await;
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.headers[name].parse().unwrap());
    }
    for webhook in [
        Webhook::new(NEW).unwrap(),
        Webhook::new(OLD).unwrap(),
        Webhook::from_bytes(PLAIN.into()).unwrap(),
    ] {
        webhook.verify(&request.body, &headers).unwrap();
        assert!(webhook.verify(b"{\"type\":\"removed\"}", &headers).is_err());
    }
    assert!(Webhook::new(STRANGER).unwrap().verify(&request.body, &headers).is_err());
}

/// The receiver of the page in one language.
fn receiver(language: &str) -> &'static str {
    let (_, block) = DOCS.split_once(&format!("```{language}\n")).expect(language);
    block.split("```").next().unwrap()
}

/// Runs a program with a text as its input; what it prints.
///
/// # Panics
/// It is not installed, or fails.
fn run(program: &str, package: &str, arguments: &[&str], input: &str) -> String {
    let child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!(
            "{program} ({error}) is not installed, and this test needs it: apt-get install \
             {package} (tests/run.sh does that)"
        )
    });
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{program}");
    String::from_utf8(done.stdout).unwrap()
}

/// What a receiver is asked, and what it has to say.
async fn questions() -> (String, Vec<bool>) {
    let at: DateTime<Utc> = "2026-11-23T20:00:00Z".parse().unwrap();
    let now = at.timestamp();
    let both = received(&[NEW, OLD], at).await;
    let plain = received(&[PLAIN], at).await;
    let mut altered = both.clone();
    altered.body[2] ^= 1;
    let mut renamed = both.clone();
    renamed.headers.insert("webhook-id".into(), "msg-8".into());
    let asked = [
        (NEW, &both, now, true),
        (OLD, &both, now + 299, true),
        (PLAIN, &plain, now, true),
        (STRANGER, &both, now, false),
        (OLD, &plain, now, false),
        (OLD, &both, now + 301, false),
        (OLD, &both, now - 301, false),
        (OLD, &altered, now, false),
        (OLD, &renamed, now, false),
    ];
    let questions: Vec<_> = asked
        .iter()
        .map(|(secret, request, now, _)| {
            let body = String::from_utf8_lossy(&request.body);
            json!({"secret": secret, "headers": request.headers, "body": body, "now": now})
        })
        .collect();
    (json!(questions).to_string(), asked.iter().map(|(.., expected)| *expected).collect())
}

#[tokio::test]
async fn the_receiver_in_python_that_the_page_shows_verifies() {
    let (questions, expected) = questions().await;
    let program = format!(
        "{}\nimport json, sys\nprint(json.dumps([verify(q['secret'], q['headers'], \
         q['body'].encode(), q['now']) for q in json.load(sys.stdin)]))",
        receiver("python")
    );
    let said = run("python3", "python3", &["-c", &program], &questions);
    assert_eq!(serde_json::from_str::<Vec<bool>>(&said).unwrap(), expected);
}

#[tokio::test]
async fn the_receiver_in_javascript_that_the_page_shows_verifies() {
    let (questions, expected) = questions().await;
    let program = format!(
        "{}\nconst asked = JSON.parse(require('fs').readFileSync(0));\nconsole.log(JSON.stringify(\
         asked.map((q) => verify(q.secret, q.headers, Buffer.from(q.body), q.now))));",
        receiver("javascript")
    );
    let said = run("node", "nodejs", &["-e", &program], &questions);
    assert_eq!(serde_json::from_str::<Vec<bool>>(&said).unwrap(), expected);
}
