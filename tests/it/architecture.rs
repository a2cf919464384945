//! The floors of the house (src/lib.rs): nobody reaches upwards, and what belongs to one room
//! stays in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may use.
const ROOMS: [(&str, &[&str]); 11] = [
    ("domain", &[]),
    ("schedule", &["domain"]),
    ("config", &["domain", "schedule"]),
    ("inventory", &["domain"]),
    ("store", &["domain"]),
    ("xero", &["domain", "clock", "web"]),
    ("delivery", &["domain", "web"]),
    ("report", &["domain"]),
    (
        "jobs",
        &[
            "domain",
            "schedule",
            "config",
            "delivery",
            "xero",
            "inventory",
            "store",
            "report",
            "clock",
            "telemetry",
            "web",
        ],
    ),
    (
        "simulation",
        &[
            "domain",
            "schedule",
            "config",
            "delivery",
            "xero",
            "inventory",
            "store",
            "report",
            "jobs",
            "clock",
            "telemetry",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "config",
            "delivery",
            "inventory",
            "store",
            "report",
            "jobs",
            "simulation",
            "clock",
            "telemetry",
        ],
    ),
];

/// Longer than this, a file holds two things.
const MAX_LINES: usize = 400;

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut left = vec![root.clone()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(&root).unwrap().to_owned();
            let first = path.components().next().unwrap().as_os_str().to_string_lossy();
            let room = first.trim_end_matches(".rs").to_owned();
            sources.push(Source { path, room, text });
        }
    }
    assert!(sources.len() > 100, "{}", sources.len());
    sources
}

impl Source {
    /// The lines of code, without comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.trim_start().starts_with("//"))
    }

    /// The rooms that it names, in imports and elsewhere.
    fn used(&self) -> BTreeSet<&str> {
        let mut used = BTreeSet::new();
        for line in self.code() {
            for (at, start) in line.match_indices("crate::") {
                let rest = &line[at + start.len()..];
                let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                used.insert(&rest[..end.unwrap_or(rest.len())]);
            }
            assert!(!line.contains("crate::{"), "{}: name the room first", self.path.display());
        }
        used.remove(self.room.as_str());
        used.remove("");
        used
    }

    /// The line that has one of these words, if any.
    fn mentions<'a>(&'a self, words: &[&str]) -> Option<&'a str> {
        self.code().find(|line| words.iter().any(|word| line.contains(word)))
    }
}

#[test]
fn rooms_use_only_those_below_them() {
    for source in sources() {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
            continue;
        };
        for used in source.used() {
            let path = source.path.display();
            assert!(allowed.contains(&used), "{path} uses {used}, which {} may not", source.room);
        }
    }
}

#[test]
fn every_room_has_its_place_on_a_floor() {
    let alone = ["main", "lib", "clock", "telemetry", "web"];
    for source in sources() {
        let is_known = ROOMS.iter().any(|(room, _)| *room == source.room);
        assert!(is_known || alone.contains(&source.room.as_str()), "{}", source.path.display());
    }
}

#[test]
fn the_domain_does_no_input_or_output() {
    let outside = [
        "tokio",
        "sqlx",
        "reqwest",
        "tracing",
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "async fn",
        ".await?",
        ".await;",
        ".await)",
        "std::time",
    ];
    for source in sources().iter().filter(|source| source.room == "domain") {
        let found = source.mentions(&outside);
        assert_eq!(found, None, "{}", source.path.display());
    }
}

#[test]
fn sql_stands_in_the_store_and_the_inventory_only() {
    for source in sources() {
        if !["store", "inventory"].contains(&source.room.as_str()) {
            let found = source.mentions(&["sqlx::", "use sqlx"]);
            let found = found.filter(|line| !line.contains("sqlx::Error"));
            assert_eq!(found, None, "{}", source.path.display());
        }
    }
}

#[test]
fn the_store_knows_nobody_elses_tables_and_the_inventory_not_ours() {
    for source in sources() {
        let foreign: &[&str] = match source.room.as_str() {
            "store" => &["FROM inventory", "from inventory"],
            "inventory" => &["INSERT ", "UPDATE ", "DELETE ", "insert into", "CREATE "],
            _ => continue,
        };
        let end = source.text.find("#[cfg(test)]").unwrap_or(source.text.len());
        let lines = source.text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            assert!(!foreign.iter().any(|word| line.contains(word)), "{line}");
        }
    }
}

#[test]
fn e12_what_ends_all_of_a_persons_connections_is_not_in_the_program() {
    for source in sources() {
        let found = source.code().find(|line| line.to_lowercase().contains("revocation"));
        assert_eq!(found, None, "{}", source.path.display());
    }
}

#[test]
fn no_file_holds_two_things() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", source.path.display());
        let head = source.text.lines().next().unwrap_or_default();
        assert!(head.starts_with("//!"), "{} does not say its purpose", source.path.display());
    }
}

#[test]
fn only_commands_reports_and_logs_write_to_a_terminal() {
    for source in sources() {
        let path = source.path.display();
        let prints = ["println!(", "print!(", "dbg!("];
        let printing = source.code().find(|line| {
            prints.iter().any(|print| {
                line.match_indices(print).any(|(at, _)| !line[..at].ends_with(['w', 'e']))
            })
        });
        assert_eq!(printing, None, "{path}");
        if !["cli", "telemetry"].contains(&source.room.as_str()) {
            assert_eq!(source.mentions(&["io::stdout", "io::stderr"]), None, "{path}");
        }
    }
}
