//! The file as a whole: missing and unknown tables, many problems at once, any text at all.

use std::path::Path;

use proptest::prelude::*;

use super::{Broken, GOOD, assert_each_is_reported, parse, with};
use crate::config::{BUILTIN, Config, Origin};

#[test]
fn unknown_and_misshapen_tables_are_reported() {
    assert_each_is_reported(&[
        Broken {
            piece: "[email]",
            replacement: "[emial]\n[email]",
            at: "emial",
            message: "unknown table [emial]",
            help: "did you mean `email`?",
        },
        Broken {
            piece: "[email]",
            replacement: "[telemetry]\nx = 1\n[email]",
            at: "telemetry",
            message: "unknown table [telemetry]",
            help: "the tables are: app,",
        },
        Broken {
            piece: "\n[app]",
            replacement: "colour = 1\n[app]",
            at: "colour",
            message: "unknown key `colour`",
            help: "the tables are: app,",
        },
    ]);
}

#[test]
fn a_table_written_as_a_list_is_refused() {
    let text = with("[inventory]\nkind", "[[inventory]]\nkind");
    let errors = parse(&text).unwrap_err();
    let [problem] = errors.problems() else { panic!("{errors}") };
    assert_eq!(problem.message, "`inventory` must be one table");
    assert_eq!(problem.help, "write `[inventory]` on a line of its own, its keys below");
}

#[test]
fn an_empty_file_is_told_all_that_it_needs() {
    let errors = parse("").unwrap_err();
    let messages: Vec<&str> =
        errors.problems().iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the table [app] is missing",
            "the table [inventory] is missing",
            "the table [campaign] is missing"
        ]
    );
    assert!(errors.to_string().contains("jobs.toml:1:1"), "{errors}");
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_their_lines() {
    let text = GOOD
        .replace("name = \"Acme Books\"", "nmae = \"Acme Books\"")
        .replace("kind = \"csv\"", "kind = \"cvs\"")
        .replace("\"accounting.invoices\"]", "\"accounting.transactions\"]")
        .replace("days_before = 120", "days_before = 60")
        .replace("max_per_day = 1000", "max_per_day = \"1000\"")
        .replace("max_percent = 5", "max_percent = 500")
        .replace(
            "steps = [\"scan\", \"report\"]",
            "steps = [\"report\", \"scan\"]\nschedule = \"* * * * 1\"",
        );
    let errors = parse(&text).unwrap_err();
    let expected = [
        (3, "unknown key `nmae`"),
        (7, "`kind` is \"cvs\""),
        (11, "broad scopes"),
        (19, "fall on one day"),
        (25, "`max_per_day` must be a whole number"),
        (45, "`max_percent` is 500"),
        (49, "`scan` cannot come after `report`"),
        (50, "weekdays stand as numbers"),
    ];
    let found: Vec<usize> = errors.problems().iter().map(|problem| problem.line).collect();
    assert_eq!(found, expected.map(|(line, _)| line), "{errors}");
    for (problem, (_, message)) in errors.problems().iter().zip(expected) {
        assert!(problem.message.contains(message), "{message}\n{errors}");
    }
    assert!(errors.to_string().ends_with("8 problems in /srv/books/jobs.toml"), "{errors}");
}

#[test]
fn a_problem_is_shown_with_its_line_and_a_marker() {
    let shown = parse(&with("kind = \"csv\"", "kind = \"cvs\"")).unwrap_err().to_string();
    insta::assert_snapshot!(shown, @r#"
    error: `kind` is "cvs", which is none of "csv", "jsonl", "sql", "table"
     --> /srv/books/jobs.toml:7:8
      |
    7 | kind = "cvs"
      |        ^^^^^
      |
      = help: write `kind = "csv"`

    1 problem in /srv/books/jobs.toml
    "#);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert!(parse(&text).is_ok(), "{:?}", parse(&text).err());
    let broken = text.replace("kind = \"csv\"", "kind = \"cvs\"");
    let errors = parse(&broken).unwrap_err();
    assert_eq!((errors.problems()[0].line, errors.problems()[0].column), (7, 8));
}

#[test]
fn an_origin_names_its_file_and_its_directory() {
    let errors = Config::parse("", &Origin::file(Path::new("conf/jobs.toml"))).unwrap_err();
    assert_eq!(errors.origin(), "conf/jobs.toml");
    let here = Config::parse(GOOD, &Origin::file(Path::new("jobs.toml"))).unwrap();
    let builtin = Config::parse(GOOD, &Origin::builtin()).unwrap();
    assert_eq!(here.database.url.expose(), builtin.database.url.expose());
}

proptest! {
    #[test]
    fn no_text_makes_the_reading_panic(cut in 0usize..6000, put in "[\\[\\]{}=\"'#.,\na-z0-9é-]{0,12}", skip in 0usize..40) {
        let at = |index: usize| BUILTIN.floor_char_boundary(index.min(BUILTIN.len()));
        let text = format!("{}{put}{}", &BUILTIN[..at(cut)], &BUILTIN[at(cut + skip)..]);
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.problems().is_empty());
            prop_assert!(errors.to_string().contains("jobs.toml"));
        }
    }
}
