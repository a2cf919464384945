//! Behind a pooler that gives out sessions for a transaction at a time, everything works as it
//! does in front of it: migrating together, scanning, prompting, taking turns.

use std::collections::BTreeSet;

use crate::always::{ANY_PORT, EVERY_SECOND};
use crate::support::bouncer::Bouncer;
use crate::support::line::lines;
use crate::support::replica::Replica;
use crate::support::said::Said;
use crate::support::sending::{BY_BOTH, Base, Sending};

const PEOPLE: usize = 60;

#[tokio::test]
async fn eight_workers_behind_a_pooler_migrate_scan_and_prompt_once() {
    let sending = Sending::new(Base::Postgres, &lines(0..PEOPLE)).await;
    let pg = sending.pg.as_ref().expect("PostgreSQL");
    let bouncer = Bouncer::before(pg, 3);
    let (direct, pooled) = (format!("{:?}", pg.url()), format!("{:?}", bouncer.url()));
    let through = (direct.as_str(), pooled.as_str());
    sending.configure(&[through, BY_BOTH]);
    let together = |arguments: &[&str]| -> Vec<Said> {
        let start = |_| sending.command(arguments).spawn().expect("the program");
        (0..8).map(start).collect::<Vec<_>>().into_iter().map(Said::of).collect()
    };
    for said in together(&["migrate"]) {
        assert_eq!(said.code, Some(0), "{said}");
    }
    sending.prepare();
    let mut sent = 0;
    for said in together(&["run-once"]) {
        assert_eq!(said.code, Some(0), "{said}");
        assert!(!said.err.contains("already a transaction"), "{said}");
        sent += said.progress()["prompts_sent"].as_u64().expect("a number");
    }
    assert_eq!(sent, 2 * PEOPLE as u64);
    let got: BTreeSet<String> = sending.recipients().into_iter().collect();
    assert_eq!((got.len(), sending.recipients().len()), (PEOPLE, PEOPLE));
    let dry = sending.worker(&["run-once", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry}");
    for arguments in [&["status"][..], &["due"], &["explain", "person1@example.com"]] {
        let said = sending.worker(arguments);
        assert_eq!(said.code, Some(0), "{said}");
    }

    sending.configure(&[through, EVERY_SECOND, ANY_PORT]);
    let mut replicas: Vec<Replica> =
        (0..3).map(|_| Replica::start(sending.command(&["run"]))).collect();
    while sending.texts("SELECT job FROM fires").await.len() < 3 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    for replica in &mut replicas {
        let code = replica.stops();
        assert!(matches!(code, Some(0 | 1)), "{:#?}", replica.lines());
    }
    let attempts = sending.texts("SELECT CAST(max(attempts) AS text) FROM fires").await;
    assert_eq!(attempts, ["1"]);
}
