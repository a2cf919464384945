//! The shipped jobs.toml and docs/configuration.md: both know the same keys as the program.

use std::collections::{BTreeMap, BTreeSet};

use super::parse;
use crate::config::{BUILTIN, COLUMNS, Config, Source};
use crate::domain::campaign::StageDay;

const DOCS: &str = include_str!("../../../docs/configuration.md");

/// Keys by the header of their table.
pub(super) type Keys = BTreeMap<String, BTreeSet<String>>;

fn shipped() -> Config {
    Config::builtin().unwrap_or_else(|errors| panic!("{errors}"))
}

/// First cells of the tables below each heading that is a TOML header.
pub(super) fn documented() -> Keys {
    let mut keys = Keys::new();
    let mut header = "";
    for line in DOCS.lines() {
        if let Some(heading) = line.strip_prefix("## `") {
            header = heading.trim_end_matches('`');
        } else if let Some((key, _)) = line.strip_prefix("| `").and_then(|row| row.split_once('`'))
        {
            keys.entry(header.to_owned()).or_default().insert(key.to_owned());
        }
    }
    keys
}

/// What the program says when it is asked for a key that no table has.
pub(super) fn known(header: &str) -> BTreeSet<String> {
    const NONE: &str = "qqqqqqqqqqqqqqqqqqqq";
    let text = BUILTIN.replacen(&format!("\n{header}\n"), &format!("\n{header}\n{NONE} = 0\n"), 1);
    let errors = parse(&text).expect_err(header);
    let [problem] = errors.problems() else { panic!("{errors}") };
    assert_eq!(problem.message, format!("unknown key `{NONE}` in {header}"));
    let (_, list) = problem.help.split_once(" are: ").expect(header);
    list.split(", ").map(str::to_owned).collect()
}

/// Keys that the shipped file writes, those in a comment at the start of a line included.
fn written() -> Keys {
    let mut keys = Keys::new();
    let mut header = "";
    for line in BUILTIN.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if line.starts_with('[') {
            header = line;
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.entry(header.to_owned()).or_default().insert(key.to_owned());
        }
    }
    keys
}

#[test]
fn the_documentation_has_every_key_of_the_program_and_no_other() {
    let documented = documented();
    let headers: BTreeSet<&String> = documented.keys().collect();
    let written = written();
    let columns = "[inventory.columns]".to_owned();
    assert_eq!(headers, written.keys().filter(|header| **header != columns).collect());
    for (header, keys) in &documented {
        assert_eq!(*keys, known(header), "{header}");
    }
}

#[test]
fn the_shipped_file_writes_every_key_that_is_documented() {
    let written = written();
    for (header, mut keys) in documented() {
        // Tables of their own.
        keys.retain(|key| !["columns", "stages"].contains(&key.as_str()));
        let missing: Vec<&String> = keys.difference(&written[&header]).collect();
        assert!(missing.is_empty(), "{header} of jobs.toml lacks {missing:?}");
    }
}

#[test]
fn every_column_can_be_renamed() {
    assert_eq!(known("[inventory.columns]"), COLUMNS.map(str::to_owned).into());
}

#[test]
fn the_shipped_file_sends_and_removes_nothing() {
    let config = shipped();
    assert!(!config.prompts.enabled);
    assert!(config.removal.is_some_and(|removal| !removal.enabled));
    assert!(
        matches!(config.inventory.source, Source::Csv { path } if path.ends_with("examples/connections.csv"))
    );
    assert_eq!(config.guard.floor, 500);
}

#[test]
fn the_shipped_campaign_can_meet_its_own_removal_policy() {
    let campaign = shipped().campaign;
    let days: Vec<StageDay> = campaign.stages.iter().map(|stage| stage.day).collect();
    assert_eq!(
        days,
        [270, 150, 90, 60]
            .map(StageDay::Before)
            .into_iter()
            .chain([StageDay::After(1)])
            .collect::<Vec<_>>()
    );
    assert_eq!(campaign.stages.iter().filter(|stage| stage.is_final).count(), 1);
    assert_eq!(campaign.deadline.to_rfc3339(), "2027-09-12T12:00:00+00:00");
    let enabled = BUILTIN.replace("enabled = false", "enabled = true");
    assert!(parse(&enabled).is_ok(), "{:?}", parse(&enabled).err());
}

#[test]
fn the_alternatives_in_the_comments_of_the_shipped_file_work() {
    let sql = BUILTIN
        .replace("kind = \"csv\" ", "kind = \"sql\" ")
        .replace("\npath = ", "\n# path = ")
        .replace("\n# url = { env = \"BOOKS", "\nurl = { env = \"BOOKS")
        .replace("\n# query = ", "\nquery = ")
        .replace("\n# email = ", "\nemail = ");
    let config = parse(&sql).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(matches!(config.inventory.source, Source::Sql { .. }));
    assert_eq!(config.inventory.columns["email"], "user_email");

    let mut http = BUILTIN
        .replace("kind = \"smtp\" ", "kind = \"http\" ")
        .replace("\n# url = \"https://mail", "\nurl = \"https://mail")
        .replace("\n# token = ", "\ntoken = ")
        .replace("\n# body = ", "\nbody = ")
        .replace("\n# id_field = ", "\nid_field = ");
    for key in ["host", "port", "tls", "username", "password"] {
        http = http.replace(&format!("\n{key} = "), &format!("\n# {key} = "));
    }
    parse(&http).unwrap_or_else(|errors| panic!("{errors}"));
}
