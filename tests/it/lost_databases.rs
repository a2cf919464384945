//! The incidents in which a campaign forgets what it has sent: a lost database, a restored
//! one, a second checkout, a job without a volume. Nobody is written to twice by itself, and
//! the log says why nothing was sent.

use std::fs;
use std::path::Path;

use crate::support::line::lines;
use crate::support::said::Said;
use crate::support::sending::{BASES, Base, Sending};

const PEOPLE: usize = 5;

/// A campaign that has sent its first stage.
async fn under_way(base: Base) -> Sending {
    let sending = Sending::new(base, &lines(0..PEOPLE)).await;
    sending.prepare();
    assert_eq!(sending.ran(0)["prompts_sent"], PEOPLE);
    sending
}

/// The run had something to say, sent nothing, and its log tells why.
fn silent(sending: &Sending, said: &Said, code: i32, why: &str) {
    assert_eq!(said.code, Some(code), "{said}");
    assert_eq!(said.progress()["prompts_sent"], 0, "{said}");
    assert_eq!(sending.recipients().len(), PEOPLE, "nobody twice: {said}");
    let gates = said.json()["blocked_by"].clone();
    let gates = gates.as_array().expect("a list").iter();
    let codes: Vec<&str> = gates
        .filter(|gate| gate["step"] == "prompt")
        .filter_map(|gate| gate["code"].as_str())
        .collect();
    assert!(codes.contains(&why), "{codes:?}: {said}");
    let is_told = said.events().iter().any(|event| event["code"] == why);
    assert!(is_told, "the log does not tell {why}: {said}");
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        assert!(fs::remove_file(&file).is_ok() || !suffix.is_empty(), "{file}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::write(to, fs::read(from).expect("a closed database")).expect("room");
}

#[tokio::test]
async fn a_lost_database_mails_nobody_twice() {
    let sending = under_way(Base::Sqlite).await;
    remove(&sending.place.database());
    silent(&sending, &sending.run(), 0, "first_scan");
    silent(&sending, &sending.run(), 4, "not_confirmed");
    silent(&sending, &sending.run(), 4, "database_moved");
}

#[tokio::test]
async fn a_job_that_starts_each_time_without_its_volume_mails_nobody_twice() {
    let sending = under_way(Base::Sqlite).await;
    for _ in 0..3 {
        remove(&sending.place.database());
        let _ = fs::remove_file(sending.place.path("worker.db-ledger"));
        silent(&sending, &sending.run(), 0, "first_scan");
    }
}

#[tokio::test]
async fn a_restored_database_mails_nobody_twice_until_a_named_person_says_it_is_right() {
    for in_place in [true, false] {
        let sending = Sending::new(Base::Sqlite, &lines(0..PEOPLE)).await;
        sending.prepare();
        let (database, backup) = (sending.place.database(), sending.place.path("backup"));
        copy(&database, &backup);
        assert_eq!(sending.ran(0)["prompts_sent"], PEOPLE);
        if in_place {
            copy(&backup, &database);
        } else {
            fs::rename(&backup, &database).unwrap();
        }
        silent(&sending, &sending.run(), 4, "database_moved");
        let dry = sending.worker(&["run-once", "--dry-run", "--format", "json"]);
        assert!(dry.out.contains("database_moved"), "a dry run tells the same: {dry}");

        // What was sent is brought back before anybody vouches for the database.
        let told: String = (0..PEOPLE)
            .map(|number| {
                format!("sent,person{number}@example.com,reminder,2026-11-20T00:00:00Z\n")
            })
            .collect();
        let stage = dry.json()["prompts"][0]["stage"].as_str().expect("a stage").to_owned();
        let told = told.replace("reminder", &stage);
        sending.place.write("sent.csv", format!("kind,address,stage,at\n{told}"));
        let import = sending.worker(&["outcomes", "import", "sent.csv"]);
        assert_eq!(import.code, Some(0), "{import}");
        let word = sending.worker(&["confirm", "database", "--by", "ann", "--note", "restored"]);
        assert_eq!(word.code, Some(0), "{word}");
        assert_eq!(sending.ran(0)["prompts_sent"], 0, "they have been told");
        assert_eq!(sending.recipients().len(), PEOPLE);
    }
}

#[tokio::test]
async fn a_second_checkout_mails_nobody_twice() {
    let sending = under_way(Base::Sqlite).await;
    // The same configuration, the same inventory, and a database of its own.
    remove(&sending.place.database());
    fs::remove_file(sending.place.path("worker.db-ledger")).unwrap();
    silent(&sending, &sending.run(), 0, "first_scan");
    for _ in 0..2 {
        silent(&sending, &sending.run(), 4, "not_confirmed");
    }
}

#[tokio::test]
async fn a_pause_stops_a_run_on_both_databases_and_is_no_failure() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..PEOPLE)).await;
        sending.prepare();
        let pause = sending.worker(&["pause", "--by", "ann", "--reason", "look first"]);
        assert_eq!(pause.code, Some(0), "{pause}");
        let paused = sending.run();
        assert_eq!((paused.code, &paused.progress()["prompts_sent"]), (Some(0), &0.into()));
        assert!(paused.out.contains("paused by ann: look first"), "{paused}");
        assert!(sending.recipients().is_empty());
        assert_eq!(sending.worker(&["resume", "--by", "ann"]).code, Some(0));
        assert_eq!(sending.ran(0)["prompts_sent"], PEOPLE);
    }
}
