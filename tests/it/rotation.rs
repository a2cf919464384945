//! Secrets are read when they are used, so that a new one needs no restart; and none of them
//! is to be seen from outside.

use std::time::{Duration, Instant};

use standardwebhooks::Webhook;

use crate::always::{ANY_PORT, EVERY_SECOND};
use crate::support::http::Request;
use crate::support::line::lines;
use crate::support::replica::{LONG, Replica};
use crate::support::sending::{BY_WEBHOOK, Base, HOOK_SECRET, Sending};

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
    let sending = Sending::new(Base::Sqlite, &lines(0..1)).await;
    let hook = ("secrets = [{ env = \"HOOK_SECRET\" }]", "secrets = [{ file = \"hook\" }]");
    sending.place.write("hook", HOOK_SECRET);
    sending.configure(&[EVERY_SECOND, ANY_PORT, BY_WEBHOOK, hook]);
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
    assert!(is_signed(&hooks(1)[0], HOOK_SECRET));
    sending.place.write("hook", NEW);
    sending.show(&lines(0..2));
    let second = &hooks(2)[1];
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
