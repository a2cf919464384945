//! E-mail through a provider's HTTP API: what is asked, and what each answer comes to.

use std::time::Duration;

use serde_json::{Value, json};
use worker::delivery::http::Limits;
use worker::delivery::http_mail::{HttpMail, Settings};
use worker::delivery::message::{Mailbox, Message};
use worker::delivery::outcome::Outcome;
use worker::domain::request_body::RequestBody;

use crate::support::http::{HttpServer, Reply};
use crate::support::mail::{PATIENT, SHORT, address, class, why};

const TOKEN: &str = "hushhush-token";

fn settings(server: &HttpServer) -> Settings {
    Settings {
        url: server.url("/v1/send"),
        token: Some(TOKEN.into()),
        body: RequestBody::default(),
        id_field: "id".into(),
        limits: Limits { connect: PATIENT, whole: PATIENT },
    }
}

fn message() -> Message {
    Message {
        id: uuid::Uuid::from_u128(7),
        from: Mailbox {
            name: Some("Acme Books".into()),
            address: address("support@books.example"),
        },
        to: Mailbox {
            name: Some("Jo \"the boss\"\r\nBcc: all@books.example".into()),
            address: address("Jo.Smith@bücher.example"),
        },
        reply_to: Some(Mailbox { name: None, address: address("help@books.example") }),
        list: "xero.books.example".into(),
        date: "2026-11-23T20:00:00Z".parse().unwrap(),
        subject: "Grüße\r\nX-Injected: yes".into(),
        text: "Hello \"there\"\n\\".into(),
        html: "<p>Hello</p>".into(),
    }
}

async fn sent(settings: Settings) -> Outcome {
    worker::web::install();
    let mail = HttpMail::new(settings).unwrap();
    mail.send(&message(), "2026-11-23T20:00:00Z".parse().unwrap()).await
}

#[tokio::test]
async fn the_request_says_who_what_and_under_which_key() {
    let server = HttpServer::replying(Reply::json(200, &json!({"id": "em_1"})));
    let outcome = sent(settings(&server)).await;
    assert_eq!(outcome, Outcome::Accepted { reference: Some("em_1".into()) });
    let requests = server.requests.all();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/send"));
    assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(request.headers["idempotency-key"], message().id.to_string());
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({
            "from": "\"Acme Books\" <support@books.example>",
            "to": ["\"Jo 'the boss'  Bcc: all@books.example\" <Jo.Smith@xn--bcher-kva.example>"],
            "reply_to": "help@books.example",
            "subject": "Grüße  X-Injected: yes",
            "text": "Hello \"there\"\n\\",
            "html": "<p>Hello</p>",
            "headers": {
                "Message-ID": message().message_id(),
                "Auto-Submitted": "auto-generated",
                "List-Id": "<xero.books.example>",
            },
        })
    );
}

#[tokio::test]
async fn the_body_is_the_templates_and_the_providers_name_is_found_where_it_is_said_to_be() {
    for (id_field, reply, reference) in [
        ("messages.0.id", Reply::json(200, &json!({"messages": [{"id": 12}]})), Some("12")),
        (
            "header:X-Message-Id",
            Reply::Answer(202, vec![("x-message-id", "a1".into())], "".into()),
            Some("a1"),
        ),
        ("id", Reply::status(202), None),
        ("id", Reply::json(200, &json!({"id": {"not": "a name"}})), None),
        ("a.b.c", Reply::json(200, &json!([1])), None),
        ("id", Reply::Answer(200, vec![], "<html>".into()), None),
    ] {
        let server = HttpServer::replying(reply);
        let template = "{\"personalizations\": [{\"to\": [{\"email\": {{ to.address | tojson }}}]}], \"key\": {{ idempotency_key | tojson }}}";
        let body = RequestBody::parse(template).unwrap();
        let outcome = sent(Settings { id_field: id_field.into(), body, ..settings(&server) }).await;
        assert_eq!(outcome, Outcome::Accepted { reference: reference.map(str::to_owned) });
        let sent: Value = serde_json::from_slice(&server.requests.all()[0].body).unwrap();
        assert_eq!(sent["personalizations"][0]["to"][0]["email"], "Jo.Smith@xn--bcher-kva.example");
        assert_eq!(sent["key"], message().id.to_string());
    }
}

#[tokio::test]
async fn each_status_has_its_class_of_outcome() {
    for (statuses, expected) in [
        (&[200, 201, 202][..], "accepted"),
        (&[400, 413, 422], "refused"),
        (&[301, 302, 307, 401, 402, 403, 404, 405], "down"),
        (&[408, 415, 425, 429, 503], "deferred"),
        (&[409, 500, 501, 502, 504, 599], "unknown"),
    ] {
        for status in statuses {
            let server = HttpServer::replying(Reply::status(*status));
            let outcome = sent(settings(&server)).await;
            assert_eq!(class(&outcome), expected, "{status} {outcome:?}");
            assert_eq!(server.requests.all().len(), 1, "{status}: nothing is repeated");
            if expected != "accepted" {
                assert!(why(&outcome).contains(&status.to_string()), "{outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_wish_to_be_asked_later_is_passed_on_within_bounds() {
    for (said, expected) in
        [("90", 90), ("Mon, 23 Nov 2026 20:10:00 GMT", 600), ("999999999", 24 * 3600)]
    {
        let reply = Reply::Answer(429, vec![("retry-after", said.into())], String::new());
        let server = HttpServer::replying(reply);
        let Outcome::Deferred { retry_after, .. } = sent(settings(&server)).await else { panic!() };
        assert_eq!(retry_after, Some(Duration::from_secs(expected)), "{said}");
    }
}

/// E23: accepted, and then no answer.
#[tokio::test]
async fn a_request_without_an_answer_is_unknown_and_never_repeated() {
    for reply in [
        Reply::Hang,
        Reply::Close,
        Reply::Raw(b"garbage\r\n\r\n"),
        Reply::Raw(b"HTTP/1.1 2"),
        Reply::Slowly(200, Duration::from_secs(5)),
    ] {
        let server = HttpServer::replying(reply.clone());
        let mut settings = settings(&server);
        if matches!(reply, Reply::Hang | Reply::Slowly(..)) {
            settings.limits.whole = SHORT * 4;
        }
        let outcome = sent(settings).await;
        assert_eq!(class(&outcome), "unknown", "{reply:?} {outcome:?}");
        assert_eq!(server.requests.all().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_counts_by_its_status() {
    for (reply, expected) in [
        (Reply::Endless(200), "accepted"),
        (Reply::Half(202), "accepted"),
        (Reply::Endless(422), "refused"),
    ] {
        let server = HttpServer::replying(reply.clone());
        let mut settings = settings(&server);
        if matches!(reply, Reply::Half(_)) {
            settings.limits.whole = SHORT * 4;
        }
        assert_eq!(class(&sent(settings).await), expected, "{reply:?}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_or_shows_a_strangers_certificate_is_down() {
    let gone = HttpServer::replying(Reply::status(200));
    let unreachable = settings(&gone);
    drop(gone);
    assert_eq!(class(&sent(unreachable).await), "down");
    let stranger = HttpServer::encrypted("localhost", Reply::status(200));
    let outcome = sent(settings(&stranger)).await;
    assert_eq!(class(&outcome), "down", "{outcome:?}");
    assert!(stranger.requests.all().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = HttpServer::replying(Reply::status(200));
    let elsewhere = vec![("location", target.url("/").to_string())];
    let server = HttpServer::replying(Reply::Answer(307, elsewhere, String::new()));
    assert_eq!(class(&sent(settings(&server)).await), "down");
    assert!(target.requests.all().is_empty());
}

/// E31.
#[tokio::test]
async fn what_a_provider_complains_about_names_nobody() {
    for (body, said) in [
        (json!({"message": "Invalid `to`: Jo.Smith@bücher.example"}), "Invalid `to`: [address]"),
        (json!({"error": {"message": "bad key hushhush-token"}}), "bad key [secret]"),
        (json!({"errors": [{"message": "jo.smith bounced"}]}), "[address] bounced"),
        (json!({"request": {"to": "jo.smith@x.example"}}), ""),
    ] {
        let server = HttpServer::replying(Reply::json(422, &body));
        let outcome = sent(settings(&server)).await;
        let why = why(&outcome);
        assert!(why.ends_with(said) && !why.contains('@') && !why.contains("hush"), "{why}");
    }
}

#[test]
fn the_page_shows_the_body_that_is_used_when_none_is_written() {
    let page = include_str!("../../docs/email.md");
    let (_, block) = page.split_once("```jinja\n").unwrap();
    let shown = block.split("\n```").next().unwrap();
    assert_eq!(RequestBody::parse(shown).unwrap(), RequestBody::default());
}
