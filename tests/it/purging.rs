//! Erasing by age, and the end of a campaign.

use chrono::TimeDelta;
use uuid::Uuid;
use worker::domain::campaign::Channel;
use worker::domain::recipient::Recipient;
use worker::domain::told::{History, Way};
use worker::inventory::Column;
use worker::store::prompts::{Lease, Spent, Wanted};
use worker::store::purging::Purged;
use worker::store::settings::Keys;

use crate::support::line::{line, lines};
use crate::support::place::Place;
use crate::support::world::{World, both, start};

const FRESH: Keys = Keys { fingerprint: [1; 16], pseudonym: [2; 32] };

fn later(days: i64) -> chrono::DateTime<chrono::Utc> {
    start() + TimeDelta::days(days)
}

/// Prompts of 1 December 2026 to these people, in these states.
async fn prompts(world: &World, all: &[(&str, &str)]) {
    for (number, (recipient, state)) in all.iter().enumerate() {
        world.prompt(number, recipient, state).await;
    }
    world.execute("UPDATE prompts SET digest = '{\"to\": \"jo\"}', outcome = 'jo is full'").await;
}

#[tokio::test]
async fn what_is_over_is_purged_and_what_may_still_happen_is_not() {
    both(async |world: World| {
        let states = ["sent", "refused", "unknown", "queued", "leased", "sending"];
        let people: Vec<String> = states.iter().map(|state| format!("{state}@x.example")).collect();
        let all: Vec<(&str, &str)> = people.iter().map(String::as_str).zip(states).collect();
        prompts(&world, &all).await;
        let early = world.store.purge(later(1), "Ann", later(60)).await.unwrap();
        assert_eq!(early, Purged::default());
        let purged = world.store.purge(later(30), "Ann", later(60)).await.unwrap();
        assert_eq!(purged, Purged { prompts: 2, ..Purged::default() });
        for (number, state) in states.into_iter().enumerate() {
            let is_over = ["sent", "refused"].contains(&state);
            let recipient = world.of_prompt(number, "recipient").await;
            assert_eq!(recipient.starts_with("p-"), is_over, "{state}");
            assert_eq!(world.of_prompt(number, "digest").await.is_empty(), is_over, "{state}");
            assert_eq!(world.of_prompt(number, "state").await, state);
        }
        assert!(world.store.verify_audit(None).await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_purged_prompt_still_keeps_its_person_from_being_told_twice() {
    both(async |world: World| {
        world.scan(&[line(1).with(Column::Email, "Jo@x.example")]).await;
        prompts(&world, &[("jo@x.example", "sent")]).await;
        world.store.purge(later(30), "Ann", later(60)).await.unwrap();
        let connection = world.get(1).await;
        let past = world.store.past(1, &[vec![connection]]).await.unwrap();
        let jo = Recipient::Address("jo@x.example".parse().unwrap());
        let campaign = worker::config::Config::builtin().unwrap().campaign;
        let way = past.way(&jo, &campaign.stages[0], &Channel::Email, later(60));
        assert_eq!(way, Way::Done);
        // And if it were wanted all the same:
        let wanted = Wanted {
            prompt: Uuid::from_u128(7),
            recipient: "jo@x.example".to_owned(),
            stage: "invitation".to_owned(),
            channel: "email".to_owned(),
            wave: 0,
        };
        let now = later(60);
        let (owner, run) = (Uuid::from_u128(5), Uuid::from_u128(6));
        let lease = Lease { owner, until: now, now, day: now.date_naive(), edition: 1, run };
        let caps = |_: &Wanted, _: &Spent, _| Ok(());
        let leasing = world.store.lease_prompts(vec![wanted], lease, caps).await.unwrap();
        assert!(leasing.leased.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_is_gone_for_long_is_erased_and_comes_back_whole() {
    both(async |world: World| {
        let named = line(1).with(Column::TenantName, "Acme").with(Column::AccountId, "A-1");
        world.scan(&[named.clone(), line(2)]).await;
        world.scan(&[line(2)]).await;
        let early = world.store.purge(start(), "Ann", later(60)).await.unwrap();
        assert_eq!(early, Purged::default());
        let purged = world.store.purge(later(30), "Ann", later(60)).await.unwrap();
        assert_eq!(purged, Purged { people: 1, connections: 1, ..Purged::default() });
        let gone = world.get(1).await;
        assert!(gone.people.is_empty() && gone.facts.tenant_name.is_none());
        assert_eq!(world.get(2).await.people.len(), 1);
        world.scan(&[named, line(2)]).await;
        let back = world.get(1).await;
        assert_eq!(back.people.len(), 1);
        assert_eq!(back.facts.tenant_name.as_deref(), Some("Acme"));
    })
    .await;
}

#[tokio::test]
async fn with_the_key_goes_everybody_and_the_record_stays_whole() {
    both(async |world: World| {
        let people = lines(1..=3).into_iter().map(|line| line.with(Column::Name, "Zoë"));
        world.scan(&people.collect::<Vec<_>>()).await;
        prompts(&world, &[("person1@example.com", "sent"), ("person2@example.com", "unknown")])
            .await;
        let forgotten = "person3@example.com".parse().unwrap();
        world.store.forget(&forgotten, "ann@books.example", start()).await.unwrap();
        world.store.accept_scan("00ff", "Ann", "as bo@books.example says", start()).await.unwrap();
        let pseudonym = world.texts("SELECT pseudonym FROM forgotten").await.remove(0);
        world.store.close_campaign("Ann", later(400), &FRESH).await.unwrap();
        let left = format!("{:?}", world.dump(&[]).await);
        for word in ["example", "Zoë", "jo is full"] {
            assert!(!left.contains(word), "{word}");
        }
        assert!(!left.contains("0909090909"), "the key is gone");
        assert!(left.contains(&pseudonym), "what was recorded stays as it was");
        assert!(world.store.verify_audit(None).await.unwrap().is_ok());
        assert!(world.store.require_open().await.is_err());
        assert!(world.of_prompt(0, "recipient").await.starts_with("p-"));
    })
    .await;
}

#[test]
fn the_key_is_kept_until_the_retention_has_ended_and_no_run_works_without_it() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let purge = ["purge", "--before", "2026-01-01", "--destroy-key", "--by", "ann"];
    place.worker(&purge).complains(2, "kept until 2028-09-1", "days_after_deadline");
    let future = ["purge", "--before", "2199-01-01"];
    place.worker(&future).complains(2, "yet to come", "has been");
    let said = place.done(&["purge", "--before", "2026-01-01", "--format", "json"]).json();
    assert_eq!((&said["key_destroyed"], &said["file_rewritten"]), (&false.into(), &true.into()));

    // Over since long ago.
    let over = [("deadline = 2027-09-13 ", "deadline = 2020-09-13 ")];
    place.configure(&over);
    let run = place.worker(&["run-once"]);
    assert!(run.err.contains("worker purge --before 2021-09-13 --destroy-key"), "{run}");
    assert!(String::from_utf8_lossy(&std::fs::read(place.database()).unwrap()).contains('@'));
    let said = place.done(&purge);
    assert!(said.out.contains("The key is destroyed"), "{said}");
    let bytes = std::fs::read(place.database()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(".example"), "people are in the file");
    for command in
        [&["run-once"][..], &["run-once", "--dry-run"], &["suppress", "add", "a@b.example"]]
    {
        place.worker(command).complains(1, "campaign of this database is over", "of its own");
    }
    place.done(&["audit", "verify"]);
    let last = place.done(&["audit", "list", "--limit", "1", "--format", "json"]).json();
    assert_eq!((&last[0]["kind"], &last[0]["by"]), (&"key_destroyed".into(), &"ann".into()));
}
