//! Which configuration is used, what is wrong with one, and who goes before whom.

use std::path::Path;

use crate::support::place::Place;
use crate::support::said::Said;

const DRY: [&str; 4] = ["run-once", "--dry-run", "--format", "json"];

/// The program in an empty directory.
fn nowhere() -> Place {
    let place = Place::new(&[]);
    std::fs::remove_file(place.path("jobs.toml")).unwrap();
    place
}

fn with(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    Said::by(command)
}

#[test]
fn without_a_configuration_there_is_a_hint() {
    let said = nowhere().worker(&DRY);
    said.complains(2, "no jobs.toml", "--config builtin");
    nowhere().worker(&["status"]).complains(2, "no jobs.toml", "WORKER_CONFIG");
    let named = nowhere().worker(&["status", "--config", "other.toml"]);
    named.complains(2, "other.toml cannot be read: No such file", "--config FILE");
    nowhere().worker(&["status", "--config", "/proc"]).complains(2, "/proc", "--config FILE");
}

#[test]
fn the_embedded_example_works_from_an_empty_directory_and_leaves_it_empty() {
    let place = nowhere();
    let before = place.contents();
    let said = place.done(&[&DRY[..], &["--config", "builtin"]].concat());
    assert_eq!(said.json()["progress"]["connections"], 1171);
    assert_eq!(place.contents(), before);
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_directory() {
    let place = Place::new(&[("name = \"Acme Books\"", "name = \"Of the directory\"")]);
    place.done(&["run-once"]);
    let shipped = include_str!("../../jobs.toml");
    for (file, name) in [("env.toml", "Of the environment"), ("option.toml", "Of the option")] {
        place.write(file, shipped.replace("Acme Books", name));
    }
    let app = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["status", "--format", "json"][..], arguments].concat();
        with(&place, &arguments, variables).json()["app"]["name"].clone()
    };
    let variable = [("WORKER_CONFIG", "env.toml")];
    assert_eq!(app(&[], &[]), "Of the directory");
    assert_eq!(app(&[], &variable), "Of the environment");
    assert_eq!(app(&["--config", "option.toml"], &variable), "Of the option");
}

#[test]
fn the_database_of_the_environment_goes_before_that_of_the_file() {
    let place = Place::new(&[]);
    let said = with(&place, &["run-once"], &[("WORKER_DATABASE_URL", "sqlite://other.db")]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(place.path("other.db").exists() && !place.database().exists());
    let wrong = with(&place, &["run-once"], &[("WORKER_DATABASE_URL", "mysql://host/db")]);
    wrong.complains(2, "WORKER_DATABASE_URL", "postgres://");
}

#[test]
fn the_form_and_the_level_of_logs_come_from_the_environment_or_an_option() {
    let place = Place::new(&[]);
    let text = with(&place, &DRY, &[("WORKER_LOG", "text")]);
    assert!(!text.err.starts_with('{') && text.err.contains("INFO progress report"), "{text}");
    let option = with(&place, &[&DRY[..], &["--log", "json"]].concat(), &[("WORKER_LOG", "text")]);
    assert_eq!(option.progress()["connections"], 1171);
    let quiet = with(&place, &DRY, &[("WORKER_LOG_LEVEL", "error")]);
    assert_eq!(quiet.events().len(), 1, "{quiet}");
    assert!(text.err.lines().count() > 10);
    for variable in [("WORKER_LOG", "shouting"), ("WORKER_LOG_LEVEL", "worker=loud")] {
        let said = with(&place, &DRY, &[variable]);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.err.contains(variable.1), "{said}");
    }
}

#[test]
fn a_relative_path_starts_at_the_file_that_says_it() {
    let place = nowhere();
    std::fs::create_dir_all(place.path("conf/data")).unwrap();
    let shipped = include_str!("../../jobs.toml");
    let text = shipped
        .replace("sqlite://worker.db", "sqlite://data/worker.db")
        .replace("examples/connections.csv", "data/all.csv");
    place.write("conf/jobs.toml", text);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/connections.csv");
    std::fs::copy(example, place.path("conf/data/all.csv")).unwrap();
    place.done(&["run-once", "--config", "conf/jobs.toml"]);
    assert!(place.path("conf/data/worker.db").exists());
    // From elsewhere it is relative to where one stands.
    let said = with(
        &place,
        &["run-once", "--config", "conf/jobs.toml"],
        &[("WORKER_DATABASE_URL", "sqlite://here.db")],
    );
    assert_eq!(said.code, Some(0), "{said}");
    assert!(place.path("here.db").exists());
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once_and_where() {
    let place = Place::new(&[
        ("name = \"Acme Books\"", "nmae = \"Acme Books\""),
        ("floor = 500", "floor = \"many\""),
        (
            "\"accounting.invoices\", \"accounting.contacts\"]",
            "\"accounting.invoice\", \"accounting.transactions\"]",
        ),
        ("min_prompts = 3 ", "min_prompts = 9 "),
    ]);
    let before = place.contents();
    let said = place.worker(&DRY);
    assert_eq!(said.code, Some(2), "{said}");
    let text = std::fs::read_to_string(place.path("jobs.toml")).unwrap();
    for (line, hint) in [
        ("nmae = ", "name"),
        ("floor = \"many\"", "floor"),
        ("accounting.invoice\"", "accounting.invoices"),
        ("accounting.transactions", "accounting.payments"),
        ("min_prompts = 9", "stages"),
    ] {
        let number = 1 + text.lines().position(|text| text.contains(line)).unwrap();
        assert!(said.err.contains(&format!("jobs.toml:{number}:")), "{line}: {said}");
        assert!(said.err.contains(hint), "{hint}: {said}");
    }
    assert_eq!(said.out, "");
    assert_eq!(place.contents(), before);
}

#[test]
fn a_campaign_without_stages_is_an_error_and_a_past_deadline_is_none() {
    let shipped = include_str!("../../jobs.toml");
    let place = nowhere();
    let first = shipped.find("# A stage lasts").unwrap();
    let end = shipped.find("# Messages: none").unwrap();
    place.write("jobs.toml", format!("{}{}", &shipped[..first], &shipped[end..]));
    let said = place.worker(&DRY);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.err.contains("stage"), "{said}");

    let past = Place::new(&[
        ("deadline = 2027-09-13 ", "deadline = 2021-09-13 "),
        ("[removal]\nenabled = false", "[removal]\nenabled = true"),
    ]);
    // A Tuesday in working hours, somewhere.
    let at = [&DRY[..], &["--at", "2026-11-24T01:00:00Z"]].concat();
    let plan = past.worker(&at).json();
    assert_eq!(plan["removals"], serde_json::json!([]));
    assert!(plan["progress"]["prompts_planned"].as_u64().unwrap() > 0);
    assert!(plan["progress"]["days_to_deadline"].as_i64().unwrap() < 0);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let place = Place::new(&[]);
    for (arguments, words) in [
        (&["run-once", "--job", "nightly"][..], "campaign"),
        (&["run-once", "--at", "2027-01-01"], "--dry-run"),
        (&["run-once", "--dry-run", "--at", "tomorrow"], "2027-03-01"),
        (&["run-once", "--dry-run", "--at", "2027-02-30"], "2027-03-01"),
        (&["run-once", "--format", "yaml"], "yaml"),
        (&["run-twice"], "run-once"),
        (&[], "Usage"),
        (&["accept-scan", "beef", "--by", "jo", "--reason", "r"], "32 hexadecimal"),
        (&["exempt", "add", "x", "--until", "2020-01-01", "--reason", "r", "--by", "b"], "passed"),
        (&["exempt", "add", "x", "--until", "soon", "--reason", "r", "--by", "b"], "soon"),
        (&["exempt", "add", "x", "--until", "2030-01-01", "--reason", " ", "--by", "b"], "empty"),
        (&["scopes", "explain"], "SCOPE"),
    ] {
        let said = place.worker(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said}");
        assert!(said.err.contains(words), "{arguments:?}: {said}");
        assert_eq!(said.out, "");
    }
}
