//! The rights on PostgreSQL that docs/database.md, "Rights", names are enough, and those that
//! it names for one command are what that command lacks without them.

use std::path::Path;

use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::prompts::prompt_id;
use crate::support::world::World;

/// The page's statements for a role, for a role of another name.
fn statements(page_role: &str, role: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/database.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = page.find(&format!("create role {page_role} login;")).expect("the page has it");
    let block = &page[begin..];
    block[..block.find("```").unwrap()].replace(page_role, role)
}

#[tokio::test]
async fn each_command_does_with_the_rights_that_the_page_names() {
    let pg = Pg::new().await;
    let owner = Place::new(&[("\"sqlite://worker.db\"", &format!("{:?}", pg.url()))]);
    owner.done(&["migrate"]);
    let role = format!("runner_{}", pg.name());
    pg.execute(&statements("worker_runner", &role)).await;
    let place = Place::new(&[("\"sqlite://worker.db\"", &format!("{:?}", pg.url_as(&role)))]);
    place.done(&["run-once"]);
    place.done(&["run-once"]);
    place.done(&["status"]);
    place.done(&["suppress", "add", "jo@example.com"]);

    let cases: [(&[&str], &str); 4] = [
        (&["pause", "--reason", "x", "--by", "a"], "insert, update on pauses"),
        (&["suppress", "remove", "jo@example.com"], "delete on suppressions"),
        (&["confirm", "link", "--by", "a", "--note", "x"], "insert on confirmations"),
        (
            &["exempt", "add", "x", "--until", "2099-01-01", "--reason", "x", "--by", "a"],
            "insert, update, delete on exemptions",
        ),
    ];
    for (command, rights) in cases {
        place.worker(command).complains(1, "permission denied", "lacks a right");
        pg.execute(&format!("grant {rights} to {role}")).await;
        place.done(command);
    }
    place.done(&["resume", "--by", "a"]);
    place.done(&["confirm", "database", "--by", "a", "--note", "x"]);

    let world = World::at(&pg.url()).await;
    world.prompt(1, "p1@example.com", "unknown").await;
    world.prompt(2, "p2@example.com", "unknown").await;
    place.done(&["settle", &prompt_id(1), "--as", "sent", "--by", "a"]);
    place.write("outcomes.csv", format!("kind,prompt\nbounced,{}\n", prompt_id(2)));
    place.done(&["outcomes", "import", "outcomes.csv"]);
    assert_eq!(world.of_prompt(2, "state").await, "refused");
}
