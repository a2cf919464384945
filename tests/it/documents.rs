//! Documents and program do not drift apart: links lead somewhere, references in the sources
//! name headings that exist, and lists of codes, tables and commands are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use worker::domain::reason::Code;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a place whose name ends in one of these ways.
fn files(place: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(place)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{place}");
    found
}

fn pages() -> Vec<PathBuf> {
    ["README.md", "docs", "examples"].iter().flat_map(|place| files(place, &[".md"])).collect()
}

/// The lines of a page that are not in a fenced block.
fn prose(page: &str) -> Vec<&str> {
    let mut in_block = false;
    page.lines()
        .filter(|line| {
            let fence = line.starts_with("```");
            in_block ^= fence;
            !in_block && !fence
        })
        .collect()
}

fn headings(page: &str) -> Vec<String> {
    prose(page)
        .into_iter()
        .filter_map(|line| {
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        })
        .map(|heading| heading.replace('`', ""))
        .collect()
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for path in pages() {
        let page = read(&path);
        for line in prose(&page) {
            for rest in line.split("](").skip(1) {
                let target = rest.split(')').next().unwrap();
                if target.contains("://") {
                    continue;
                }
                links += 1;
                let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
                let file =
                    if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                assert!(file.exists(), "{}: {target}", path.display());
                let known = || headings(&read(&file)).iter().any(|it| anchor(it) == wanted);
                assert!(wanted.is_empty() || known(), "{}: {target}", path.display());
            }
        }
    }
    assert!(links > 50, "{links}");
}

/// A source as running text: comment marks, line ends and escapes taken out.
fn running_text(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim();
        let mark = ["//!", "///", "//", "#", "--"].into_iter().find(|mark| line.starts_with(mark));
        mark.map_or(line, |mark| line[mark.len()..].trim_start())
    });
    lines.collect::<Vec<_>>().join(" ").replace("\\\"", "\"")
}

/// Pages that a text names, each with the headings that follow: `docs/NAME.md, "Heading" and
/// "Heading"`.
fn references(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices("docs/") {
        let rest = &text[start..];
        let Some(end) = rest.find(".md").map(|at| at + 3) else { continue };
        let name = &rest[..end];
        if !name["docs/".len()..].chars().all(|c| c.is_ascii_lowercase() || c == '.') {
            continue;
        }
        let mut after = &rest[end..];
        let mut headings = Vec::new();
        while let Some((heading, left)) = [", \"", ", section \"", " section \"", " and \""]
            .iter()
            .find_map(|before| after.strip_prefix(before))
            .and_then(|quoted| quoted.split_once('"'))
        {
            headings.push(heading);
            after = left;
        }
        found.push((name, headings));
    }
    found
}

#[test]
fn every_page_and_heading_that_the_sources_name_exists() {
    let sources = [
        files("src", &[".rs", ".toml"]),
        files("migrations", &[".sql"]),
        files("tests/it", &[".rs"]),
        files("jobs.toml", &[".toml"]),
    ];
    let (mut pages, mut sections) = (0, 0);
    for path in sources.into_iter().flatten().filter(|path| !path.ends_with(file!())) {
        for (name, wanted) in references(&running_text(&read(&path))) {
            let page = root().join(name);
            assert!(page.exists(), "{} names {name}", path.display());
            pages += 1;
            let known = headings(&read(&page));
            for heading in wanted {
                sections += 1;
                let named = known.iter().any(|it| it == heading);
                assert!(named, "{} names {name}, {heading:?}", path.display());
            }
        }
    }
    assert!(pages > 20 && sections > 10, "{pages} pages, {sections} sections");
}

/// The words in backticks in the first cell of each row of a table.
fn first_cells(page: &str) -> Vec<&str> {
    prose(page)
        .into_iter()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').step_by(2))
        .collect()
}

#[test]
fn every_code_is_documented_once() {
    let page = read(&root().join("docs/codes.md"));
    let mut documented = first_cells(&page);
    documented.sort_unstable();
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(documented, codes);
}

type Tables = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_table_and_column_is_documented() {
    let mut created = Tables::new();
    for path in files("migrations/sqlite", &[".sql"]) {
        for statement in read(&path).split("CREATE TABLE ").skip(1) {
            let (name, rest) = statement.split_once(" (").unwrap();
            let (columns, _) = rest.split_once("\n)").unwrap();
            let columns = columns.lines().filter_map(|line| line.split_whitespace().next());
            created.insert(name.to_owned(), columns.map(str::to_owned).collect());
        }
        for change in read(&path).split("ALTER TABLE ").skip(1) {
            let (name, rest) = change.split_once(' ').unwrap();
            let column = rest.strip_prefix("ADD COLUMN ").unwrap().split(' ').next().unwrap();
            created.get_mut(name).unwrap().insert(column.trim_end_matches(';').to_owned());
        }
    }
    let page = read(&root().join("docs/database.md"));
    let (_, tables) = page.split_once("\n## Tables\n").unwrap();
    let documented: Tables = tables
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let name = section.lines().next().unwrap().to_owned();
            (name, first_cells(section).into_iter().map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(documented, created);
}

#[test]
fn every_command_has_a_section() {
    let help = Command::cargo_bin("worker").unwrap().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let known = headings(&read(&root().join("docs/commands.md")));
    let commands: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"run-once"), "{commands:?}");
    for command in commands {
        assert!(known.iter().any(|heading| heading == command), "{command}");
    }
}
