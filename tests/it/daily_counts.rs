//! The course of a campaign, day by day: counted from what is written down, as often as runs
//! like, and made up for where none could.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use worker::config::Config;
use worker::inventory::Column;

use crate::support::course::Told;
use crate::support::inventory::id;
use crate::support::line::{BROAD, Line, READY, lines};
use crate::support::world::{Conditions, World, both};

/// Noon in Auckland of a day around the turn of the year.
fn noon(day: u32) -> DateTime<Utc> {
    let first = NaiveDate::from_ymd_opt(2026, 12, 28).unwrap();
    let day = first + chrono::Days::new(day.into());
    (day.and_hms_opt(12, 0, 0).unwrap() - TimeDelta::hours(13)).and_utc()
}

async fn scan(world: &World, lines: &[Line], day: u32) {
    let conditions = Conditions { now: Some(noon(day)), ..Conditions::default() };
    assert!(world.scan_under(lines, conditions).await.unwrap().is_in_force());
}

async fn tell(world: &World, person: usize, stage: &str, day: u32) {
    let told = Told {
        id: uuid::Uuid::new_v5(&uuid::Uuid::nil(), format!("{stage} {person}").as_bytes()),
        email: format!("person{person}@example.com"),
        key: id("c", person),
        stage,
        at: noon(day),
        bounced: None,
        promised: None,
    };
    world.told(&told).await;
}

fn turned(mut all: Vec<Line>, ready: &[usize]) -> Vec<Line> {
    for number in ready {
        all[number - 1] = all[number - 1].clone().with(Column::Scopes, READY);
    }
    all
}

/// A week in which eight people are told, follow, leave, and are told again.
async fn week(world: &World, counts: &[u32]) -> Config {
    let config = Config::builtin().unwrap();
    let all = lines(1..=8);
    let count = async |day| {
        if counts.contains(&day) {
            world.count_day(&config, noon(day)).await;
        }
    };
    scan(world, &all, 0).await;
    count(0).await;
    for person in 1..=5 {
        tell(world, person, "invitation", 1).await;
    }
    scan(world, &all, 1).await;
    count(1).await;
    // One follows, and one whom nobody told.
    scan(world, &turned(all.clone(), &[1, 7]), 2).await;
    count(2).await;
    // Person 4 is gone.
    let mut fewer = turned(all.clone(), &[1, 7]);
    fewer.remove(3);
    let back = noon(3).format("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let of = "recipient = 'person5@example.com'";
    world.execute(&format!("UPDATE prompts SET bounced_at = '{back}' WHERE {of}")).await;
    scan(world, &fewer, 3).await;
    count(3).await;
    tell(world, 2, "reminder", 4).await;
    scan(world, &fewer, 4).await;
    count(4).await;
    // Who was told twice follows; the first one falls back.
    let mut last = turned(all.clone(), &[1, 2, 7]);
    last[0] = last[0].clone().with(Column::Scopes, BROAD);
    last.remove(3);
    scan(world, &last, 5).await;
    count(5).await;
    config
}

const EVENTS: [&str; 13] = [
    "2026-12-29 mails - - 5",
    "2026-12-29 messages invitation - 5",
    "2026-12-29 told invitation - 4",
    "2026-12-30 became_ready - - 1",
    "2026-12-30 became_ready invitation 2026-12-29 1",
    "2026-12-31 bounced - - 1",
    "2026-12-31 left invitation 2026-12-29 1",
    "2027-01-01 mails - - 1",
    "2027-01-01 messages reminder - 1",
    "2027-01-01 moved invitation 2026-12-29 1",
    "2027-01-01 told reminder - 1",
    "2027-01-02 became_ready reminder 2027-01-01 1",
    "2027-01-02 fell_back - - 1",
];

fn sorted(mut events: Vec<String>) -> Vec<String> {
    events.sort();
    events
}

fn expected() -> Vec<String> {
    sorted(EVENTS.map(str::to_owned).into())
}

#[tokio::test]
async fn what_happened_is_counted_by_stage_and_by_the_day_of_the_telling() {
    both(async |world: World| {
        week(&world, &[5]).await;
        assert_eq!(sorted(world.events().await), expected());
    })
    .await;
}

#[tokio::test]
async fn counting_again_changes_nothing_and_the_last_run_of_a_day_holds() {
    both(async |world: World| {
        let config = week(&world, &[5]).await;
        world.count_day(&config, noon(5)).await;
        assert_eq!(sorted(world.events().await), expected());
        scan(&world, &turned(lines(1..=8), &[2, 3, 7]), 5).await;
        world.count_day(&config, noon(5)).await;
        let ready = world.level("ready").await;
        assert_eq!(ready.values().copied().collect::<Vec<_>>(), [3]);
    })
    .await;
}

#[tokio::test]
async fn days_without_a_count_are_made_up_for_by_the_next_run() {
    both(async |world: World| {
        week(&world, &[0, 4, 5]).await;
        assert_eq!(sorted(world.events().await), expected());
        let awaiting = world.level("awaiting").await;
        assert_eq!(awaiting.values().copied().collect::<Vec<_>>(), [8, 5, 5]);
    })
    .await;
}

#[tokio::test]
async fn who_bounced_after_being_counted_is_told_no_longer() {
    both(async |world: World| {
        week(&world, &[0, 1, 2, 3, 4, 5]).await;
        let events = world.events().await;
        // Counted as told on its day, and as left once the message came back.
        assert!(events.contains(&"2026-12-29 told invitation - 5".to_owned()), "{events:#?}");
        assert!(
            events.contains(&"2026-12-31 left invitation 2026-12-29 2".to_owned()),
            "{events:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn those_held_back_are_followed_until_somebody_tells_them() {
    both(async |world: World| {
        let config = Config::builtin().unwrap();
        let all = lines(1..=4);
        scan(&world, &all, 0).await;
        let keys: Vec<uuid::Uuid> = (1..=3).map(|n| id("c", n).parse().unwrap()).collect();
        for day in [1, 2] {
            // Held back in each run, and written down once.
            world.store.hold_back("invitation", &keys, noon(day)).await.unwrap();
        }
        tell(&world, 4, "invitation", 1).await;
        scan(&world, &turned(all.clone(), &[1]), 2).await;
        tell(&world, 2, "reminder", 3).await;
        scan(&world, &turned(all.clone(), &[1, 2]), 4).await;
        world.count_day(&config, noon(4)).await;
        let events = world.events().await;
        let of_held: Vec<&String> = events.iter().filter(|it| it.contains("held")).collect();
        assert_eq!(
            of_held,
            [
                "2026-12-29 held invitation - 3",
                "2026-12-30 held_ready invitation 2026-12-29 1",
                "2026-12-31 held_moved invitation 2026-12-29 1",
            ]
        );
        assert!(events.contains(&"2027-01-01 became_ready reminder 2026-12-31 1".to_owned()));
    })
    .await;
}
