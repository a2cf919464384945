//! Caps, ramps and pauses hold across runs and restarts, and what stops a run spends nothing
//! (promises 4 and 10).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use worker::inventory::Column;

use crate::support::http::{Reply, Request};
use crate::support::line::{READY, line, lines};
use crate::support::place::Place;
use crate::support::sending::{BASES, Base, Sending, well};
use crate::support::smtp::{Moment, Reaction, Step};

/// A campaign about so many people with this configuration.
async fn with(base: Base, people: usize, edits: &[(&str, &str)]) -> Sending {
    let sending = Sending::new(base, &lines(0..people)).await;
    sending.configure(edits);
    sending.prepare();
    sending
}

/// What each of so many runs sends.
fn sent(sending: &Sending, runs: usize) -> Vec<u64> {
    (0..runs).map(|_| sending.ran(0)["prompts_sent"].as_u64().expect("a number")).collect()
}

/// As if all that was sent had been sent a day before.
async fn a_day_passes(sending: &Sending) {
    // Days sort as text, so one that is long over stands for yesterday.
    let days = "SELECT DISTINCT day FROM prompts WHERE day < '2021' ORDER BY day DESC";
    let last = sending.texts(days).await.first().cloned().unwrap_or("2020-01-01".to_owned());
    let next = last.parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(1);
    sending.execute(&format!("UPDATE prompts SET day = '{next}' WHERE day > '2021'")).await;
}

#[tokio::test]
async fn the_cap_of_a_run_is_of_each_run_and_the_cap_of_a_day_of_all() {
    for base in BASES {
        let caps =
            [("max_per_run = 5000", "max_per_run = 4"), ("max_per_day = 10000", "max_per_day = 9")];
        let sending = with(base, 12, &caps).await;
        assert_eq!(sent(&sending, 4), [4, 4, 1, 0], "{base:?}");
        a_day_passes(&sending).await;
        assert_eq!(sent(&sending, 2), [3, 0]);
        assert_eq!(sending.recipients().len(), 12);
    }
}

#[tokio::test]
async fn a_ramp_lets_more_through_each_day_and_nobody_twice() {
    for base in BASES {
        let sending = with(base, 12, &[("ramp = []", "ramp = [2, 5]")]).await;
        assert_eq!(sent(&sending, 2), [2, 0], "{base:?}");
        a_day_passes(&sending).await;
        assert_eq!(sent(&sending, 2), [5, 0]);
        a_day_passes(&sending).await;
        assert_eq!(sent(&sending, 2), [5, 0]);
        let mut once = sending.recipients();
        once.dedup();
        assert_eq!(once.len(), 12);
    }
}

#[tokio::test]
async fn zero_means_none() {
    for (cap, zero) in [
        ("max_per_run = 5000", "max_per_run = 0"),
        ("max_per_day = 10000", "max_per_day = 0"),
        ("max_per_address_per_day = 1", "max_per_address_per_day = 0"),
        ("ramp = []", "ramp = [0]"),
    ] {
        let sending = with(Base::Sqlite, 3, &[(cap, zero)]).await;
        assert_eq!(sent(&sending, 2), [0, 0], "{zero}");
        assert!(sending.recipients().is_empty());
        assert!(!sending.states().await.contains_key("leased"), "{zero}");
    }
}

#[tokio::test]
async fn a_mail_rate_of_zero_sends_none_and_says_so() {
    let sending = with(Base::Sqlite, 3, &[("max_per_minute = 60000", "max_per_minute = 0")]).await;
    let said = sending.run();
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.err.contains("max_per_minute of [email] is 0"), "{said}");
    assert!(sending.recipients().is_empty());
}

#[tokio::test]
async fn nobody_outside_only_to_is_written_to() {
    for base in BASES {
        let mut people = lines(0..4);
        people[2] = line(2).with(Column::Email, "Try@Acme.example");
        people[3] = line(3).with(Column::Email, "try@notacme.example");
        let sending = Sending::new(base, &people).await;
        sending.configure(&[("only_to = []", "only_to = [\"*@acme.example\"]")]);
        sending.prepare();
        assert_eq!(sent(&sending, 2), [1, 0]);
        assert_eq!(sending.recipients().len(), 1, "{base:?}");
        assert!(sending.recipients()[0].contains("<Try@acme.example>"));
    }
}

/// The stage after the one that is due is due too: its time has come while the first went out.
const NEXT_STAGE: (&str, &str) = (
    "days_before = 90\nchannels = [\"email\", \"webhook:product\"]",
    "days_before = 120\nchannels = [\"email\"]",
);

#[tokio::test]
async fn an_address_gets_no_more_than_its_share_a_day() {
    for base in BASES {
        let sending = with(base, 3, &[]).await;
        assert_eq!(sent(&sending, 1), [3]);
        sending.configure(&[NEXT_STAGE]);
        assert_eq!(sent(&sending, 2), [0, 0], "{base:?}: today they had theirs");
        a_day_passes(&sending).await;
        assert_eq!(sent(&sending, 2), [3, 0]);
    }
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_run_stops_it_at_once() {
    for base in BASES {
        let (count, pause) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(None)));
        let command: Arc<std::sync::Mutex<Option<std::process::Command>>> = Arc::clone(&pause);
        let dots = Arc::clone(&count);
        let react = move |moment: &Moment| {
            if moment.step == Step::Dot && dots.fetch_add(1, Ordering::SeqCst) == 10 {
                let mut command = command.lock().unwrap().take().expect("the one pause");
                assert!(command.output().unwrap().status.success());
            }
            Reaction::Usual
        };
        let sending = Sending::with(base, &lines(0..200), react, well).await;
        sending.prepare();
        *pause.lock().unwrap() =
            Some(sending.command(&["pause", "--reason", "wrong text", "--by", "ann"]));
        let said = sending.run();
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.err.contains("paused: wrong text"), "{said}");
        let arrived = sending.recipients().len();
        // What was in flight at that moment, on four connections, and what was committed to be.
        assert!((11..=20).contains(&arrived), "{base:?}: {arrived} arrived");
        let states = sending.states().await;
        assert_eq!(states["sent"], arrived);
        assert!(!states.contains_key("leased") && !states.contains_key("sending"), "{states:?}");
        assert_eq!(sending.ran(0)["prompts_sent"], 0, "and the next sends nothing");
        let resumed = sending.worker(&["resume", "--by", "ann"]);
        assert_eq!(resumed.code, Some(0), "{resumed}");
        assert_eq!(sending.ran(0)["prompts_sent"], 200 - arrived);
        let mut once = sending.recipients();
        once.dedup();
        assert_eq!(once.len(), 200);
    }
}

#[tokio::test]
async fn while_the_reconnect_page_is_down_nothing_is_sent_and_nothing_is_spent() {
    for base in BASES {
        let down = Arc::new(AtomicBool::new(true));
        let is_down = Arc::clone(&down);
        let web = move |request: &Request| {
            let is_page = request.path.starts_with("/xero/reconnect");
            if is_page && is_down.load(Ordering::SeqCst) {
                Reply::status(503)
            } else {
                well(request)
            }
        };
        let sending = Sending::with(base, &lines(0..3), |_| Reaction::Usual, web).await;
        sending.prepare();
        let said = sending.run();
        assert_eq!(said.code, Some(4), "{said}");
        assert!(sending.states().await.is_empty(), "{base:?}: nothing is spent");
        assert!(sending.smtp.commands.all().is_empty());
        down.store(false, Ordering::SeqCst);
        assert_eq!(sending.ran(0)["prompts_sent"], 3);
    }
}

/// A job that only prompts, beside the one that does all.
fn only_prompts(place: &Place) {
    let text = std::fs::read_to_string(place.path("jobs.toml")).unwrap();
    let job = "\n[[jobs]]\nname = \"prompts\"\nsteps = [\"prompt\"]\nschedule = \"5 * * * *\"\n";
    place.write("jobs.toml", text + job);
}

#[tokio::test]
async fn an_old_look_at_the_inventory_is_taken_again_before_anybody_is_written_to() {
    for base in BASES {
        let sending = with(base, 3, &[]).await;
        only_prompts(&sending.place);
        let mut now = lines(0..3);
        now[1] = line(1).with(Column::Scopes, format!("{READY} accounting.contacts"));
        sending.show(&now);
        let long_ago = "2020-01-01T00:00:00.000000+00:00";
        sending
            .execute(&format!(
                "UPDATE scans SET finished_at = '{long_ago}'; \
                 UPDATE connections SET first_seen_at = '{long_ago}'"
            ))
            .await;
        let said = sending.worker(&["run-once", "--job", "prompts"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.err.contains("looking again"), "{said}");
        assert_eq!(said.progress()["prompts_sent"], 2, "{base:?}");
        assert!(sending.recipients().iter().all(|to| !to.contains("person1@")));
        // A look that is young enough is not taken again.
        let said = sending.worker(&["run-once", "--job", "prompts"]);
        assert!(!said.err.contains("looking again"), "{said}");
    }
}

#[tokio::test]
async fn somebody_who_is_put_on_the_list_in_the_middle_of_a_run_is_not_written_to_by_the_next_batch()
 {
    let (count, add) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(None)));
    let command: Arc<std::sync::Mutex<Option<Vec<std::process::Command>>>> = Arc::clone(&add);
    let dots = Arc::clone(&count);
    let react = move |moment: &Moment| {
        if moment.step == Step::Dot && dots.fetch_add(1, Ordering::SeqCst) == 0 {
            for mut command in command.lock().unwrap().take().expect("the only time") {
                assert!(command.output().unwrap().status.success());
            }
        }
        Reaction::Usual
    };
    let sending = Sending::with(Base::Sqlite, &lines(0..300), react, well).await;
    sending.prepare();
    let plan = sending.worker(&["run-once", "--dry-run", "--show-addresses", "--format", "json"]);
    let prompts = plan.json()["prompts"].as_array().unwrap().clone();
    let last = prompts[299]["recipient"].as_str().unwrap().to_owned();
    *add.lock().unwrap() = Some(vec![sending.command(&["suppress", "add", &last])]);
    assert_eq!(sending.ran(0)["prompts_sent"], 299);
    assert!(sending.recipients().iter().all(|to| !to.contains(&format!("<{last}>"))));
}
