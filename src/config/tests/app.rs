//! `[app]`, `[database]`, `[xero]` and the other small tables.

use std::path::Path;

use super::{Broken, assert_each_is_reported, good, parse, with};
use crate::config::{DatabaseUrl, Migrate, SecretRef};
use crate::domain::row::Flow;

#[test]
fn what_is_wrong_with_the_app_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "name = \"Acme Books\"",
            replacement: "nmae = \"Acme\"\nname = \"Acme Books\"",
            at: "nmae",
            message: "unknown key `nmae` in [app]",
            help: "did you mean `name`?",
        },
        Broken {
            piece: "name = \"Acme Books\"",
            replacement: "colour = 1\nname = \"Acme Books\"",
            at: "colour",
            message: "unknown key `colour`",
            help: "the keys of [app] are: name, client_id",
        },
        Broken {
            piece: "name = \"Acme Books\"",
            replacement: "",
            at: "[app]",
            message: "`name` is missing in [app]",
            help: "write `name = \"Acme Books\"` below [app]",
        },
        Broken {
            piece: "name = \"Acme Books\"",
            replacement: "name = 5",
            at: "5\nclient",
            message: "`name` must be a text in quotes, this is a whole number",
            help: "write `name = \"5\"`",
        },
        Broken {
            piece: "\"0123456789ABCDEF0123456789ABCDEF\"",
            replacement: "\" \"",
            at: "\" \"",
            message: "`client_id` is empty",
            help: "write what it is",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nflow = \"wep\"",
            at: "\"wep\"",
            message: "`flow` is \"wep\"",
            help: "write `flow = \"web\"`",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nflow = \"oauth1\"",
            at: "\"oauth1\"",
            message: "none of \"web\", \"pkce\", \"custom\"",
            help: "write one of",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\ncreated = \"2024-05-01\"",
            at: "\"2024",
            message: "`created` must be a date",
            help: "leave out the quotes: write `created = 2024-05-01`",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\ncreated = 2024-05-01T10:00:00Z",
            at: "2024",
            message: "a day without a time",
            help: "write `created = 2024-05-01`",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nconnection_cap = -1",
            at: "-1",
            message: "`connection_cap` is -1, outside 0 to",
            help: "a whole number from 0",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nconnection_cap = \"10000\"",
            at: "\"10000\"",
            message: "must be a whole number, this is a text",
            help: "leave out the quotes: write `connection_cap = 10000`",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nreconnect_url = \"https://books.example/again\"",
            at: "\"https://books.example/again\"",
            message: "`reconnect_url` has no place for the link's token",
            help: "write `reconnect_url = \"https://books.example/again?token={token}\"`",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nreconnect_url = \"http://books.example/?t={token}\"",
            at: "\"http:",
            message: "`reconnect_url` is not encrypted",
            help: "https://",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nredirect_uri = \"http://127.0.0.1/back\"",
            at: "\"http:",
            message: "`redirect_uri` is not encrypted",
            help: "localhost only",
        },
        Broken {
            piece: "[app]",
            replacement: "[app]\nredirect_uri = \"books.example/back\"",
            at: "\"books.example/back\"",
            message: "`redirect_uri` is no web address",
            help: "https://books.example/path",
        },
    ]);
}

#[test]
fn what_is_wrong_with_the_smaller_tables_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "[inventory]",
            replacement: "[database]\nurl = \"worker.db\"\n[inventory]",
            at: "\"worker.db\"",
            message: "starts with none of sqlite://",
            help: "sqlite://worker.db",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[database]\nurl = \"mysql://u@h/d\"\n[inventory]",
            at: "\"mysql",
            message: "not hold the worker's state",
            help: "`postgres://user@host/name`",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[database]\nurl = { env = \"DB\" }\n[inventory]",
            at: "{ env = \"DB\" }",
            message: "`url` must be an address",
            help: "WORKER_DATABASE_URL",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[database]\nmigrate = \"never\"\n[inventory]",
            at: "\"never\"",
            message: "`migrate` is \"never\"",
            help: "write one of \"auto\", \"manual\"",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[http]\nlisten = \"localhost:9464\"\n[inventory]",
            at: "\"localhost",
            message: "no IP address with a port",
            help: "write `listen = \"127.0.0.1:9464\"`",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[xero]\napi = \"http://api.xero.com\"\n[inventory]",
            at: "\"http:",
            message: "`api` is not encrypted",
            help: "https://",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[retention]\ndays_after_deadline = 1.5\n[inventory]",
            at: "1.5",
            message: "must be a whole number, this is a number with a fraction",
            help: "write `days_after_deadline = 100`",
        },
        Broken {
            piece: "[inventory]",
            replacement: "[link]\nsecrets = { env = \"A\" }\n[inventory]",
            at: "{ env = \"A\" }",
            message: "`secrets` must be a list, this is a table",
            help: "in brackets",
        },
    ]);
}

#[test]
fn a_secret_written_out_is_refused_and_not_shown() {
    for (written, hidden) in [
        ("client_secret = \"hunter2\"", "hunter2"),
        ("client_secret = { env = \"A\", value = \"hunter2\" }", "hunter2"),
        ("client_secert = \"hunter2\"", "hunter2"),
        ("client_secret = { file = \"\" }", "file = \"\""),
        ("client_secret = \"hunter2", "hunter2"),
    ] {
        let errors = parse(&with("[app]", &format!("[app]\n{written}"))).expect_err(written);
        let shown = errors.to_string();
        assert!(shown.contains("client_se"), "{shown}");
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let text =
        with("[inventory]", "[database]\nurl = \"oracle://worker:hunter2@db/books\"\n[inventory]");
    let shown = parse(&text).unwrap_err().to_string();
    assert!(shown.contains("starts with none of") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good();
    assert_eq!(config.app.flow, Flow::Web);
    assert_eq!(config.app.connection_cap, None);
    assert_eq!(config.database.migrate, Migrate::Auto);
    assert_eq!(config.database.url.to_string(), "sqlite:///srv/books/worker.db");
    assert_eq!(config.xero.api.as_str(), "https://api.xero.com/");
    assert_eq!((config.xero.roots, config.xero.calls_per_minute), (None, 60));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.retention.days_after_deadline, 365);
    assert_eq!(config.link.secrets, []);
}

#[test]
fn paths_of_every_kind_start_at_the_file_that_says_them() {
    let text = with(
        "[inventory]",
        "client_secret = { file = \"secrets/xero\" }\n[database]\nurl = \"sqlite://state.db?mode=rw\"\n[xero]\nroots = \"roots.pem\"\n[inventory]",
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.app.client_secret, Some(SecretRef::File("/srv/books/secrets/xero".into())));
    assert_eq!(config.xero.roots.as_deref(), Some(Path::new("/srv/books/roots.pem")));
    let DatabaseUrl::Sqlite { path, options } = config.database.url else { panic!() };
    assert_eq!((path.to_str(), options.as_deref()), (Some("/srv/books/state.db"), Some("mode=rw")));
}

#[test]
fn an_app_created_after_the_change_is_read_like_any_other() {
    let config = parse(&with("[app]", "[app]\ncreated = 2026-03-02")).unwrap();
    assert_eq!(config.app.created.map(|day| day.to_string()).as_deref(), Some("2026-03-02"));
}

#[test]
fn a_link_carries_its_token_where_the_address_says() {
    let config =
        parse(&with("[app]", "[app]\nreconnect_url = \"http://localhost:80/a?t={token}&b=1\""))
            .unwrap();
    let address = config.app.reconnect_url.unwrap();
    assert_eq!(address.with_token("abc"), "http://localhost:80/a?t=abc&b=1");
}
