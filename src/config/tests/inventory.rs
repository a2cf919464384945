//! `[inventory]`: kinds, columns, and the guard's limits.

use std::ffi::OsString;

use super::{Broken, assert_each_is_reported, good, parse, with};
use crate::config::{DatabaseUrl, InventoryUrl, Source};

const CSV: &str = "kind = \"csv\"\npath = \"connections.csv\"";

#[test]
fn what_is_wrong_with_the_inventory_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: CSV,
            replacement: "kind = \"cvs\"\npath = \"connections.csv\"",
            at: "\"cvs\"",
            message: "`kind` is \"cvs\"",
            help: "write `kind = \"csv\"`",
        },
        Broken {
            piece: CSV,
            replacement: "path = \"connections.csv\"",
            at: "[inventory]",
            message: "`kind` is missing in [inventory]",
            help: "write `kind = \"csv\"` below [inventory]",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"jsonl\"",
            at: "[inventory]",
            message: "`path` is missing",
            help: "write `path = ",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"sql\"\nurl = \"postgres://h/d\"",
            at: "[inventory]",
            message: "`query` is missing",
            help: "select",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"sql\"\nurl = \"postgres://h/d\"\nquery = \"select 1\"\npath = \"x\"",
            at: "path",
            message: "`path` goes with `kind = \"csv\"` or `\"jsonl\"` only",
            help: "take it out",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"table\"\nquery = \"select 1\"",
            at: "query",
            message: "`query` goes with `kind = \"sql\"` only",
            help: "take it out, or write `kind = \"sql\"`",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"sql\"\nurl = \"ftp://h/d\"\nquery = \"select 1\"",
            at: "\"ftp:",
            message: "`url`: the address starts with none of",
            help: "postgres://",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\nmax_change_percent = 120",
            at: "120\n\n[campaign]",
            message: "`max_change_percent` is 120, outside 0 to 100",
            help: "a percentage from 0 to 100",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\nmax_bad_percent = nan",
            at: "nan",
            message: "`max_bad_percent` is nan",
            help: "from 0 to 100",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\nfloor = \"many\"",
            at: "\"many\"",
            message: "`floor` must be a whole number",
            help: "write `floor = 100`",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\nignore_refresh_tokens = \"true\"",
            at: "\"true\"",
            message: "must be true or false, this is a text",
            help: "write `ignore_refresh_tokens = true`",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\ncolumns.tennant_id = \"t\"",
            at: "tennant_id",
            message: "unknown key `tennant_id` in [inventory.columns]",
            help: "did you mean `tenant_id`?",
        },
        Broken {
            piece: CSV,
            replacement: "kind = \"csv\"\npath = \"c.csv\"\ncolumns.email = 3",
            at: "3\n\n[campaign]",
            message: "`email` must be a text in quotes",
            help: "write `email = \"3\"`",
        },
    ]);
}

#[test]
fn each_kind_reads_what_it_needs() {
    assert!(
        matches!(good().inventory.source, Source::Csv { path } if path.ends_with("srv/books/connections.csv"))
    );
    let jsonl = parse(&with(CSV, "kind = \"jsonl\"\npath = \"/x.jsonl\"")).unwrap();
    assert!(
        matches!(jsonl.inventory.source, Source::Jsonl { path } if path.to_str() == Some("/x.jsonl"))
    );
    let table = parse(&with(CSV, "kind = \"table\"")).unwrap();
    assert!(matches!(table.inventory.source, Source::Table));
    let sql =
        parse(&with(CSV, "kind = \"sql\"\nurl = \"sqlite://books.db\"\nquery = \"select 1\""))
            .unwrap();
    let Source::Sql { url: InventoryUrl::Given(DatabaseUrl::Sqlite { path, .. }), query } =
        sql.inventory.source
    else {
        panic!("an address that is written out is read at once");
    };
    assert_eq!((path.to_str(), query.as_str()), (Some("/srv/books/books.db"), "select 1"));
}

#[test]
fn a_secret_address_is_read_when_needed_and_relative_to_who_says_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("address");
    std::fs::write(&file, "sqlite://books.db\n").unwrap();
    let resolve = |reference: &str| {
        let sql = format!("kind = \"sql\"\nurl = {reference}\nquery = \"select 1\"");
        let Source::Sql { url, .. } = parse(&with(CSV, &sql)).unwrap().inventory.source else {
            panic!()
        };
        url.resolve(&|name| (name == "BOOKS").then(|| OsString::from("mysql://u:pw@h/d")))
    };
    let from_file = resolve(&format!("{{ file = \"{}\" }}", file.display())).unwrap();
    assert!(
        matches!(from_file, DatabaseUrl::Sqlite { path, .. } if path == dir.path().join("books.db"))
    );
    assert!(matches!(resolve("{ env = \"BOOKS\" }"), Ok(DatabaseUrl::MySql(_))));
    let unset = resolve("{ env = \"NONE\" }").unwrap_err();
    assert_eq!(unset.remedy(), "set NONE for this process");
}

#[test]
fn the_guard_takes_fractions_and_has_defaults() {
    let guard = good().guard;
    assert_eq!((guard.floor, guard.max_change_percent, guard.max_bad_percent), (1, 20.0, 1.0));
    let written = "kind = \"csv\"\npath = \"c.csv\"\nfloor = 0\nmax_change_percent = 0\nmax_bad_percent = 0.5";
    let guard = parse(&with(CSV, written)).unwrap().guard;
    assert_eq!((guard.floor, guard.max_change_percent, guard.max_bad_percent), (0, 0.0, 0.5));
}

#[test]
fn columns_are_renamed_by_ours() {
    let text = with(
        CSV,
        "kind = \"table\"\n[inventory.columns]\nemail = \"user_email\"\nscopes = \"scope\"",
    );
    let columns = parse(&text).unwrap().inventory.columns;
    let pairs: Vec<(&str, &str)> =
        columns.iter().map(|(ours, theirs)| (*ours, theirs.as_str())).collect();
    assert_eq!(pairs, [("email", "user_email"), ("scopes", "scope")]);
}
