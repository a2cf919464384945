//! Broken configurations: each has its place, its message and what to write named. The good
//! one that they are broken from is here, with the two ways of breaking it.

mod app;
mod campaign;
mod inventory;
mod jobs;
mod look;
mod messages;
mod reference;
mod removal;
mod schema;
mod stages;
mod syntax;
mod whole;

use std::path::Path;

use super::{Config, ConfigErrors, Origin};

const GOOD: &str = r#"
[app]
name = "Acme Books"
client_id = "0123456789ABCDEF0123456789ABCDEF"

[inventory]
kind = "csv"
path = "connections.csv"

[campaign]
required_scopes = ["offline_access", "accounting.invoices"]

[[campaign.stages]]
name = "invitation"
days_before = 120

[[campaign.stages]]
name = "final"
days_before = 60
final = true

[prompts]
enabled = true
max_per_run = 500
max_per_day = 1000

[email]
kind = "smtp"
host = "smtp.example"
from = "Acme Books <support@books.example>"

[[webhooks]]
name = "product"
url = "https://books.example/hooks"
secrets = [{ env = "HOOK_SECRET" }]

[removal]
enabled = true
opens_days_before = 30
min_prompts = 2
min_notice_days = 21
approvers = ["alice"]
max_per_run = 50
max_per_day = 200
max_percent = 5

[[jobs]]
name = "campaign"
steps = ["scan", "report"]
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, &Origin::file(Path::new("/srv/books/jobs.toml")))
}

fn good() -> Config {
    parse(GOOD).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The good configuration with one piece of it replaced.
fn with(piece: &str, replacement: &str) -> String {
    assert_eq!(GOOD.matches(piece).count(), 1, "{piece:?} stands once in the good configuration");
    GOOD.replace(piece, replacement)
}

/// One way to break the good configuration, and what is to be said about it.
struct Broken {
    piece: &'static str,
    replacement: &'static str,
    /// What the marker points at: it stands once in the broken text.
    at: &'static str,
    message: &'static str,
    help: &'static str,
}

/// Exactly one problem, at its place, that names the thing and says what to write.
fn assert_each_is_reported(cases: &[Broken]) {
    for Broken { piece, replacement, at, message, help } in cases {
        let text = with(piece, replacement);
        let errors = parse(&text).expect_err(replacement);
        let [problem] = errors.problems() else { panic!("{replacement}\n{errors}") };
        assert_eq!((problem.line, problem.column), place(&text, at), "{replacement}\n{errors}");
        assert!(problem.message.contains(message), "{message:?} in:\n{errors}");
        assert!(problem.help.contains(help), "{help:?} in:\n{errors}");
        let shown = errors.to_string();
        let position = format!("/srv/books/jobs.toml:{}:{}", problem.line, problem.column);
        assert!(shown.contains(&position), "{position} in:\n{shown}");
    }
}

/// Line and column of a piece of text that stands in it once, both from 1.
fn place(text: &str, piece: &str) -> (usize, usize) {
    assert_eq!(text.matches(piece).count(), 1, "{piece:?} stands once in:\n{text}");
    let before = text.split(piece).next().unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
