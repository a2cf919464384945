//! The first ten minutes: a configuration of one's own, what editors and shells get, and help
//! that teaches.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::place::Place;
use crate::support::schema::wrongs;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/jobs.schema.json")).unwrap()
}

/// As editors see TOML: dates are texts.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(yes) => (*yes).into(),
    }
}

fn schema_says(text: &str) -> Vec<String> {
    let document: toml::Table = text.parse().unwrap();
    wrongs(&schema(), &json(&toml::Value::Table(document)))
}

#[test]
fn the_shipped_file_is_as_the_schema_says_and_mistakes_are_not() {
    let shipped = include_str!("../../jobs.toml");
    assert_eq!(schema_says(shipped), Vec::<String>::new());
    for (from, to) in [
        ("kind = \"csv\"", "kind = \"excel\""),
        ("max_per_run = 500", "max_per_rum = 500"),
        ("max_change_percent = 20", "max_change_percent = 200"),
        ("port = 587", "port = 0"),
        ("password = { file = \"/run/secrets/smtp\" }", "password = \"hunter2\""),
        ("?token={token}", ""),
        ("channels = [\"email\"] ", "channels = [\"sms\"] "),
        ("deadline = 2027-09-13", "deadline = \"September\""),
    ] {
        assert!(shipped.contains(from), "{from}");
        assert_eq!(schema_says(&shipped.replacen(from, to, 1)).len().min(1), 1, "{to}");
    }
}

#[test]
fn a_configuration_of_ones_own_leads_to_a_preview_of_ones_own_first_mail() {
    let place = Place::new(&[]);
    let init =
        ["init", "own", "--name", "Kauri Books", "--client-id", "00112233445566778899AABBCCDDEEFF"];
    let said = place.done(&init);
    assert!(said.out.contains("What comes next"), "{said}");
    assert_eq!(
        schema_says(&fs::read_to_string(place.path("own/jobs.toml")).unwrap()),
        Vec::<String>::new()
    );
    let config = ["--config", "own/jobs.toml"];
    // What is missing is told with what to do.
    let said = place.worker(&[&config[..], &["check", "--offline"]].concat());
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.out.contains("connections.csv"), "{said}");
    fs::write(
        place.path("own/connections.csv"),
        "tenant_id,email,name,tenant_name,scopes\n\
         00000000-0000-4000-8000-000000000001,jo@kauri.test,Jo,Kauri Plumbing,accounting.transactions offline_access\n",
    )
    .unwrap();
    place.done(&[&config[..], &["check", "--offline"]].concat());
    place.done(&[&config[..], &["run-once", "--dry-run"]].concat());
    let said = place.done(&[&config[..], &["preview", "invitation"]].concat());
    assert!(said.out.contains("Kauri Books"), "{said}");
    // The templates are ours to change.
    let template = place.path("own/templates/en/invitation.txt.j2");
    let text = fs::read_to_string(&template).unwrap();
    fs::write(&template, format!("Kia ora!\n{text}")).unwrap();
    let said = place.done(&[&config[..], &["preview", "invitation"]].concat());
    assert!(said.out.contains("Kia ora!"), "{said}");
}

#[test]
fn nothing_is_written_over() {
    let place = Place::new(&[]);
    let before = place.contents();
    let said = place.worker(&["init"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.err.contains("there already"), "{said}");
    assert_eq!(place.contents(), before);
    fs::create_dir_all(place.path("own/templates/en")).unwrap();
    let said = place.worker(&["init", "own"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(!place.path("own/jobs.toml").exists());
    place.done(&["init", "own", "--no-templates"]);
}

#[test]
fn every_shell_gets_its_completions_and_man_a_page() {
    let place = Place::new(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = place.done(&["completions", shell]);
        assert!(said.out.contains("run-once") && said.out.contains("advise"), "{shell}: {said}");
    }
    let page = place.done(&["completions", "man"]).out;
    for section in ["NAME", "SYNOPSIS", "WORKER RUN-ONCE", "WORKER SCOPES ADVISE"] {
        assert!(page.contains(section), "{section}");
    }
    // Where there is a bash, it reads what it gets.
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    if let Ok(mut bash) = bash {
        use std::io::Write;
        let text = place.done(&["completions", "bash"]).out;
        bash.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(bash.wait().unwrap().success());
    }
}

#[test]
fn help_teaches_by_example() {
    let place = Place::new(&[]);
    for command in [
        &["--help"][..],
        &["check", "--help"],
        &["scopes", "advise", "--help"],
        &["init", "--help"],
    ] {
        let said = place.done(command);
        assert!(
            said.out.contains("worker ") && said.out.contains("xamples:")
                || said.out.contains("First steps:"),
            "{said}"
        );
    }
}

#[test]
fn check_is_0_or_2_and_its_document_counts_what_it_lists() {
    let place = Place::new(&[]);
    let document = place.done(&["check", "--offline", "--format", "json"]).json();
    let checks = document["checks"].as_array().unwrap();
    for verdict in ["wrong", "doubtful", "fine"] {
        let count = checks.iter().filter(|check| check["verdict"] == verdict).count();
        assert_eq!(document[verdict], count, "{verdict}");
    }
    for check in checks {
        assert_eq!(check["remedy"].is_null(), check["verdict"] == "fine", "{check}");
    }
    place.configure(&[("max_per_run = 500", "max_per_rum = 500")]);
    let said = place.worker(&["check", "--offline", "--format", "json"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert_eq!(said.json()["wrong"], 1);
}
