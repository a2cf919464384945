//! What messages are made from, as a configuration says it, and tried before anything is sent.

use std::ffi::OsString;
use std::path::Path;

use chrono::{DateTime, Utc};
use worker::config::{BUILTIN, Config, Origin};
use worker::domain::composing::removal_from;
use worker::jobs::messages::{Tried, Unready, occasions, stage_occasion, tried_renderer};

fn now() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

fn config(edits: &[(&str, &str)]) -> Config {
    let mut text = BUILTIN.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "jobs.toml has no {from}");
        text = text.replace(from, to);
    }
    Config::parse(&text, &Origin::file(Path::new("/srv/jobs.toml"))).unwrap()
}

fn env(name: &str) -> Option<OsString> {
    (name == "LINK_SECRET").then(|| "of this test".into())
}

#[test]
fn the_shipped_configuration_can_make_all_its_messages() {
    let config = config(&[]);
    assert!(tried_renderer(&config, now(), &env, &Tried::default()).is_ok());
    let stages: Vec<String> = occasions(&config, now()).into_iter().map(|it| it.stage).collect();
    let expected = [
        "invitation",
        "reminder",
        "second-reminder",
        "final-notice",
        "stopped",
        "correction",
        "crossed",
        "removed",
        "removed-reminder",
        "removed-last",
    ];
    assert_eq!(stages, expected);
}

#[test]
fn what_is_missing_is_said_with_what_to_write() {
    let missing =
        |edits: &[(&str, &str)], env: &dyn Fn(&str) -> Option<OsString>| match tried_renderer(
            &config(edits),
            now(),
            env,
            &Tried::default(),
        ) {
            Ok(_) => panic!("{edits:?}"),
            Err(unready) => (unready.to_string(), unready.remedy()),
        };
    for (edits, message, remedy) in [
        (("reconnect_url = ", "# reconnect_url = "), "no reconnect_url", "{token}"),
        (("secrets = [{ env = \"LINK_SECRET\" }]", ""), "no secrets", "LINK_SECRET"),
        (
            ("template = \"invitation\"", "template = \"inivtation\""),
            "\"inivtation\"",
            "invitation",
        ),
        (("# templates = \"templates\"", "templates = \"none\""), "/srv/none: ", "`templates`"),
    ] {
        let (said, help) = missing(&[edits], &env);
        assert!(said.contains(message) && help.contains(remedy), "{said} / {help}");
    }
    let (said, help) = missing(&[], &|_| None);
    assert!(said.contains("LINK_SECRET is not set") && help.contains("set LINK_SECRET"), "{said}");
}

#[test]
fn every_broken_template_is_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["invitation.txt.j2", "reminder.html.j2", "stopped.subject.txt.j2"] {
        std::fs::write(dir.path().join(name), "{{ none.of.it }}").unwrap();
    }
    let own = format!("templates = {:?}", dir.path());
    let config = config(&[("# templates = \"templates\"", &own)]);
    let Err(Unready::Templates(problems)) = tried_renderer(&config, now(), &env, &Tried::default())
    else {
        panic!("they were taken")
    };
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.line == Some(1)), "{problems:?}");
}

/// The shipped policy, switched on: a window of 30 days and a notice of 21.
fn removing() -> Config {
    config(&[("enabled = false", "enabled = true")])
}

fn removal(config: &Config, zone: chrono_tz::Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    removal_from(&config.campaign, config.removal.as_ref()?, zone, at)
}

#[test]
fn a_removal_is_announced_for_a_day_that_leaves_whole_days_of_notice() {
    let zone = chrono_tz::Pacific::Auckland;
    let told = |at: &str| removal(&removing(), zone, at.parse().unwrap());
    let day = |at: &str| Some(at.parse::<DateTime<Utc>>().unwrap());
    // Early enough: the window opens 30 days before 13 September.
    assert_eq!(told("2027-07-14T21:00:00Z"), day("2027-08-13T12:00:00Z"));
    // On Monday 2 August at nine: 21 whole days end with the 23rd.
    assert_eq!(told("2027-08-01T21:00:00Z"), day("2027-08-23T12:00:00Z"));
    // Too late for any day before the deadline.
    assert_eq!(told("2027-09-01T21:00:00Z"), None);
    assert_eq!(removal(&config(&[]), zone, now()), None);
    // In London the window opens in the middle of a day: the next one counts.
    let london =
        removal(&removing(), chrono_tz::Europe::London, "2027-07-14T08:00:00Z".parse().unwrap());
    assert_eq!(london, day("2027-08-13T23:00:00Z"));
}

#[test]
fn links_end_at_the_deadline_and_those_sent_after_it_after_sixty_days() {
    let config = config(&[]);
    let until = |stage: usize| {
        let occasion = stage_occasion(&config, &config.campaign.stages[stage], now());
        (occasion.dated, occasion.links_until)
    };
    assert_eq!(until(0).1, config.campaign.deadline);
    let (dated, ends) = until(4);
    assert!(dated > config.campaign.deadline);
    assert_eq!((ends - dated).num_days(), 60);
}
