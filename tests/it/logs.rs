//! Logs in JSON: one run id throughout a run, and fields that docs/logs.md lists.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::support::line::lines;
use crate::support::sending::{BASES, Sending};

const PAGE: &str = include_str!("../../docs/logs.md");

#[tokio::test]
async fn every_line_of_a_run_has_its_id_and_its_job() {
    for base in BASES {
        let sending = Sending::new(base, &lines(0..5)).await;
        sending.prepare();
        let mut command = sending.command(&["run-once"]);
        command.env("WORKER_LOG_LEVEL", "worker=debug");
        let said = crate::support::said::Said::by(command);
        let progress = said.progress();
        assert_eq!(progress["prompts_sent"], 5, "{said}");
        for event in said.events() {
            for field in ["timestamp", "level", "message", "target", "run_id", "job"] {
                assert!(event[field].is_string(), "{field}: {event}");
            }
            assert_eq!(event["run_id"], progress["run_id"], "{event}");
            assert_eq!(event["job"], "campaign");
            let at = event["timestamp"].as_str().unwrap();
            assert!(at.ends_with('Z') && at.len() == "2026-11-21T10:00:00.000000Z".len(), "{at}");
        }
        let run = format!(
            "SELECT job FROM runs WHERE run_id = '{}'",
            progress["run_id"].as_str().unwrap()
        );
        if base == BASES[1] {
            assert_eq!(sending.texts(&run).await, ["campaign"], "the same id in the database");
        }
    }
}

/// Dotted fields of events in the sources.
fn dotted(place: &Path, into: &mut BTreeSet<String>) {
    let field = Regex::new(r"[(,]\s*([a-z]+\.[a-z_]+) = [%?]?[a-z&]").unwrap();
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            dotted(&path, into);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (at, _) in text.match_indices("tracing::") {
            let rest = &text[at..];
            let Some(begin) = rest.find("!(").filter(|begin| *begin < 20) else { continue };
            let end = rest.find(");").unwrap_or(rest.len());
            let event = &rest[begin..end.max(begin)];
            into.extend(field.captures_iter(event).map(|found| found[1].to_owned()));
        }
    }
}

#[test]
fn every_dotted_field_is_on_the_page() {
    let mut fields = BTreeSet::new();
    dotted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut fields);
    assert!(fields.contains("prompt.id") && fields.contains("http.listen"), "{fields:?}");
    for field in fields {
        assert!(PAGE.contains(&format!("`{field}`")), "docs/logs.md lacks {field}");
    }
}
