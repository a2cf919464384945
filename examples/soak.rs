//! Tells stories of many seeds, and looks whether the promises are kept:
//! `cargo run --release --example soak -- --seeds 10000 [--from 0]`. One that is not prints its
//! seed and the shortest story found that breaks it; `--seed N` tells that one again.

use std::process::ExitCode;

use worker::simulation::proof::{Story, shrink, tell};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let one = number("--seed");
    let from = one.or(number("--from")).unwrap_or(0);
    let until = from + one.map_or(number("--seeds").unwrap_or(1000), |_| 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut messages, mut removals, mut crashes, mut runs, mut found) = (0, 0, 0, 0, 0);
    let mut out = std::io::stdout().lock();
    let mut say = |text: String| {
        use std::io::Write;
        writeln!(out, "{text}").expect("somebody reads");
    };
    for seed in from..until {
        let story = Story::of(seed);
        let told = runtime.block_on(tell(&story)).expect("a temporary directory");
        messages += told.messages;
        removals += told.removals;
        crashes += told.crashes;
        runs += told.runs;
        if one.is_some() {
            say(format!("{story}"));
            told.timeline.iter().for_each(|line| say(format!("  {line}")));
        }
        let Some(broken) = told.broken else { continue };
        found += 1;
        say(format!("seed {seed} breaks a promise: {broken}"));
        if one.is_none() {
            let shortest = runtime.block_on(shrink(story, broken.promise));
            say(format!("  shortest: {}", shortest.expect("a temporary directory")));
        }
    }
    say(format!(
        "{} seeds: {runs} runs, {messages} messages, {removals} removals, {crashes} crashes, {found} broken",
        until - from
    ));
    ExitCode::from(u8::from(found > 0))
}
