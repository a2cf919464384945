//! Secrets are read when they are used, so that a new one needs no restart; and none of them
//! is to be seen from outside.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use standardwebhooks::Webhook;

use crate::always::{ANY_PORT, EVERY_SECOND};
use crate::support::http::Request;
use crate::support::line::lines;
use crate::support::replica::{LONG, Replica};
use crate::support::sending::{BY_WEBHOOK, Base, HOOK_SECRET, Sending, well};
use crate::support::smtp::{Moment, Reaction};

const NEW: &str = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldw==";

fn is_signed(request: &Request, secret: &str) -> bool {
    let header = |name: &str| request.headers[name].as_str();
    let at = header("webhook-timestamp").parse().expect("a number");
    let webhook = Webhook::new(secret).expect("a secret");
    let ours = webhook.sign(header("webhook-id"), at, &request.body).expect("a signature");
    header("webhook-signature").split(' ').any(|there| there == ours)
}

#[tokio::test]
async fn a_secret_in_a_file_is_rotated_without_a_restart_and_shows_nowhere() {
    // The secret is a new one as soon as the first delivery has come.
    let file: Arc<OnceLock<PathBuf>> = Arc::default();
    let secret = Arc::clone(&file);
    let rotate = move |request: &Request| {
        if request.path == "/hook" {
            std::fs::write(secret.get().expect("it was told"), NEW).expect("the test's own");
        }
        well(request)
    };
    let usual = |_: &Moment| Reaction::Usual;
    let sending = Sending::with(Base::Sqlite, &lines(0..2), usual, rotate).await;
    let hook = ("secrets = [{ env = \"HOOK_SECRET\" }]", "secrets = [{ file = \"hook\" }]");
    sending.place.write("hook", HOOK_SECRET);
    file.set(sending.place.path("hook")).expect("it is told once");
    let one_a_run = ("max_per_run = 5000", "max_per_run = 1");
    sending.configure(&[EVERY_SECOND, ANY_PORT, BY_WEBHOOK, hook, one_a_run]);
    sending.prepare();
    let mut command = sending.command(&["run"]);
    command.env("WORKER_LOG_LEVEL", "trace");
    let mut replica = Replica::start(command);
    let hooks = |count: usize| {
        let began = Instant::now();
        while sending.hooks().len() < count {
            assert!(began.elapsed() < LONG, "{:#?}", replica.lines());
            std::thread::sleep(Duration::from_millis(50));
        }
        sending.hooks()
    };
    let [first, second] = &hooks(2)[..] else { panic!("one a run") };
    assert!(is_signed(first, HOOK_SECRET));
    assert!(is_signed(second, NEW) && !is_signed(second, HOOK_SECRET));

    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", replica.pid())).unwrap();
    let answers = ["/metrics", "/readyz"].map(|path| replica.ask(path).1).concat();
    replica.stops();
    let log: String = replica.lines().iter().map(ToString::to_string).collect();
    let database = std::fs::read(sending.place.database()).unwrap();
    for secret in [HOOK_SECRET, NEW, crate::support::sending::LINK_SECRET] {
        for seen in [&arguments, &answers, &log] {
            assert!(!seen.contains(secret), "{secret}: {seen}");
        }
        assert!(!database.windows(secret.len()).any(|there| there == secret.as_bytes()));
    }
    assert!(!log.contains("@example.com") && !answers.contains('@'), "{log}");
}
