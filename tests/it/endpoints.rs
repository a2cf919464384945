//! E32: an endpoint that fails for days is set aside and probed until it is back, and nothing
//! is lost meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use worker::inventory::Column;

use crate::support::http::{Reply, Request};
use crate::support::line::{Line, READY, line, lines};
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::Reaction;

/// The stage that is due goes out by mail and to the product.
const BOTH: [(&str, &str); 1] = [(
    "days_before = 150\nchannels = [\"email\"]",
    "days_before = 150\nchannels = [\"email\", \"webhook:product\"]",
)];
/// Failed for days, and not to be asked now.
const ASIDE: &str = "INSERT INTO endpoints (webhook, failing_since, failed_at, failures, probe_at) \
    VALUES ('product', '2026-01-01T00:00:00+00:00', '2026-01-03T00:00:00+00:00', 9, \
        '2099-01-01T00:00:00+00:00')";
const ASK_NOW: &str = "UPDATE endpoints SET probe_at = failed_at";

async fn campaign(base: Base, rows: &[Line]) -> (Sending, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(204));
    let answer = Arc::clone(&status);
    let web = move |request: &Request| match request.path.as_str() {
        "/hook" => Reply::status(answer.load(Ordering::Relaxed)),
        _ => well(request),
    };
    let sending = Sending::with(base, rows, |_| Reaction::Usual, web).await;
    sending.configure(&BOTH);
    sending.prepare();
    (sending, status)
}

/// Requests that the receiver got.
fn hooks(sending: &Sending) -> usize {
    sending.http.requests.all().iter().filter(|request| request.path == "/hook").count()
}

fn failing(sending: &Sending) -> Value {
    let said = sending.worker(&["status", "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said}");
    said.json()["failing_webhooks"].clone()
}

#[tokio::test]
async fn nothing_goes_to_an_endpoint_that_is_set_aside_and_the_mails_go_on() {
    for base in BASES {
        let (sending, _) = campaign(base, &lines(0..5)).await;
        sending.execute(ASIDE).await;
        let ran = sending.ran(0);
        assert_eq!((&ran["prompts_sent"], hooks(&sending)), (&5.into(), 0), "{base:?}");
        assert_eq!(failing(&sending)[0]["set_aside"], true);
        let text = sending.worker(&["status"]).out;
        assert!(text.contains("webhook product has failed since 2026-01-01"), "{text}");
        assert!(text.contains("set aside, tried again from 2099-01-01"), "{text}");
    }
}

#[tokio::test]
async fn one_prompt_asks_whether_it_is_back_and_then_the_rest_goes() {
    for base in BASES {
        let (sending, status) = campaign(base, &lines(0..5)).await;
        sending.execute(ASIDE).await;
        sending.ran(0);
        sending.execute(ASK_NOW).await;
        status.store(503, Ordering::Relaxed);
        assert_eq!(sending.ran(3)["failures"], 1, "{base:?}");
        assert_eq!(hooks(&sending), 1, "{base:?}");
        sending.ran(0);
        assert_eq!(hooks(&sending), 1, "it is asked again after a pause only");
        sending.execute(ASK_NOW).await;
        sending.execute("UPDATE prompts SET due_at = made_at").await;
        status.store(204, Ordering::Relaxed);
        assert_eq!(sending.ran(0)["prompts_sent"], 5, "{base:?}");
        assert_eq!(hooks(&sending), 6, "{base:?}");
        assert_eq!(failing(&sending), serde_json::json!([]));
    }
}

#[tokio::test]
async fn changes_wait_for_it_without_using_up_their_attempts() {
    for base in BASES {
        let (sending, status) = campaign(base, &lines(0..20)).await;
        assert_eq!(sending.ran(0)["prompts_sent"], 40);
        let now: Vec<Line> = (0..20)
            .map(|number| line(number).with(Column::Scopes, format!("{READY} accounting.contacts")))
            .collect();
        sending.show(&now);
        sending.execute(ASIDE).await;
        sending.ran(0);
        assert_eq!(failing(&sending)[0]["waiting"], 20, "{base:?}");
        status.store(500, Ordering::Relaxed);
        // More often than a message is tried when its receiver is not set aside.
        for _ in 0..12 {
            sending.execute(ASK_NOW).await;
            sending.execute("UPDATE announcements SET due_at = made_at").await;
            assert_eq!(sending.ran(3)["failures"], 1, "{base:?}");
        }
        assert_eq!(hooks(&sending), 20 + 12, "{base:?}");
        status.store(204, Ordering::Relaxed);
        sending.execute(ASK_NOW).await;
        assert_eq!(sending.ran(0)["failures"], 0, "{base:?}");
        assert_eq!(hooks(&sending), 20 + 12 + 20, "all at once, whatever they waited for");
        assert_eq!(failing(&sending), serde_json::json!([]));
    }
}

#[tokio::test]
async fn failures_over_a_day_set_an_endpoint_aside_and_one_success_ends_it() {
    for base in BASES {
        let (sending, status) = campaign(base, &lines(0..5)).await;
        status.store(500, Ordering::Relaxed);
        sending.ran(3);
        let known = failing(&sending);
        assert_eq!((&known[0]["failures"], &known[0]["set_aside"]), (&5.into(), &false.into()));
        let long_ago =
            "UPDATE endpoints SET failing_since = '2026-01-01T00:00:00+00:00', failures = 1";
        sending.execute(long_ago).await;
        sending.execute("UPDATE prompts SET due_at = made_at").await;
        sending.ran(3);
        assert_eq!(failing(&sending)[0]["set_aside"], true, "{base:?}");
        // All that waits is there when it is asked next.
        let late = "SELECT stage FROM prompts WHERE state = 'queued' \
            AND due_at > (SELECT probe_at FROM endpoints)";
        assert_eq!(sending.texts(late).await, Vec::<String>::new(), "{base:?}");
        sending.execute(ASK_NOW).await;
        sending.execute("UPDATE prompts SET due_at = made_at").await;
        status.store(204, Ordering::Relaxed);
        assert_eq!(sending.ran(0)["prompts_sent"], 5, "{base:?}");
        assert_eq!(failing(&sending), serde_json::json!([]));
    }
}
