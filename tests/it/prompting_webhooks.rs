//! Prompts that go to the product: signed, and the same again whenever they are told again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use worker::inventory::Column;

use crate::support::http::{Reply, Request};
use crate::support::line::{READY, line, lines};
use crate::support::sending::{BASES, BY_BOTH, BY_WEBHOOK, Base, HOOK_SECRET, Sending, well};
use crate::support::smtp::Reaction;

/// Answers the first webhook requests so, and all others well.
fn at_first(count: usize, reply: Reply) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    let seen = Arc::new(AtomicUsize::new(0));
    move |request| {
        let is_hook = request.path == "/hook";
        if is_hook && seen.fetch_add(1, Ordering::SeqCst) < count {
            reply.clone()
        } else {
            well(request)
        }
    }
}

async fn by_webhook(
    base: Base,
    people: usize,
    web: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Sending {
    let sending = Sending::with(base, &lines(0..people), |_| Reaction::Usual, web).await;
    sending.configure(&[BY_WEBHOOK]);
    sending.prepare();
    sending
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", String::as_str)
}

fn assert_same(one: &Request, other: &Request) {
    assert_eq!(header(one, "webhook-id"), header(other, "webhook-id"));
    assert_eq!(String::from_utf8_lossy(&one.body), String::from_utf8_lossy(&other.body));
}

#[tokio::test]
async fn a_prompt_by_webhook_arrives_once_and_signed() {
    for base in BASES {
        let sending = by_webhook(base, 3, well).await;
        assert_eq!(sending.ran(0)["prompts_sent"], 3);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        let hooks = sending.hooks();
        assert_eq!(hooks.len(), 3, "{base:?}");
        for hook in &hooks {
            let key = STANDARD.decode(HOOK_SECRET.trim_start_matches("whsec_")).unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            let signed =
                format!("{}.{}.", header(hook, "webhook-id"), header(hook, "webhook-timestamp"));
            mac.update(signed.as_bytes());
            mac.update(&hook.body);
            let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
            assert_eq!(header(hook, "webhook-signature"), expected);
            let body: Value = serde_json::from_slice(&hook.body).unwrap();
            assert_eq!(body["type"], "prompt", "{body}");
        }
        assert!(sending.recipients().is_empty());
    }
}

#[tokio::test]
async fn a_repeat_after_a_lost_answer_is_the_same_although_the_facts_have_changed() {
    for base in BASES {
        let sending = by_webhook(base, 1, at_first(1, Reply::Close)).await;
        assert_eq!(sending.ran(3)["failures"], 1);
        // Another name, another connection of the same person, and a new secret in front.
        let second = line(1)
            .with(Column::Email, "person0@example.com")
            .with(Column::XeroUserId, line(0).get(Column::XeroUserId).unwrap());
        sending.show(&[line(0).with(Column::TenantName, "Renamed"), second]);
        sending.configure(&[
            BY_WEBHOOK,
            (
                "[{ env = \"LINK_SECRET\" }]",
                "[{ env = \"NEW_SECRET\" }, { env = \"LINK_SECRET\" }]",
            ),
        ]);
        sending.retries_come_due().await;
        let mut command = sending.command(&["run-once", "--format", "json"]);
        command.env("NEW_SECRET", "another-secret-of-the-tests");
        let said = crate::support::said::Said::by(command);
        assert_eq!(said.code, Some(0), "{said}");
        let hooks = sending.hooks();
        assert_eq!(hooks.len(), 2, "{base:?}: {said}");
        assert_same(&hooks[0], &hooks[1]);
        let shown = "SELECT CAST(count(*) AS text) FROM prompt_connections";
        assert_eq!(sending.texts(shown).await, ["1"], "what it shows is written down once");
    }
}

#[tokio::test]
async fn a_worker_that_was_killed_in_the_middle_tells_the_same_again() {
    for base in BASES {
        let victim = crate::support::victim::Victim::default();
        let (killer, armed) = (victim.clone(), AtomicUsize::new(1));
        let web = move |request: &Request| {
            if request.path == "/hook" && armed.swap(0, Ordering::SeqCst) == 1 {
                killer.kill();
            }
            well(request)
        };
        let sending = by_webhook(base, 1, web).await;
        let (status, said) = victim.run(sending.command(&["run-once"]), |_| {});
        assert_eq!(status.code(), None, "{said}");
        sending.leases_run_out().await;
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        let hooks = sending.hooks();
        assert_eq!(hooks.len(), 2, "{base:?}");
        assert_same(&hooks[0], &hooks[1]);
    }
}

#[tokio::test]
async fn somebody_who_became_ready_before_the_repeat_is_not_told_again() {
    let sending = by_webhook(Base::Sqlite, 1, at_first(1, Reply::status(500))).await;
    sending.ran(3);
    sending.show(&[line(0).with(Column::Scopes, format!("{READY} accounting.contacts"))]);
    sending.retries_come_due().await;
    assert_eq!(sending.ran(0)["prompts_sent"], 0);
    let types: Vec<String> = sending.hooks().iter().map(kind).collect();
    assert_eq!(types, ["prompt", "ready"], "the banner goes, and nobody is asked again");
}

#[tokio::test]
async fn a_repeat_that_cannot_be_the_same_waits_for_its_secret() {
    let sending = by_webhook(Base::Sqlite, 1, at_first(1, Reply::Close)).await;
    sending.ran(3);
    let lost = |secret: &'static str| {
        let mut command = sending.command(&["run-once", "--format", "json"]);
        command.env("LINK_SECRET", secret);
        crate::support::said::Said::by(command)
    };
    sending.retries_come_due().await;
    let said = lost("the only secret, and another one");
    assert_eq!((said.code, sending.hooks().len()), (Some(3), 1), "{said}");
    assert!(said.err.contains("put the old secret behind the new one"), "{said}");
    sending.retries_come_due().await;
    assert_eq!(sending.ran(0)["prompts_sent"], 1);
    let hooks = sending.hooks();
    assert_same(&hooks[0], &hooks[1]);
}

/// What a webhook's body says that it is.
fn kind(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    body["type"].as_str().expect("a type").to_owned()
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_prompt_waits() {
    let elsewhere = Reply::Answer(307, vec![("location", "/elsewhere".to_owned())], String::new());
    let sending = by_webhook(Base::Sqlite, 2, at_first(2, elsewhere)).await;
    sending.ran(3);
    let paths: Vec<String> =
        sending.http.requests.all().iter().map(|request| request.path.clone()).collect();
    assert!(!paths.iter().any(|path| path.contains("elsewhere")), "{paths:?}");
    assert!(!sending.states().await.contains_key("sent"));
}

#[tokio::test]
async fn a_receiver_that_misbehaves_with_one_prompt_spoils_no_other() {
    // E28
    let inside = vec![("location", "http://169.254.169.254/latest/meta-data".to_owned())];
    for reply in [
        Reply::Answer(302, inside, String::new()),
        Reply::Endless(500),
        Reply::Close,
        Reply::Raw(b"\xff\x00 what?\r\n"),
    ] {
        for base in BASES {
            let case = format!("{base:?} {reply:?}");
            let spoiled = reply.clone();
            let web = move |request: &Request| {
                let body = String::from_utf8_lossy(&request.body);
                if body.contains("person2@") { spoiled.clone() } else { well(request) }
            };
            let sending = by_webhook(base, 6, web).await;
            let said = sending.run();
            assert_eq!(said.code, Some(3), "{case}: {said}");
            assert_eq!(said.progress()["prompts_sent"], 5, "{case}: {said}");
            let states = sending.states().await;
            assert_eq!((states["sent"], states["queued"]), (5, 1), "{case}");
            assert!(said.events().iter().any(|event| event["prompt.id"].is_string()), "{said}");
            assert!(!said.err.contains("person2"), "{case}: {said}");
        }
    }
}

#[tokio::test]
async fn only_a_webhook_that_counts_as_notice_counts_as_telling() {
    for (word, count) in [("false", 0), ("true", 2)] {
        let sending = Sending::new(Base::Postgres, &lines(0..2)).await;
        let counts = format!("counts_as_notice = {word} ");
        sending.configure(&[BY_WEBHOOK, ("counts_as_notice = false ", &counts)]);
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 2);
        let told = "SELECT CAST(prompt_id AS text) FROM prompts WHERE is_notice";
        assert_eq!(sending.texts(told).await.len(), count);
    }
}

#[tokio::test]
async fn mail_and_webhook_each_tell_once() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..5)).await;
        sending.configure(&[BY_BOTH]);
        sending.prepare();
        assert_eq!(sending.ran(0)["prompts_sent"], 10);
        assert_eq!(sending.ran(0)["prompts_sent"], 0);
        assert_eq!((sending.hooks().len(), sending.recipients().len()), (5, 5));
    }
}
