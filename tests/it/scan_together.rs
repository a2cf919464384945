//! Scans that meet, break off or are called off: the last complete one stays in force.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use tokio_util::sync::CancellationToken;
use worker::inventory::{self, Column, Columns, Progress, Reader};
use worker::jobs::progress::Watcher;
use worker::jobs::scan::Error;
use worker::store;

use crate::support::inventory::OneFile;
use crate::support::line::{Line, READY, line, lines};
use crate::support::world::{Conditions, World, both};

/// Lets nobody read on before all have begun.
struct Meeting {
    barrier: Barrier,
    met: AtomicU64,
}

impl Watcher for Meeting {
    fn reading(&self, _: u64, _: Progress) {
        if self.met.fetch_add(1, Ordering::Relaxed) < 2 {
            self.barrier.wait();
        }
    }
    fn settling(&self, _: u64) {}
    fn deciding(&self, _: u64) {}
    fn done(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_scans_at_once_the_second_is_overtaken_and_changes_nothing() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let meeting = Meeting { barrier: Barrier::new(2), met: AtomicU64::new(0) };
        let one = vec![line(1).with(Column::Scopes, READY), line(2), line(3)];
        let two = vec![line(1), line(2).with(Column::Scopes, READY), line(3)];
        let scan = async |inventory: &[Line]| {
            let conditions = Conditions { watcher: &meeting, ..Conditions::default() };
            world.scan_under(inventory, conditions).await
        };
        // Each in a thread of its own: one may have to wait for the other's transaction.
        let (first, second) = std::thread::scope(|threads| {
            let handle = tokio::runtime::Handle::current();
            let (one, two) = (&one, &two);
            let scan = &scan;
            let other = handle.clone();
            let first = threads.spawn(move || handle.block_on(scan(one)));
            let second = threads.spawn(move || other.block_on(scan(two)));
            (first.join().expect("a result"), second.join().expect("a result"))
        });
        let (winner, loser) = match (&first, &second) {
            (Ok(_), Err(error)) => (1, error),
            (Err(error), Ok(_)) => (2, error),
            other => panic!("one of two: {other:?}"),
        };
        assert!(matches!(loser, Error::Store(store::Error::Overtaken)), "{loser}");
        for number in 1..=2 {
            let is_ready = world.get(number).await.standing.class.as_str() == "granular";
            assert_eq!(is_ready, number == winner);
        }
        assert_eq!(world.store.tally().await.unwrap().ready, 1);
    })
    .await;
}

/// Calls the scan off when it gets to a certain point.
#[derive(Default)]
struct CallOff {
    while_reading: bool,
    cancel: CancellationToken,
    did: AtomicBool,
}

impl Watcher for CallOff {
    fn reading(&self, _: u64, _: Progress) {
        if self.while_reading {
            self.did.store(true, Ordering::Relaxed);
            self.cancel.cancel();
        }
    }
    fn settling(&self, _: u64) {
        self.did.store(true, Ordering::Relaxed);
        self.cancel.cancel();
    }
    fn deciding(&self, _: u64) {}
    fn done(&self) {}
}

#[tokio::test]
async fn a_scan_that_is_called_off_changes_nothing() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.dump(&[]).await;
        for while_reading in [true, false] {
            let watcher = CallOff { while_reading, ..CallOff::default() };
            let conditions = Conditions {
                watcher: &watcher,
                cancel: watcher.cancel.clone(),
                ..Conditions::default()
            };
            let renewed: Vec<Line> =
                lines(2..=2_000).into_iter().map(|line| line.with(Column::Scopes, READY)).collect();
            let error = world.scan_under(&renewed, conditions).await.expect_err("called off");
            assert!(matches!(error, Error::Interrupted), "{error}");
            assert!(watcher.did.load(Ordering::Relaxed));
            assert_eq!(world.dump(&[]).await, before);
        }
        assert_eq!(world.scan(&lines(1..=3)).await.tally.connections, 3);
    })
    .await;
}

/// Polls so many times, then drops the future as a crash would.
async fn dies_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_scan_that_dies_at_any_moment_leaves_the_last_one_or_its_own_whole_result() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.dump(&[]).await;
        let mut renewed = lines(2..=600);
        renewed[0] = line(2).with(Column::Scopes, READY);
        let mut deaths = 0;
        loop {
            let scan = world.scan_under(&renewed, Conditions::default());
            let lived = dies_after(deaths, scan).await;
            let tally = world.store.tally().await.unwrap();
            if tally.connections == 599 {
                assert_eq!((tally.ready, tally.gone), (1, 1));
                break;
            }
            assert!(lived.is_none(), "it said that it was complete");
            assert_eq!(world.dump(&[]).await, before, "after {deaths} steps");
            deaths += 1;
        }
        assert!(deaths > 10, "{deaths}");
        assert_eq!(world.scan(&renewed).await.effect.changed, 0);
    })
    .await;
}

/// Reads half of an inventory, then the source breaks off.
#[tokio::test]
async fn a_half_read_inventory_changes_nothing_e3() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        let before = world.dump(&[]).await;
        let mut text = crate::support::line::csv(&lines(1..=2));
        text.extend_from_slice(b"\"never closed");
        let file = OneFile::new(text);
        let reader = Reader::open(file.csv(), Columns::default()).await;
        let error = match reader {
            Ok(reader) => world.scan_reader(reader, Conditions::default()).await.err(),
            Err(error) => Some(Error::Inventory(error)),
        };
        let Some(Error::Inventory(error)) = error else { panic!("half of it: {error:?}") };
        assert_eq!(error.kind(), inventory::ErrorKind::Unreadable, "{error}");
        assert_eq!(world.dump(&[]).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_database_that_fails_while_it_is_written_leaves_the_last_scan_in_force() {
    both(async |world: World| {
        world.scan(&lines(1..=3)).await;
        // The last thing that a scan writes is refused.
        match world.is_postgres() {
            true => {
                world
                    .execute(
                        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
                         $$BEGIN RAISE EXCEPTION 'disk full'; END$$; \
                         CREATE TRIGGER fail BEFORE INSERT ON scans \
                         FOR EACH ROW EXECUTE FUNCTION fail()",
                    )
                    .await;
            }
            false => {
                world
                    .execute(
                        "CREATE TRIGGER fail BEFORE INSERT ON scans \
                         BEGIN SELECT RAISE(ABORT, 'disk full'); END",
                    )
                    .await;
            }
        }
        let before = world.dump(&[]).await;
        let renewed: Vec<Line> =
            lines(2..=900).into_iter().map(|line| line.with(Column::Scopes, READY)).collect();
        let error =
            world.scan_under(&renewed, Conditions::default()).await.expect_err("no confirmation");
        assert!(matches!(error, Error::Store(store::Error::Database(_))), "{error}");
        assert_eq!(world.dump(&[]).await, before);
        let on = if world.is_postgres() { " ON scans" } else { "" };
        world.execute(&format!("DROP TRIGGER fail{on}")).await;
        assert_eq!(world.scan(&renewed).await.tally.connections, 899);
    })
    .await;
}
