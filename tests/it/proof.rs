//! The promises under everything that can go wrong: stories of many seeds, each judged after
//! every step. `cargo run --release --example soak -- --seeds 10000` tells more of them.

use worker::simulation::proof::{Story, What, shrink, tell};

/// Told by every run of the tests; each takes a moment.
const SEEDS: std::ops::Range<u64> = 0..200;

/// The story of a seed without its deaths of the process: which of two statements was committed
/// when it died differs from telling to telling.
fn without_deaths(seed: u64) -> Story {
    let mut story = Story::of(seed);
    story.troubles.retain(|trouble| !matches!(trouble.what, What::Crash(_)));
    story
}

#[test]
fn no_promise_is_broken_whatever_goes_wrong() {
    let told = std::thread::scope(|scope| {
        let half = |which: u64| {
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime");
                let mut counts = (0, 0, 0);
                for seed in SEEDS.filter(|seed| seed % 2 == which) {
                    let story = Story::of(seed);
                    let told = runtime.block_on(tell(&story)).expect("a temporary directory");
                    if let Some(broken) = told.broken {
                        let shortest = runtime.block_on(shrink(story, broken.promise));
                        let shortest = shortest.expect("a temporary directory");
                        panic!("seed {seed}: {broken}\nshortest: {shortest}");
                    }
                    counts.0 += told.messages;
                    counts.1 += told.removals;
                    counts.2 += told.crashes;
                }
                counts
            }
        };
        let halves = [scope.spawn(half(0)), scope.spawn(half(1))];
        halves.map(|half| half.join().expect("no promise is broken"))
    });
    let sum = |of: fn((usize, usize, usize)) -> usize| told.into_iter().map(of).sum::<usize>();
    let (messages, removals, crashes) = (sum(|it| it.0), sum(|it| it.1), sum(|it| it.2));
    // Stories in which nothing happens would prove nothing.
    assert!(messages > 5000 && removals > 350 && crashes > 100, "{messages} {removals} {crashes}");
}

#[test]
fn a_story_is_told_the_same_way_twice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for seed in [3, 17, 20, 22] {
        let story = without_deaths(seed);
        let [one, two] = [0, 1].map(|_| runtime.block_on(tell(&story)).unwrap().timeline);
        assert!(!one.is_empty(), "{story}");
        assert_eq!(one, two, "{story}");
    }
}
