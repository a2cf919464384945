//! Named campaigns, told line by line: `CAMPAIGNS=write cargo test --test it campaigns` writes
//! the files anew, and a change of any line is for somebody to look at.

use std::path::Path;

use worker::simulation::assume::{Assumptions, People};
use worker::simulation::proof::{Crash, Story, Trouble, What, tell};

fn calm() -> Assumptions {
    Assumptions::nobody_reacts(&People::default())
}

fn on(day: i64, what: What) -> Vec<Trouble> {
    vec![Trouble { day, what }]
}

fn crash(is_done: bool) -> What {
    What::Crash(Crash { after: 1, is_done })
}

/// Each with its name.
fn campaigns() -> Vec<(&'static str, Story)> {
    let all_follow = {
        let mut assumed = calm();
        assumed.customers.follow = vec![1.0];
        assumed
    };
    let all_come_back = {
        let mut assumed = calm();
        assumed.customers.come_back = 1.0;
        assumed
    };
    let all_bounce = {
        let mut assumed = calm();
        assumed.mail.dead_addresses = 1.0;
        assumed
    };
    let answers_get_lost = {
        let mut assumed = calm();
        assumed.xero.lost_answers = 1.0;
        assumed
    };
    let named = Story::named;
    let paused =
        vec![Trouble { day: 3, what: What::Pause }, Trouble { day: 6, what: What::Resume }];
    vec![
        ("nobody-reacts", named(2, calm(), Vec::new())),
        ("everybody-follows-the-first-mail", named(2, all_follow, Vec::new())),
        ("everybody-comes-back-after-the-removal", named(2, all_come_back, Vec::new())),
        ("every-mailbox-is-dead", named(2, all_bounce, Vec::new())),
        ("answers-of-removals-get-lost", named(2, answers_get_lost, Vec::new())),
        ("the-process-dies-before-a-mail", named(2, calm(), on(3, crash(false)))),
        ("the-process-dies-after-a-mail", named(2, calm(), on(3, crash(true)))),
        ("two-workers-at-once", named(2, calm(), on(3, What::Replicas(2)))),
        ("paused-when-a-stage-opens", named(2, calm(), paused)),
        ("the-deadline-moves", named(2, calm(), on(10, What::Deadline(5)))),
    ]
}

#[test]
fn named_campaigns_go_as_they_are_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/campaigns");
    let writes = std::env::var_os("CAMPAIGNS").is_some();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, story) in campaigns() {
        let told = runtime.block_on(tell(&story)).unwrap();
        assert_eq!(told.broken, None, "{name}");
        let text = format!("{story}\n{}\n", told.timeline.join("\n"));
        let file = folder.join(format!("{name}.txt"));
        if writes {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, written, "{name}: see the head of this file");
    }
}
