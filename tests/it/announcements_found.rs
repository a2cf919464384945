//! Which connections there may be news of for webhooks, as the database finds them: all of which
//! the last word is not where they stand (`jobs::announcing::news::state`).

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::course::Told;
use crate::support::inventory::id;
use crate::support::line::lines;
use crate::support::world::{World, both};

/// Presence, readiness, left to people, returned, and the word for it.
const STANDINGS: [(&str, &str, bool, bool, &str); 9] = [
    ("removed", "awaiting", false, true, "returned"),
    ("removed", "ready", false, false, "removed"),
    ("present", "ready", false, true, "returned"),
    ("present", "ready", false, false, "ready"),
    ("gone", "ready", false, true, "withdrawn"),
    ("gone", "awaiting", false, false, "withdrawn"),
    ("present", "unaffected", false, false, "withdrawn"),
    ("present", "unaffected", false, true, "withdrawn"),
    ("present", "awaiting", true, false, "withdrawn"),
];

const WORDS: [&str; 4] = ["ready", "withdrawn", "removed", "returned"];

struct Spelling(bool);

impl Spelling {
    fn id(&self, id: &str) -> String {
        match self.0 {
            true => format!("'{id}'"),
            false => format!("X'{}'", id.replace('-', "")),
        }
    }

    fn truth(&self, it: bool) -> &'static str {
        match (self.0, it) {
            (true, true) => "true",
            (true, false) => "false",
            (false, true) => "1",
            (false, false) => "0",
        }
    }
}

fn time(at: DateTime<Utc>) -> String {
    format!("'{}'", at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
}

#[tokio::test]
async fn there_may_be_news_wherever_the_last_word_is_another_and_nowhere_else() {
    both(async |world: World| {
        world.scan(&lines(1..=2)).await;
        let spelling = Spelling(world.is_postgres());
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let told = Told {
            id: uuid::Uuid::nil(),
            email: "person1@example.com".to_owned(),
            key: id("c", 1),
            stage: "invitation",
            at,
            bounced: None,
            promised: None,
        };
        world.told(&told).await;
        world.execute("UPDATE prompts SET channel = 'webhook:product'").await;
        let key = spelling.id(&id("c", 1));
        world
            .execute(&format!(
                "INSERT INTO removals (removal_id, connection_key, connection_id, tenant_id, \
                 grant_id, plan_id, planned, people, state, due_at, attempts, lost, fence, \
                 run_id, made_at) VALUES ({key}, {key}, {key}, {key}, {key}, 'p', '{{}}', '[]', \
                 'removed', {0}, 1, 0, 1, {key}, {0})",
                time(at)
            ))
            .await;
        for (presence, readiness, manual, returned, word) in STANDINGS {
            let back = if returned { time(at) } else { "NULL".to_owned() };
            world
                .execute(&format!(
                    "UPDATE connections SET presence = '{presence}', readiness = '{readiness}', \
                     manual = {} WHERE connection_key = {key}; \
                     UPDATE removals SET returned_at = {back}",
                    spelling.truth(manual)
                ))
                .await;
            let said = |words: Vec<&'static str>| said(&world, &spelling, at, words);
            let case = format!("{presence} {readiness} {manual} {returned}");
            assert!(said(vec![]).await, "{case}: nothing was said yet");
            for last in WORDS {
                assert_eq!(said(vec![last]).await, last != word, "{case} after {last}");
                // What was said before the last word does not count.
                assert_eq!(said(vec![word, last]).await, last != word, "{case} again {last}");
            }
        }
    })
    .await;
}

/// Whether there may be news of the connection after these words.
async fn said(
    world: &World,
    spelling: &Spelling,
    at: DateTime<Utc>,
    words: Vec<&'static str>,
) -> bool {
    world.execute("DELETE FROM announcements").await;
    for (hour, word) in (1..).zip(words) {
        let made = time(at + TimeDelta::hours(hour));
        let own = spelling.id(&uuid::Uuid::from_u128(hour.unsigned_abs().into()).to_string());
        let key = spelling.id(&id("c", 1));
        world
            .execute(&format!(
                "INSERT INTO announcements (announcement_id, webhook, connection_key, what, \
                 body, state, due_at, attempts, fence, made_at) VALUES ({own}, 'product', {key}, \
                 '{word}', '', 'sent', {made}, 1, 1, {made})"
            ))
            .await;
    }
    !world.store.next_shown(None, false).await.unwrap().is_empty()
}
