//! Texts that are no TOML.

use super::{Broken, assert_each_is_reported, parse, with};

const NAME: &str = "name = \"Acme Books\"";

#[test]
fn what_is_no_toml_is_said_once_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: NAME,
            replacement: "name =",
            at: "\nclient_id",
            message: "string values must be quoted",
            help: "`name = \"Acme Books\"`",
        },
        Broken {
            piece: NAME,
            replacement: "name = Acme Books",
            at: "Acme Books\nclient_id",
            message: "string values must be quoted",
            help: "put text into double quotes",
        },
        Broken {
            piece: NAME,
            replacement: "name \"Acme Books\"",
            at: "\"Acme Books\"\nclient_id",
            message: "key with no value, expected `=`",
            help: "one `key = value` to a line",
        },
        Broken {
            piece: NAME,
            replacement: "name = \"Acme Books\"\n\"name\" = \"Other\"",
            at: "\"name\"",
            message: "duplicate key",
            help: "keep one of the two",
        },
        Broken {
            piece: "[app]",
            replacement: "[app",
            at: "\nname = \"Acme Books\"",
            message: "unclosed table, expected `]`",
            help: "write `[app]` for a table",
        },
        Broken {
            piece: "[email]",
            replacement: "[app]\n[email]",
            at: "app]\n[email]",
            message: "duplicate key",
            help: "double brackets",
        },
        Broken {
            piece: "[campaign]",
            replacement: "[campaign]\ndeadline = 2027-9-13",
            at: "2027-9-13",
            message: "invalid date",
            help: "write a day as `2027-09-13`",
        },
    ]);
}

#[test]
fn after_a_bracket_that_is_never_closed_nothing_is_believed() {
    for (piece, broken, line) in [
        ("secrets = [{ env = \"HOOK_SECRET\" }]", "secrets = [{ env = \"HOOK_SECRET\" ]", 35),
        ("approvers = [\"alice\"]", "approvers = [\"alice\"", 43),
    ] {
        let errors = parse(&with(piece, broken)).unwrap_err();
        let [problem] = errors.problems() else { panic!("{errors}") };
        assert_eq!(problem.line, line, "{errors}");
        assert!(problem.help.contains("close every bracket"), "{errors}");
    }
}

#[test]
fn problems_on_other_lines_are_reported_along_with_broken_ones() {
    let text =
        with(NAME, "name = Acme").replace("max_percent = 5", "max_percent = 500\nramp = [1, x]");
    let errors = parse(&text).unwrap_err();
    let lines: Vec<usize> = errors.problems().iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 45, 46], "{errors}");
}

#[test]
fn a_secret_in_a_broken_line_is_not_shown() {
    for written in [
        "client_secret \"hunter2\"",
        "client_secret: \"hunter2\"",
        "client_secret = hunter2",
        "client_secret = \"hunter2",
        "url = \"postgres://worker:hunter2@db/books",
    ] {
        let shown = parse(&with("[app]", &format!("[app]\n{written}"))).unwrap_err().to_string();
        assert!(shown.contains("jobs.toml:3:"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
