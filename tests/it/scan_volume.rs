//! Inventories larger than any batch: what is looked up, judged and written in parts comes
//! to the same as in one.

use worker::inventory::Column;

use crate::support::inventory::id;
use crate::support::line::{BROAD, GRANULAR, Line, MIXED, READY, line};
use crate::support::state::State;
use crate::support::world::{World, both};

/// From here on a first load builds its indexes at its end.
const MANY: usize = 21_000;

/// Three connections a person, but the first two thousand are one accountant's; every
/// fiftieth tenant is shared by two people.
fn connection(number: usize, scopes: &str) -> Line {
    let person = if number < 2_000 { 0 } else { number / 3 };
    let tenant = if number % 50 == 7 { number - 7 } else { number };
    line(number)
        .with(Column::TenantId, id("a", tenant))
        .with(Column::XeroUserId, id("d", person))
        .with(Column::Scopes, scopes)
}

fn text(number: usize) -> &'static str {
    // Whoever has a number divisible by five is ready with all of theirs.
    let person = if number < 2_000 { 0 } else { number / 3 };
    match person % 5 {
        0 => READY,
        1 => MIXED,
        2 => GRANULAR,
        _ => BROAD,
    }
}

fn first() -> Vec<Line> {
    (0..MANY).map(|number| connection(number, text(number))).collect()
}

/// Some leave, some consent, some are somebody else's now, some have a second address.
fn later() -> Vec<Line> {
    let mut lines = Vec::new();
    for number in 0..MANY {
        let line = match number {
            _ if number % 31 == 0 => continue,
            _ if number % 17 == 0 => connection(number, READY),
            _ if number % 13 == 0 => {
                connection(number, text(number)).with(Column::XeroUserId, id("e", number / 2))
            }
            _ => connection(number, text(number)),
        };
        if number % 23 == 0 {
            lines.push(line.clone().with(Column::Email, "second@example.com"));
        }
        lines.push(line);
    }
    lines.extend((MANY..MANY + 700).map(|number| connection(number, BROAD)));
    lines
}

async fn same(world: &World, once: &World) {
    let (left, right) = (State::of(world).await, State::of(once).await);
    left.check_covered();
    assert_eq!(left.connections.len(), right.connections.len());
    for (key, connection) in &left.connections {
        assert_eq!(Some(connection), right.connections.get(key));
    }
    assert_eq!(left.grants, right.grants);
}

#[tokio::test]
async fn twenty_thousand_connections_scanned_twice_are_as_if_scanned_once() {
    let (first, later) = (first(), later());
    let once = World::fleeting().await;
    let expected = once.scan(&later).await.tally;
    both(async |world: World| {
        assert_eq!(world.scan(&first).await.tally.connections, MANY as u64);
        let summary = world.scan(&later).await;
        let missing = MANY.div_ceil(31) as u64;
        assert_eq!((summary.effect.newly_gone, summary.tally.gone), (missing, missing));
        assert_eq!(summary.tally.connections, expected.connections);
        assert!(summary.tally.covered > 0);
        same(&world, &once).await;
    })
    .await;
}
