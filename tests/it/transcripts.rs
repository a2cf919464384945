//! The transcripts in the documents are what the program says. After a change of its output,
//! `TRYCMD=overwrite cargo test transcripts` writes them anew; look at the difference.

use trycmd::TestCases;

use crate::support::transcript;

/// Runs the `console` blocks of a page, one after the other, on a database of their own.
fn run(page: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let database = format!("sqlite://{}", dir.path().join("worker.db").display());
    TestCases::new()
        .env("WORKER_CONFIG", "jobs.toml")
        .env("WORKER_DATABASE_URL", database)
        // Logs would stand between the results; a slow machine's warnings, too.
        .env("WORKER_LOG_LEVEL", "off,sqlx::query=off")
        .case(page)
        .run();
}

#[test]
fn the_readme_shows_what_the_program_says() {
    run("README.md");
}

#[test]
fn the_page_of_commands_shows_what_the_program_says() {
    run("docs/commands.md");
}

#[test]
fn the_page_of_classes_shows_what_the_program_says() {
    run("docs/classes.md");
}

#[test]
fn the_page_of_scopes_shows_what_the_program_says() {
    run("docs/scopes.md");
}

/// In a directory of its own, as it writes files.
#[test]
fn the_readme_leads_from_nothing_to_a_preview_of_ones_own_first_mail() {
    let page = include_str!("../../README.md");
    let (_, rest) = page.split_once("```console,ignore\n").expect("the block");
    let (block, _) = rest.split_once("```").expect("its end");
    assert!(block.contains("preview invitation"), "{block}");
    let dir = tempfile::tempdir().expect("a temporary directory");
    transcript::run(block, dir.path());
}
