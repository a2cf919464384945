//! Erasing a person: nothing of them is left in the database, they are never written to again,
//! and what was done stays told.

use std::sync::Mutex;

use chrono::TimeDelta;
use uuid::Uuid;
use worker::clock::FixedClock;
use worker::domain::address::Address;
use worker::domain::told::PromptState;
use worker::inventory::{Column, Progress};
use worker::jobs::erasing;
use worker::jobs::progress::Watcher;
use worker::store::forgotten::{Erased, Forgetting};
use worker::store::prompts::{Ended, Lease, Start, Wanted};

use crate::support::inventory::id;
use crate::support::line::{Line, line, lines};
use crate::support::sending::{BASES, Base, Sending};
use crate::support::world::{Conditions, World, both, start};

fn quokka(number: usize) -> Line {
    line(number)
        .with(Column::Email, format!("Quokka{number}@Numbat.example"))
        .with(Column::Name, format!("Wombat{number}"))
        .with(Column::Locale, "mi-NZ")
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// All that is stored, deleted or not, in lower case.
async fn all_bytes(sending: &Sending) -> String {
    let Some(pg) = &sending.pg else {
        let mut bytes = Vec::new();
        for name in ["worker.db", "worker.db-wal", "worker.db-ledger"] {
            bytes.extend(std::fs::read(sending.place.path(name)).unwrap_or_default());
        }
        return String::from_utf8_lossy(&bytes).to_lowercase();
    };
    let world = World::at(&pg.url()).await;
    format!("{:?}", world.dump(&[]).await).to_lowercase()
}

async fn is_erased(sending: &Sending) {
    let bytes = all_bytes(sending).await;
    for word in ["quokka1", "wombat1"] {
        assert!(!bytes.contains(word), "{word} is still there");
    }
    assert!(bytes.contains("quokka2"), "and only they are gone");
}

const NEXT_STAGE: (&str, &str) = ("days_before = 60\n", "days_before = 105\n");

#[tokio::test]
async fn a_forgotten_person_is_in_no_file_and_gets_no_message_while_the_host_lists_them() {
    for base in BASES {
        let people = [quokka(1), quokka(2), quokka(3)];
        let sending = Sending::new(base, &people).await;
        sending.prepare();
        let until = ["--until", "2099-01-01", "--reason", "quokka1@numbat.example asked"];
        let exempt = [&["exempt", "add", "quokka3@numbat.example"][..], &until].concat();
        sending.worker(&[&exempt[..], &["--by", "Quokka1@numbat.example"]].concat());
        assert_eq!(sending.ran(0)["prompts_sent"], 2);
        assert!(all_bytes(&sending).await.contains("quokka1"), "{base:?}");

        let said = sending.worker(&["forget", "QUOKKA1@numbat.example", "--by", "ann"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.out.contains("1 message, 0 of them not sent yet"), "{said}");
        assert!(!said.out.contains('@') && !said.err.to_lowercase().contains("quokka"), "{said}");
        is_erased(&sending).await;

        // Rows as they were, and rows that are read anew.
        let again = [quokka(1).with(Column::Name, "Wombat1 the second"), quokka(2), quokka(3)];
        for inventory in [&people, &again] {
            sending.show(inventory);
            let progress = sending.ran(0);
            assert_eq!(progress["prompts_sent"], 0, "{base:?}");
            assert_eq!(progress["unreachable"], 1);
            is_erased(&sending).await;
        }
        // The final notice goes to whoever is left.
        sending.configure(&[NEXT_STAGE]);
        sending.show(&people);
        assert_eq!(sending.ran(0)["prompts_sent"], 1);
        let to: Vec<String> = sending.recipients().iter().map(|to| to.to_lowercase()).collect();
        assert_eq!(to.iter().filter(|to| to.contains("quokka1@")).count(), 1, "{to:?}");
        is_erased(&sending).await;

        let told = sending.worker(&["explain", "quokka1@numbat.example", "--format", "json"]);
        let told = told.json();
        assert_eq!(told[0]["connection_id"], id("c", 1));
        assert!(told[0]["people"][0].as_str().unwrap().starts_with("p-"), "{told:#}");
        assert!(told[0]["history"].to_string().contains("prompt_sent"), "{told:#}");
        let verified = sending.worker(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified}");
        for command in [
            &["suppress", "add", "quokka1@numbat.example"][..],
            &[&["exempt", "add", "quokka1@numbat.example", "--by", "ann"][..], &until].concat(),
        ] {
            sending.worker(command).complains(2, "was forgotten", "not stored again");
        }
        is_erased(&sending).await;
    }
}

#[tokio::test]
async fn whoever_is_forgotten_beforehand_is_never_stored() {
    for base in BASES {
        let sending = Sending::new(base, &[quokka(2)]).await;
        sending.prepare();
        sending.worker(&["forget", "quokka1@numbat.example", "--by", "ann"]);
        sending.show(&[quokka(1), quokka(2)]);
        assert_eq!(sending.ran(0)["prompts_sent"], 1, "{base:?}");
        assert_eq!(sending.recipients().len(), 1);
        is_erased(&sending).await;
        // Nor is their connection told of as a person without an address.
        sending.configure(&[crate::support::sending::BY_WEBHOOK]);
        sending.ran(0);
        let hooks = sending.hooks();
        assert_eq!(hooks.len(), 1);
        assert!(!String::from_utf8_lossy(&hooks[0].body).contains(&id("c", 1)));
    }
}

#[tokio::test]
async fn a_message_on_its_way_is_waited_for_and_then_nothing_is_erased() {
    both(async |world: World| {
        world.prompt(1, "jo@books.example", "sending").await;
        world.execute("UPDATE prompts SET lease_until = '2099-01-01T00:00:00.000000+00:00'").await;
        let clock = FixedClock(start());
        let done = erasing::forget(&world.store, &clock, &address("jo@books.example"), "Ann").await;
        assert_eq!(done.unwrap(), Forgetting::InFlight);
        assert_eq!(world.of_prompt(1, "recipient").await, "jo@books.example");
        // Its worker is gone: nobody knows, and it is not on its way any more.
        world.execute("UPDATE prompts SET lease_until = '2020-01-01T00:00:00.000000+00:00'").await;
        let done = erasing::forget(&world.store, &clock, &address("jo@books.example"), "Ann").await;
        let erased = Erased { prompts: 1, ..Erased::default() };
        assert_eq!(done.unwrap(), Forgetting::Done(erased));
        assert_eq!(world.of_prompt(1, "state").await, "unknown");
        assert!(world.of_prompt(1, "recipient").await.starts_with("p-"));
    })
    .await;
}

#[tokio::test]
async fn what_a_worker_has_in_hand_slips_out_of_it_and_is_not_taken_again() {
    both(async |world: World| {
        let store = &world.store;
        let now = start();
        let lease = Lease {
            owner: Uuid::from_u128(5),
            until: now + TimeDelta::minutes(1),
            now,
            day: now.date_naive(),
            edition: 1,
            run: Uuid::from_u128(6),
        };
        let wanted = || Wanted {
            prompt: Uuid::from_u128(7),
            recipient: "jo@books.example".to_owned(),
            stage: "invitation".to_owned(),
            channel: "email".to_owned(),
            wave: 0,
        };
        let leased = store.lease_prompts(vec![wanted()], lease, |_, _, _| Ok(())).await.unwrap();
        assert_eq!(leased.leased.len(), 1);
        let done = store.forget(&address("jo@books.example"), "Ann", now).await.unwrap();
        let erased = Erased { prompts: 1, withdrawn: 1, ..Erased::default() };
        assert_eq!(done, Forgetting::Done(erased));
        let sending = Start {
            prompt: Uuid::from_u128(7),
            fence: leased.leased[0].fence,
            is_notice: true,
            digest: "jo@books.example".to_owned(),
            message_sha256: String::new(),
            template_sha256: String::new(),
            shown: Vec::new(),
        };
        let until = lease.until;
        let advanced =
            store.advance_prompts(&[], &[sending], lease.owner, now, until, None).await.unwrap();
        assert!(advanced.started.is_empty());
        let back = Ended {
            prompt: Uuid::from_u128(7),
            fence: leased.leased[0].fence,
            state: PromptState::Queued,
            attempted: false,
            outcome: None,
            reference: None,
            due_at: now,
        };
        store.advance_prompts(&[back], &[], lease.owner, now, until, None).await.unwrap();
        let again = store.lease_prompts(vec![wanted()], lease, |_, _, _| Ok(())).await.unwrap();
        assert!(again.leased.is_empty() && again.held_back.is_empty());
        let rows = world.texts("SELECT state FROM prompts").await;
        assert_eq!(rows, ["refused"]);
        assert!(!format!("{:?}", world.dump(&[]).await).contains("jo@"));
    })
    .await;
}

/// Has somebody forgotten while the inventory is being read.
struct Meanwhile<'a> {
    world: &'a World,
    did: Mutex<bool>,
}

impl Watcher for Meanwhile<'_> {
    fn reading(&self, _: u64, _: Progress) {
        let mut did = self.did.lock().unwrap();
        if !std::mem::replace(&mut *did, true) {
            let database = self.world.database();
            let forget = async move {
                let store = database.open().await.unwrap();
                store.forget(&address("person1@example.com"), "Ann", start()).await.unwrap();
                store.close().await;
            };
            let run = move || tokio::runtime::Runtime::new().unwrap().block_on(forget);
            std::thread::spawn(run).join().unwrap();
        }
    }
    fn settling(&self, _: u64) {}
    fn deciding(&self, _: u64) {}
    fn done(&self) {}
}

#[tokio::test]
async fn a_scan_that_read_an_address_before_it_was_forgotten_does_not_bring_it_back() {
    both(async |world: World| {
        let meanwhile = Meanwhile { world: &world, did: Mutex::new(false) };
        let conditions = Conditions { watcher: &meanwhile, ..Conditions::default() };
        let scanned = world.scan_under(&lines(1..=2), conditions).await;
        assert!(scanned.is_err(), "it starts over");
        world.scan(&lines(1..=2)).await;
        let recipients =
            world.texts("SELECT recipient FROM people WHERE recipient IS NOT NULL").await;
        assert!(recipients[0].starts_with("p-"), "{recipients:?}");
        assert_eq!(recipients[1], "person2@example.com");
        assert!(!format!("{:?}", world.dump(&[]).await).contains("person1@"));
    })
    .await;
}

#[tokio::test]
async fn a_colleague_of_a_forgotten_person_is_still_told() {
    let shared = [quokka(1), quokka(1).with(Column::Email, "quokka2@numbat.example")];
    let sending = Sending::new(Base::Sqlite, &shared).await;
    sending.prepare();
    sending.worker(&["forget", "quokka1@numbat.example", "--by", "ann"]);
    let progress = sending.ran(0);
    assert_eq!((&progress["prompts_sent"], &progress["unreachable"]), (&1.into(), &0.into()));
    assert_eq!(sending.recipients(), ["TO:<quokka2@numbat.example>"]);
}
