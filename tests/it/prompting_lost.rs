//! Lost databases, restored ones, second checkouts and jobs without a volume, through
//! sending: nobody is written to twice by themselves, and the log says why nothing is sent.

use std::fs;

use crate::support::line::lines;
use crate::support::sending::{Base, Sending};

async fn sent(people: usize) -> Sending {
    let sending = Sending::new(Base::Sqlite, &lines(0..people)).await;
    sending.prepare();
    assert_eq!(sending.ran(0)["prompts_sent"], people);
    sending
}

/// Nothing is sent however often it runs, and the log says why in these words.
fn says_why(sending: &Sending, words: &str) {
    let before = sending.recipients().len();
    let mut last = None;
    for _ in 0..3 {
        let said = sending.run();
        assert!(matches!(said.code, Some(0 | 4)), "{said}");
        last = Some(said);
    }
    let last = last.expect("three runs");
    assert_eq!(last.code, Some(4), "{last}");
    assert!(last.err.contains(words), "{last}");
    assert_eq!(sending.recipients().len(), before, "nobody is written to twice");
}

fn remove_database(sending: &Sending) {
    for name in ["worker.db", "worker.db-wal", "worker.db-shm"] {
        let _ = fs::remove_file(sending.place.path(name));
    }
}

#[tokio::test]
async fn a_new_database_in_the_place_of_a_lost_one_writes_to_nobody() {
    let sending = sent(3).await;
    remove_database(&sending);
    sending.ran(0);
    let word = sending.worker(&["confirm", "link", "--by", "ann", "--note", "looked at it"]);
    assert_eq!(word.code, Some(0), "{word}");
    says_why(&sending, "it is an older one, or a new one");
}

#[tokio::test]
async fn a_restored_database_writes_to_nobody_until_somebody_vouches_for_it() {
    let sending = Sending::new(Base::Sqlite, &lines(0..3)).await;
    sending.prepare();
    let (here, backup) = (sending.place.database(), sending.place.path("backup.db"));
    sending.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    fs::copy(&here, &backup).unwrap();
    assert_eq!(sending.ran(0)["prompts_sent"], 3);
    remove_database(&sending);
    // Over the same name, as a restore does.
    fs::copy(&backup, &here).unwrap();
    says_why(&sending, "database_moved");
    let word =
        sending.worker(&["confirm", "database", "--by", "ann", "--note", "it is the right one"]);
    assert_eq!(word.code, Some(0), "{word}");
    assert_eq!(sending.ran(0)["prompts_sent"], 3, "on a named person's word");
}

#[tokio::test]
async fn a_second_checkout_with_a_copy_of_the_database_writes_to_nobody() {
    let sending = Sending::new(Base::Sqlite, &lines(0..3)).await;
    sending.prepare();
    sending.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    fs::copy(sending.place.database(), sending.place.path("second.db")).unwrap();
    assert_eq!(sending.ran(0)["prompts_sent"], 3);
    sending.configure(&[("sqlite://worker.db", "sqlite://second.db")]);
    says_why(&sending, "another one than it was");
}

#[tokio::test]
async fn a_job_without_a_volume_writes_to_nobody_however_often_it_runs() {
    let sending = Sending::new(Base::Sqlite, &lines(0..3)).await;
    for _ in 0..3 {
        let said = sending.run();
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.err.contains("no earlier complete scan"), "{said}");
        sending.worker(&["confirm", "link", "--by", "ann", "--note", "looked at it"]);
        remove_database(&sending);
        let _ = fs::remove_file(sending.place.path("worker.db-ledger"));
    }
    assert!(sending.recipients().is_empty());
}
