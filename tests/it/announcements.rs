//! A banner in the product is never stale: webhooks hear what became of the connections that
//! they were asked to show.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use worker::delivery::payload::SCHEMA;
use worker::inventory::Column;

use crate::support::http::{Reply, Request};
use crate::support::line::{Line, READY, UNAFFECTED, line, lines};
use crate::support::schema::wrongs;
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::Reaction;

/// The first stage goes to the product too.
const TO_PRODUCT: [(&str, &str); 1] = [(
    "days_before = 150\nchannels = [\"email\"]",
    "days_before = 150\nchannels = [\"webhook:product\"]",
)];

/// A campaign whose stage goes to a webhook, and the status that its receiver answers.
async fn campaign(base: Base, rows: &[Line]) -> (Sending, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(204));
    let answer = Arc::clone(&status);
    let web = move |request: &Request| match request.path.as_str() {
        "/hook" => Reply::status(answer.load(Ordering::Relaxed)),
        _ => well(request),
    };
    let sending = Sending::with(base, rows, |_| Reaction::Usual, web).await;
    sending.configure(&TO_PRODUCT);
    sending.prepare();
    (sending, status)
}

fn hooks(sending: &Sending) -> Vec<Request> {
    sending
        .http
        .requests
        .all()
        .clone()
        .into_iter()
        .filter(|request| request.path == "/hook")
        .collect()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// The changes of state that came in, as a word and the number of the connection.
fn changes(sending: &Sending) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let hooks = hooks(sending);
    let bodies = hooks.iter().map(body).filter(|body| body["type"] != "prompt");
    bodies
        .map(|body| {
            assert_eq!(wrongs(&schema, &body), Vec::<String>::new());
            let id = body["data"]["connection_id"].as_str().unwrap();
            format!("{} {}", body["type"].as_str().unwrap(), &id[id.len() - 1..])
        })
        .collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn ready(number: usize) -> Line {
    line(number).with(Column::Scopes, format!("{READY} accounting.contacts"))
}

#[tokio::test]
async fn whoever_has_consented_is_told_of_once() {
    for base in BASES {
        let (sending, _) = campaign(base, &lines(1..4)).await;
        assert_eq!(sending.ran(0)["prompts_sent"], 3);
        assert_eq!(changes(&sending), Vec::<String>::new());
        sending.show(&[line(1), ready(2), line(3)]);
        let ran = sending.ran(0);
        assert_eq!((&ran["prompts_sent"], &ran["failures"]), (&0.into(), &0.into()));
        assert_eq!(changes(&sending), ["ready 2"], "{base:?}");
        sending.ran(0);
        assert_eq!(changes(&sending), ["ready 2"], "{base:?}");
    }
}

#[tokio::test]
async fn what_is_no_longer_asked_for_is_withdrawn_and_a_consent_after_it_is_ready() {
    for base in BASES {
        let (sending, _) = campaign(base, &lines(1..6)).await;
        sending.ran(0);
        let exempt = line(1).get(Column::ConnectionId).unwrap().to_owned();
        let until = ["--until", "2099-01-01", "--reason", "asked us to", "--by", "ann"];
        let said = sending.worker(&[&["exempt", "add", &exempt][..], &until].concat());
        assert_eq!(said.code, Some(0), "{said}");
        // One is exempt, one gone, one of another kind, one unaffected, one as it was.
        let custom = line(3).with(Column::Flow, "custom");
        sending.show(&[line(1), custom, line(4).with(Column::Scopes, UNAFFECTED), line(5)]);
        sending.ran(0);
        let withdrawn = ["withdrawn 1", "withdrawn 2", "withdrawn 3", "withdrawn 4"];
        assert_eq!(sorted(changes(&sending)), withdrawn, "{base:?}");
        sending.show(&[ready(1), line(2), line(5)]);
        sending.ran(0);
        let all = changes(&sending);
        assert_eq!(&all[4..], ["ready 1"], "{base:?}");
    }
}

#[tokio::test]
async fn a_bad_row_and_missing_evidence_take_nothing_back() {
    let (sending, _) = campaign(Base::Sqlite, &lines(1..4)).await;
    sending.ran(0);
    let wide = [("max_bad_percent = 1 ", "max_bad_percent = 100 ")];
    sending.configure(&[&TO_PRODUCT[..], &wide].concat());
    let bad = line(1).with(Column::Flow, "never heard of");
    sending.show(&[bad, line(2).without(Column::Scopes), line(3)]);
    let ran = sending.ran(0);
    assert_eq!((&ran["bad_rows"], &ran["unknown"]), (&1.into(), &1.into()));
    assert_eq!(changes(&sending), Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_change_counts_as_a_failure_and_is_repeated_with_the_same_id_and_body() {
    for base in BASES {
        let (sending, status) = campaign(base, &lines(1..3)).await;
        sending.ran(0);
        sending.show(&[line(1), ready(2)]);
        status.store(500, Ordering::Relaxed);
        assert_eq!(sending.ran(3)["failures"], 1);
        sending.execute("UPDATE announcements SET due_at = made_at").await;
        status.store(200, Ordering::Relaxed);
        assert_eq!(sending.ran(0)["failures"], 0);
        let told: Vec<Request> =
            hooks(&sending).into_iter().filter(|hook| body(hook)["type"] == "ready").collect();
        assert_eq!(told.len(), 2, "{base:?}");
        assert_eq!(told[0].headers["webhook-id"], told[1].headers["webhook-id"]);
        assert_eq!(told[0].body, told[1].body);
        assert_ne!(told[0].headers["webhook-id"], hooks(&sending)[0].headers["webhook-id"]);
    }
}

#[tokio::test]
async fn after_the_next_question_the_next_answer_is_told_and_an_overtaken_one_never() {
    for base in BASES {
        let (sending, status) = campaign(base, &lines(1..3)).await;
        let stage = |name: &'static str| {
            let named = ("name = \"reminder\"", name);
            sending.configure(&[&TO_PRODUCT[..], &[named]].concat());
        };
        sending.ran(0);
        stage("name = \"first\"");
        sending.show(&[ready(1), ready(2)]);
        sending.ran(0);
        assert_eq!(sorted(changes(&sending)), ["ready 1", "ready 2"]);
        // The consents are gone again, and a later stage asks for them.
        stage("name = \"second\"");
        sending.show(&lines(1..3));
        assert_eq!(sending.ran(0)["prompts_sent"], 2, "{base:?}");
        sending.show(&[ready(1), ready(2)]);
        status.store(503, Ordering::Relaxed);
        assert_eq!(sending.ran(3)["failures"], 2, "{base:?}");
        sending.execute("UPDATE announcements SET due_at = '2099-01-01T00:00:00+00:00'").await;
        status.store(204, Ordering::Relaxed);
        let before = changes(&sending).len();
        // Asked once more: the old answer would undo it.
        stage("name = \"third\"");
        sending.show(&[ready(1), line(2)]);
        assert_eq!(sending.ran(0)["prompts_sent"], 1, "{base:?}");
        sending.execute("UPDATE announcements SET due_at = made_at").await;
        sending.ran(0);
        assert_eq!(changes(&sending)[before..], ["ready 1"], "{base:?}");
    }
}

#[tokio::test]
async fn nothing_is_told_while_paused_switched_off_or_in_a_dry_run() {
    let (sending, _) = campaign(Base::Sqlite, &lines(1..3)).await;
    sending.ran(0);
    sending.show(&[line(1), ready(2)]);
    let dry = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
    assert_eq!(dry.code, Some(0), "{dry}");
    let paused = sending.worker(&["pause", "--reason", "wait", "--by", "ann"]);
    assert_eq!(paused.code, Some(0), "{paused}");
    sending.ran(0);
    sending.configure(
        &[&TO_PRODUCT[..], &[("enabled = true\nmax_per_run", "enabled = false\nmax_per_run")]]
            .concat(),
    );
    let resumed = sending.worker(&["resume", "--by", "ann"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    sending.ran(0);
    assert_eq!(changes(&sending), Vec::<String>::new());
    sending.configure(&TO_PRODUCT);
    sending.ran(0);
    assert_eq!(changes(&sending), ["ready 2"]);
}

#[tokio::test]
async fn a_missing_secret_is_said_and_loses_nothing() {
    let (sending, _) = campaign(Base::Sqlite, &lines(1..3)).await;
    sending.ran(0);
    sending.show(&[line(1), ready(2)]);
    sending.configure(&[&TO_PRODUCT[..], &[("\"HOOK_SECRET\"", "\"NOT_SET\"")]].concat());
    let stopped = sending.run();
    assert_eq!(stopped.code, Some(4), "{stopped}");
    assert!(stopped.err.contains("webhook:product cannot be told"), "{stopped}");
    sending.configure(&TO_PRODUCT);
    sending.ran(0);
    assert_eq!(changes(&sending), ["ready 2"]);
}

#[tokio::test]
async fn two_replicas_tell_each_change_once() {
    let (sending, _) = campaign(Base::Postgres, &lines(0..40)).await;
    sending.ran(0);
    sending.show(&(0..40).map(ready).collect::<Vec<_>>());
    let running: Vec<_> = (0..2)
        .map(|_| {
            let mut command = sending.command(&["run-once", "--format", "json"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program")
        })
        .collect();
    for mut worker in running {
        assert!(worker.wait().expect("an end").success());
    }
    assert_eq!(changes(&sending).len(), 40);
}
