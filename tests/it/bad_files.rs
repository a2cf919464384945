//! Inventories in files that are none: each with a clear complaint, and nothing changed.

use std::io::Write;

use crate::support::generated::{HEADER, State, csv, row};
use crate::support::place::Place;
use crate::support::said::Said;

/// A place whose database has a complete scan of three connections.
fn place() -> Place {
    let place = Place::with_inventory("inventory", &[]);
    place.write("inventory", csv(3, State::Before));
    place.done(&["run-once"]);
    place
}

/// A run that must change nothing but the list of runs.
fn changes_nothing(place: &Place) -> Said {
    let before = place.standing();
    let said = place.worker(&["run-once"]);
    assert_eq!(place.standing(), before, "{said}");
    assert_eq!(said.progress()["connections"], 3);
    said
}

#[test]
fn no_file_is_no_run() {
    let place = place();
    std::fs::remove_file(place.path("inventory")).unwrap();
    let said = changes_nothing(&place);
    said.complains(1, "No such file", "[inventory] path");
    assert!(said.complaint().0.contains(&place.path("inventory").display().to_string()), "{said}");
}

#[test]
fn an_empty_file_is_no_inventory() {
    let place = place();
    for (content, message, remedy) in [
        ("", "it is empty", "export"),
        ("\u{feff}", "it has no header", "first line"),
        ("\n\n", "it has no header", "first line"),
    ] {
        place.write("inventory", content);
        changes_nothing(&place).complains(1, message, remedy);
    }
}

#[test]
fn a_header_only_is_stopped_by_the_guard() {
    let place = place();
    place.write("inventory", HEADER);
    changes_nothing(&place).complains(4, "stopped and changed nothing", "accept-scan");
}

#[test]
fn a_directory_is_no_inventory() {
    let place = place();
    std::fs::remove_file(place.path("inventory")).unwrap();
    std::fs::create_dir(place.path("inventory")).unwrap();
    changes_nothing(&place).complains(1, "directory", "one file");
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let place = place();
    place.write("inventory", csv(3, State::Before).replace("tenant_id", "org_id"));
    let said = changes_nothing(&place);
    said.complains(2, "no column `tenant_id`", "org_id, connection_id");
    said.complains(2, "", "[inventory.columns]");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let place = place();
    std::fs::remove_file(place.path("inventory")).unwrap();
    std::os::unix::fs::symlink("inventory", place.path("inventory")).unwrap();
    changes_nothing(&place).complains(1, "symbolic link", "");
}

#[test]
fn a_mark_and_windows_line_ends_are_fine() {
    let place = place();
    let text = format!("\u{feff}{}", csv(3, State::Before).replace('\n', "\r\n"));
    place.write("inventory", text);
    let said = place.done(&["run-once"]);
    assert_eq!(said.progress()["connections"], 3);
    assert_eq!(said.progress()["bad_rows"], 0);
}

#[test]
fn zero_bytes_and_broken_utf8_make_one_bad_row_each() {
    let limit = ("max_bad_percent = 1 ", "max_bad_percent = 90 ");
    let place = Place::with_inventory("inventory", &[limit]);
    let mut bytes = csv(3, State::Before).into_bytes();
    for (number, broken) in [(4, &b"\0"[..]), (5, b"\xff\xfe"), (6, b"\xc3\x28")] {
        let line = row(number, State::Before);
        let (before, after) = line.split_at(4);
        bytes.extend([before.as_bytes(), broken, after.as_bytes()].concat());
    }
    place.write("inventory", bytes);
    let said = place.done(&["run-once"]);
    assert_eq!(said.progress()["connections"], 3, "{said}");
    assert_eq!(said.progress()["bad_rows"], 3, "{said}");
    for line in ["line 5", "line 6", "line 7"] {
        assert!(said.err.contains(line), "{line}: {said}");
    }
}

#[test]
fn too_many_bad_rows_stop_the_scan() {
    let place = place();
    place.write("inventory", csv(3, State::Before) + "nothing,,,,,\n");
    let said = changes_nothing(&place);
    said.complains(4, "stopped and changed nothing", "accept-scan");
    assert!(said.complaint().0.contains("bad"), "{said}");
}

/// The most memory that a process had, in KiB.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Gives the program one line without end, and tells how it ended and what memory it took.
fn endless(kind: &str, start: &[u8], fill: u8) -> (Said, u64) {
    const MIB: usize = 1 << 20;
    let kind = format!("kind = \"{kind}\" ");
    let limit = ("max_bad_percent = 1 ", "max_bad_percent = 100 ");
    let place = Place::with_inventory("endless", &[("kind = \"csv\" ", &kind), limit]);
    place.make_fifo("endless");
    let child = place.start(&["run-once"]);
    let pid = child.id();
    let mut inventory = place.open_fifo("endless");
    inventory.write_all(start).unwrap();
    let chunk = vec![fill; MIB];
    for _ in 0..128 {
        inventory.write_all(&chunk).unwrap();
    }
    // All but a pipe's content was taken.
    let memory = most_memory(pid);
    inventory.write_all(b"\n").unwrap();
    drop(inventory);
    (Said::of(child), memory)
}

#[test]
fn a_line_without_end_is_one_bad_row_and_takes_no_memory() {
    let json = generated_json(1);
    let line = [HEADER.as_bytes(), row(1, State::Before).as_bytes()].concat();
    for (kind, start, fill) in [
        ("csv", &line[..], b'a'),
        ("csv", &line[..], b','),
        ("csv", &line[..], 0),
        ("jsonl", json.as_bytes(), b'['),
    ] {
        let (said, memory) = endless(kind, start, fill);
        assert!(memory < 64 << 10, "{memory} KiB for {kind} of {fill}");
        assert_eq!(said.code, Some(0), "{kind} {fill}: {said}");
        assert_eq!(said.progress()["bad_rows"], 1, "{kind} {fill}: {said}");
        assert_eq!(said.progress()["connections"], 1, "{kind} {fill}: {said}");
        assert!(said.err.contains("1 MiB"), "{said}");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_a_file_that_was_cut_off() {
    let start = [HEADER.as_bytes(), row(1, State::Before).as_bytes(), b"\""].concat();
    let (said, memory) = endless("csv", &start, b'\n');
    assert!(memory < 64 << 10, "{memory} KiB");
    said.complains(1, "ends within quotes that open on line 3", "cut off");
    assert!(said.progress()["connections"].is_null());
}

fn generated_json(number: usize) -> String {
    let line = row(number, State::Before);
    let names = HEADER.trim().split(',');
    let object: serde_json::Map<String, serde_json::Value> = names
        .zip(line.trim().split(','))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    format!("{}\n", serde_json::Value::Object(object))
}
