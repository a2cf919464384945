//! Webhooks: signed so that others can verify, kept out of private networks, and never lost
//! for what a receiver does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use worker::delivery::http::Limits;
use worker::delivery::outcome::Outcome;
use worker::delivery::signature::Secret;
use worker::delivery::webhook::{Endpoint, Settings};

use crate::support::http::{HttpServer, Reply, Request};
use crate::support::mail::{PATIENT, SHORT, class, why};

const ID: &str = "0192d0f0-0000-7000-8000-000000000007";
const BODY: &[u8] = br#"{"type":"ready","timestamp":"2026-11-23T20:00:00Z","data":{}}"#;

fn settings(url: url::Url) -> Settings {
    Settings {
        url,
        secrets: vec![Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()],
        private: true,
        limits: Limits { connect: PATIENT, whole: PATIENT },
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-23T20:00:00Z".parse().unwrap()
}

async fn delivered(settings: Settings) -> Outcome {
    worker::web::install();
    Endpoint::new(settings).unwrap().deliver(ID, BODY, now()).await
}

#[tokio::test]
async fn every_delivery_has_the_same_id_and_body_and_its_own_time() {
    let server = HttpServer::replying(Reply::status(204));
    let endpoint = Endpoint::new(settings(server.url("/hooks"))).unwrap();
    for minutes in [0, 5] {
        let at = now() + chrono::TimeDelta::minutes(minutes);
        let outcome = endpoint.deliver(ID, BODY, at).await;
        assert_eq!(outcome, Outcome::Accepted { reference: None });
    }
    let requests = server.requests.all();
    let header = |request: &Request, name: &str| request.headers[name].clone();
    for (request, time) in requests.iter().zip(["1795464000", "1795464300"]) {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hooks"));
        assert_eq!(header(request, "webhook-id"), ID);
        assert_eq!(header(request, "webhook-timestamp"), time);
        assert_eq!(header(request, "content-type"), "application/json");
        assert_eq!(request.body, BODY);
    }
    assert_ne!(
        header(&requests[0], "webhook-signature"),
        header(&requests[1], "webhook-signature")
    );
    assert_eq!(requests[0].connection, requests[1].connection, "the connection is used again");
}

#[tokio::test]
async fn each_status_has_its_class_of_outcome_and_none_is_for_good() {
    for (statuses, expected) in [
        (&[200, 201, 202, 204][..], "accepted"),
        (&[301, 302, 307, 308, 401, 403, 404, 405, 410], "down"),
        (&[400, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504], "deferred"),
    ] {
        for status in statuses {
            let server = HttpServer::replying(Reply::status(*status));
            let outcome = delivered(settings(server.url("/"))).await;
            assert_eq!(class(&outcome), expected, "{status} {outcome:?}");
            assert_eq!(server.requests.all().len(), 1, "{status}: nothing is repeated here");
        }
    }
}

#[tokio::test]
async fn a_wish_to_be_asked_later_is_passed_on_within_bounds() {
    for (status, said, expected) in [
        (429, "120", Some(120)),
        (503, "Mon, 23 Nov 2026 21:00:00 GMT", Some(3600)),
        (503, "31536000", Some(24 * 3600)),
        (410, "60", Some(60)),
        (500, "whenever", None),
    ] {
        let reply = Reply::Answer(status, vec![("retry-after", said.into())], String::new());
        let server = HttpServer::replying(reply);
        let outcome = delivered(settings(server.url("/"))).await;
        let Outcome::Deferred { retry_after, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{status} {said}");
    }
}

#[tokio::test]
async fn a_webhook_that_redirects_to_an_internal_address_leads_nowhere() {
    let inside = HttpServer::replying(Reply::status(200));
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = vec![("location", inside.url("/latest/meta-data").to_string())];
        let server = HttpServer::replying(Reply::Answer(status, elsewhere, String::new()));
        let outcome = delivered(settings(server.url("/"))).await;
        assert_eq!(class(&outcome), "down");
        assert!(why(&outcome).contains("redirects are not followed"), "{outcome:?}");
    }
    assert!(inside.requests.all().is_empty());
}

#[tokio::test]
async fn an_answer_that_streams_for_ever_counts_by_its_status_and_is_dropped() {
    for (reply, expected) in [(Reply::Endless(200), "accepted"), (Reply::Endless(500), "deferred")]
    {
        let server = HttpServer::replying(reply);
        assert_eq!(class(&delivered(settings(server.url("/"))).await), expected);
    }
    let server = HttpServer::replying(Reply::Half(200));
    let limits = Limits { connect: PATIENT, whole: SHORT * 4 };
    let outcome = delivered(Settings { limits, ..settings(server.url("/")) }).await;
    assert_eq!(class(&outcome), "accepted", "the status was said");
}

/// It may be delivered again, under the same id: so it is not unknown, and not lost.
#[tokio::test]
async fn a_receiver_that_hangs_resets_or_talks_nonsense_is_tried_again_later() {
    for reply in [
        Reply::Hang,
        Reply::Close,
        Reply::Raw(b"\xff\xfe\r\n\r\n"),
        Reply::Raw(b"HTTP/1.1 200 O"),
        Reply::Slowly(200, Duration::from_secs(5)),
    ] {
        let server = HttpServer::replying(reply.clone());
        let mut settings = settings(server.url("/"));
        if matches!(reply, Reply::Hang | Reply::Slowly(..)) {
            settings.limits.whole = SHORT * 4;
        }
        let outcome = delivered(settings).await;
        assert_eq!(class(&outcome), "deferred", "{reply:?} {outcome:?}");
    }
    let server = HttpServer::replying(Reply::status(200));
    let gone = server.url("/");
    drop(server);
    assert_eq!(class(&delivered(settings(gone)).await), "down");
}

#[tokio::test]
async fn private_networks_are_refused_as_numbers_and_as_names() {
    let server = HttpServer::replying(Reply::status(200));
    let port = server.port;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"] {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        let outcome = delivered(Settings { private: false, ..settings(url) }).await;
        assert_eq!(class(&outcome), "down", "{host}");
        assert!(why(&outcome).contains("not a public address"), "{host} {outcome:?}");
        assert!(why(&outcome).contains("private = true"), "{host} {outcome:?}");
    }
    assert!(server.requests.all().is_empty());
    let localhost = format!("http://localhost:{port}/").parse().unwrap();
    assert_eq!(class(&delivered(settings(localhost)).await), "accepted", "where it is allowed");
}

#[tokio::test]
async fn a_strangers_certificate_and_a_secret_in_the_address_stay_out_of_the_reason() {
    let stranger = HttpServer::encrypted("localhost", Reply::status(200));
    let mut url = stranger.url("/hooks");
    url.set_query(Some("key=hushhush"));
    let outcome = delivered(settings(url)).await;
    assert_eq!(class(&outcome), "down", "{outcome:?}");
    assert!(!why(&outcome).contains("hush"), "{outcome:?}");
    assert!(stranger.requests.all().is_empty());
}
