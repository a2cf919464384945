//! `worker simulate`: the whole campaign on a copy. Nothing real is touched, a seed tells one
//! story, and bad input is answered with what to do.

use chrono::{DateTime, TimeDelta, Utc};
use worker::clock::{Clock, SystemClock};
use worker::config::{Config, Origin, Source};
use worker::inventory::{Column, KeptRow};
use worker::jobs::workplace::Workplace;
use worker::report::calendar::Course;
use worker::report::calendar_text::line;
use worker::simulation::assume::{Assumptions, EXAMPLE, People};
use worker::simulation::{
    Asked, Begun, Elapsed, assumed, campaign, end, from_history, keys, simulate,
};

use crate::support::line::{csv, lines as lines_of};
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::removing::{Removing, each};
use crate::support::sending::Base;

const SHIPPED: &str = include_str!("../../jobs.toml");
const BROAD: &str =
    "offline_access accounting.transactions accounting.settings accounting.contacts";

pub fn config(edits: &[(&str, &str)]) -> Config {
    let mut text = SHIPPED.to_owned();
    let usual = [
        ("floor = 500", "floor = 1"),
        ("max_change_percent = 20", "max_change_percent = 100"),
        ("max_percent = 5 ", "max_percent = 100 "),
        ("ramp = [25, 250, 1000]", "ramp = []"),
    ];
    for (from, to) in usual.iter().chain(edits) {
        assert!(text.contains(from), "jobs.toml has no {from}");
        text = text.replacen(from, to, 1);
    }
    let path = std::path::Path::new("/nowhere/jobs.toml");
    Config::parse(&text, &Origin::file(path)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// People with one connection each, in several zones.
pub fn rows(people: u64) -> Vec<KeptRow> {
    let id = |kind: u32, number: u64| format!("{kind:08x}-0000-4000-8000-{number:012x}");
    let zones = ["Pacific/Auckland", "Europe/London", "America/New_York"];
    (0..people)
        .map(|number| {
            let place = usize::try_from(number).unwrap() % zones.len();
            KeptRow::blank(number).with(&[
                (Column::TenantId, Some(&id(1, number))),
                (Column::ConnectionId, Some(&id(2, number))),
                (Column::XeroUserId, Some(&id(3, number))),
                (Column::Email, Some(&format!("person{number}@customer.example"))),
                (Column::TimeZone, Some(zones[place])),
                (Column::Scopes, Some(BROAD)),
                (Column::EvidenceAt, Some("2025-01-01T00:00:00Z")),
                (Column::ConnectedAt, Some("2025-01-01T00:00:00Z")),
            ])
        })
        .collect()
}

pub fn now() -> DateTime<Utc> {
    "2026-12-01T03:04:05Z".parse().unwrap()
}

fn lines(course: &Course) -> Vec<String> {
    let event = |event: &worker::report::calendar::Event| format!("{} {}", event.at, line(event));
    course.calendar.iter().map(event).collect()
}

async fn play(config: &Config, rows: &[KeptRow], seed: u64, skips: bool) -> Course {
    let config = assumed(config, &People::default()).0;
    let workplace = Workplace::copy(&config, &keys(seed)).await.unwrap();
    let begun = Begun { config: &config, against: None, rows, now: now() };
    let assumptions = Assumptions::default();
    let asked = Asked {
        seed,
        grounds: &[],
        assumptions: &assumptions,
        until: None,
        is_shown: false,
        skips,
        elapsed: &Elapsed::default(),
    };
    campaign(workplace, &begun, &config, &asked, &assumptions, end(&config)).await.unwrap()
}

#[tokio::test]
async fn a_seed_tells_one_story_and_another_seed_another() {
    let (config, rows) = (config(&[]), rows(12));
    let one = play(&config, &rows, 5, true).await;
    assert_eq!(lines(&one), lines(&play(&config, &rows, 5, true).await));
    assert_ne!(lines(&one), lines(&play(&config, &rows, 6, true).await));
    assert!(one.ending.messages > 12, "{:?}", one.ending);
    assert!(one.stages.iter().any(|span| span.stage == "final-notice"), "{:?}", one.stages);
}

#[tokio::test]
async fn leaving_out_runs_that_do_nothing_changes_no_effect() {
    let edits = [("schedule = \"17 * * * *\"", "schedule = \"17 */12 * * *\"")];
    let (config, rows) = (config(&edits), rows(4));
    let all = play(&config, &rows, 3, false).await;
    let some = play(&config, &rows, 3, true).await;
    assert_eq!(lines(&some), lines(&all));
}

#[tokio::test]
async fn a_seed_tells_the_same_story_on_both_databases() {
    let (mut config, rows) = (config(&[]), rows(6));
    let sqlite = play(&config, &rows, 9, true).await;
    let pg = Pg::new().await;
    config.database.url = worker::config::DatabaseUrl::parse_state(&pg.url(), None).unwrap();
    let config = assumed(&config, &People::default()).0;
    let workplace = Workplace::real(&config, &keys(9)).await.unwrap();
    let begun = Begun { config: &config, against: None, rows: &rows, now: now() };
    let assumptions = Assumptions::default();
    let asked = Asked {
        seed: 9,
        grounds: &[],
        assumptions: &assumptions,
        until: None,
        is_shown: false,
        skips: true,
        elapsed: &Elapsed::default(),
    };
    let postgres =
        campaign(workplace, &begun, &config, &asked, &assumptions, end(&config)).await.unwrap();
    assert_eq!(lines(&postgres), lines(&sqlite));
    assert!(postgres.ending.messages > 0);
    // What is left behind is a history.
    let after = Workplace::real(&config, &keys(9)).await.unwrap();
    let (_, said) = from_history(&config, &after.store).await.unwrap();
    assert!(said[0].starts_with("customers are as they were in the "), "{said:?}");
    assert!(said.iter().any(|line| line.contains("too few, 6 addresses written to")), "{said:?}");
    after.close().await;
}

#[tokio::test]
async fn if_nobody_reacts_everybody_is_told_at_each_stage_and_removed_once() {
    let (config, rows) = (config(&[]), rows(5));
    let begun = Begun { config: &config, against: None, rows: &rows, now: now() };
    let assumptions = Assumptions::default();
    let elapsed = Elapsed::default();
    assert_eq!(elapsed.days(), None);
    let asked = Asked {
        seed: 1,
        grounds: &[],
        assumptions: &assumptions,
        until: None,
        is_shown: true,
        skips: true,
        elapsed: &elapsed,
    };
    let simulated = simulate(&begun, &asked).await.unwrap();
    // Both campaigns were played to their end, for whoever watches.
    let (played, total) = elapsed.days().expect("it has begun");
    assert!(played == total && total > 600, "{played} of {total} days");
    let nobody = &simulated.if_nobody_reacts;
    let told = |stage: &str| {
        let mails = nobody
            .calendar
            .iter()
            .filter(|event| event.what == "mail" && event.about.as_deref() == Some(stage));
        mails.count()
    };
    for stage in ["invitation", "reminder", "second-reminder", "final-notice"] {
        assert_eq!(told(stage), 5, "{stage}: {:#?}", lines(nobody));
    }
    assert_eq!((nobody.ending.removed, nobody.ending.returned), (5, 0), "{:#?}", lines(nobody));
    let shown = nobody.calendar.iter().filter_map(|event| event.whom.as_deref());
    assert!(shown.into_iter().any(|whom| whom == "person0@customer.example"));
    assert!(matches!(config.inventory.source, Source::Csv { .. }), "the file is as it was");
}

#[test]
fn the_documentation_has_the_assumptions_as_they_are() {
    let page = include_str!("../../docs/simulation.md");
    assert!(page.contains(EXAMPLE.trim_end()), "docs/simulation.md has others than assume.toml");
}

/// The first weeks, so that it is over soon.
const FIRST_WEEKS: [&str; 3] = ["simulate", "--until", "2027-01-04"];

/// How often anything outside was reached: the mail server, the host's pages and its webhook,
/// and Xero.
fn reached(removing: &Removing) -> [usize; 3] {
    let Removing { sending, xero, .. } = removing;
    [sending.smtp.reached(), sending.http.reached(), xero.reached()]
}

#[tokio::test]
async fn no_socket_is_opened_with_every_secret_and_address_at_hand() {
    let removing = Removing::new(Base::Sqlite, &each(0..3)).await;
    let until = (SystemClock.now() + TimeDelta::days(12)).date_naive().to_string();
    let simulate = ["simulate", "--until", until.as_str()];
    let place = &removing.sending.place;
    let before = place.contents();
    let said = removing.done(&simulate, 0);
    assert!(said.out.contains("Nothing real was called or written."), "{said}");
    assert!(said.out.contains("removed"), "it goes as far as to remove: {said}");
    assert_eq!(reached(&removing), [0, 0, 0]);
    assert_eq!(place.contents(), before);
    // The same configuration reaches all of them where it is meant.
    removing.prepare().await;
    removing.approve();
    removing.ran(0);
    let [smtp, http, xero] = reached(&removing);
    assert!(smtp > 0 && http > 0 && xero > 0, "{smtp} {http} {xero}");
    let before = place.contents();
    removing.done(&simulate, 0);
    assert_eq!(reached(&removing), [smtp, http, xero]);
    assert_eq!(place.contents(), before);
}

#[test]
fn bad_input_is_answered_with_what_to_do() {
    let place = Place::new(&[]);
    place.write("assume.toml", "[customers]\nfollow = [2.0]\n");
    place.write("strange.toml", "[customer]\n");
    for (arguments, wanted) in [
        (vec!["simulate", "--until", "2020-01-01"], "has passed: a simulation begins now"),
        (vec!["simulate", "--until", "soon"], "is no time"),
        (vec!["simulate", "--until", "9999-01-01"], "is more than 10 years away"),
        (vec!["simulate", "--assume", "assume.toml"], "a share lies between 0 and 1"),
        (vec!["simulate", "--assume", "strange.toml"], "unknown field `customer`"),
        (vec!["simulate", "--assume", "missing.toml"], "cannot be read"),
        (vec!["simulate", "--against", "missing.toml"], "cannot be read"),
    ] {
        let said = place.worker(&arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said}");
        assert!(said.err.contains(wanted), "{arguments:?}: {said}");
    }
    for (from, to, wanted) in [
        ("deadline = 2027-09-13 ", "deadline = 2020-01-01 ", "over since 2020-02-05 00:00"),
        ("\"17 * * * *\"", "\"17 0 29 feb *\"", "no job begins by"),
    ] {
        place.configure(&[(from, to)]);
        let mut simulate = vec!["simulate"];
        let soon = (SystemClock.now() + TimeDelta::days(2)).date_naive().to_string();
        if to.contains("feb") {
            simulate.extend(["--until", &soon]);
        }
        let said = place.worker(&simulate);
        assert_eq!(said.code, Some(2), "{to}: {said}");
        assert!(said.err.contains(wanted), "{to}: {said}");
    }
}

#[test]
fn where_nothing_can_be_written_is_said_before_anything_is_played() {
    // Of an inventory that is not there nothing could be played.
    let place = Place::with_inventory("missing.csv", &[]);
    for (out, wanted) in [("nowhere/page.html", "make its folder"), (".", "name a file")] {
        let said = place.worker(&["simulate", "--out", out]);
        assert_eq!(said.code, Some(1), "{out}: {said}");
        assert!(said.err.contains(wanted), "{out}: {said}");
    }
    let said = place.worker(&["simulate", "--out", "page.html"]);
    assert!(said.err.contains("missing.csv"), "{said}");
    assert!(!place.path("page.html").exists(), "{said}");
}

#[test]
fn a_history_too_short_to_fit_anything_to_is_called_that() {
    let place = Place::with_inventory("now.csv", &[]);
    place.write("now.csv", csv(&lines_of(0..2)));
    let until = (SystemClock.now() + TimeDelta::days(2)).date_naive().to_string();
    let simulate = ["simulate", "--until", &until, "--assume", "history"];
    let said = place.done(&simulate);
    assert!(said.out.contains("there is no history yet: no run has counted"), "{said}");
    assert!(said.out.contains("come_back 0.6 as written: too few, 0 removed"), "{said}");
    place.done(&["run-once"]);
    let said = place.done(&simulate);
    assert!(said.out.contains("the history is one day long: "), "{said}");
    assert!(said.out.contains("nobody was told so often"), "{said}");
    // A file of that name is told by its folder.
    place.write("history", "[customers]\nfollow = [2.0]\n");
    let said = place.worker(&["simulate", "--assume", "./history"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.err.contains("customers.follow is 2"), "{said}");
}

#[test]
fn an_inventory_of_nobody_to_tell_is_called_that() {
    let header = "tenant_id,connection_id,email,scopes\n";
    let line = |scopes: &str| {
        format!(
            "{header}00000001-0000-4000-8000-000000000001,00000002-0000-4000-8000-000000000001,\
             jo@customer.example,{scopes}\n"
        )
    };
    let ready = "offline_access accounting.settings accounting.invoices accounting.contacts";
    for (content, wanted) in [
        (line(ready), "everybody is ready or unaffected"),
        (line(""), "nothing is known of any connection's scopes"),
        (header.to_owned(), "the inventory is empty"),
    ] {
        let place = Place::with_inventory("now.csv", &[]);
        place.write("now.csv", &content);
        let said = place.worker(&FIRST_WEEKS);
        assert_eq!(said.code, Some(0), "{wanted}: {said}");
        assert!(said.out.contains(wanted), "{wanted}: {said}");
    }
}
