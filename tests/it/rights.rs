//! The rights on PostgreSQL that docs/database.md, "Rights", names are enough, and those that
//! it names for one command are what that command lacks without them.

use std::path::Path;

use crate::support::line::lines;
use crate::support::pg::Pg;
use crate::support::place::Place;
use crate::support::prompts::prompt_id;
use crate::support::removing::{Removing, each};
use crate::support::said::Said;
use crate::support::sending::{Base, Sending};
use crate::support::world::World;

/// The page's statements for a role, for a role of another name.
fn statements(page_role: &str, role: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/database.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = page.find(&format!("create role {page_role} login;")).expect("the page has it");
    let block = &page[begin..];
    block[..block.find("```").unwrap()].replace(page_role, role)
}

/// The tables, each with its rights, that a role of the page has been granted.
fn granted(statements: &str) -> Vec<(String, String)> {
    let grants = statements.lines().filter_map(|line| line.strip_prefix("grant "));
    let mut granted = Vec::new();
    for (rights, rest) in grants.filter_map(|grant| grant.split_once(" on ")) {
        let (tables, _) = rest.split_once(" to ").expect("a role");
        for table in tables.split(", ") {
            granted.extend(rights.split(", ").map(|right| (table.to_owned(), right.to_owned())));
        }
    }
    granted
}

/// A counter's place and a sender's, each with the rights of the page on this database.
async fn layers(pg: &Pg, base: &Sending) -> (String, String) {
    base.worker(&["migrate"]);
    let (counter, sender) = (format!("counter_{}", pg.name()), format!("sender_{}", pg.name()));
    pg.execute(&statements("worker_counter", &counter)).await;
    let page = statements("worker_sender", &sender).replace("worker_counter", &counter);
    pg.execute(&page).await;
    (counter, sender)
}

const COUNTING: (&str, &str) =
    ("steps = [\"scan\", \"prompt\", \"remove\", \"report\"]", "steps = [\"scan\", \"report\"]");

const SENDING: (&str, &str) = (
    "steps = [\"scan\", \"prompt\", \"remove\", \"report\"]",
    "steps = [\"scan\", \"prompt\", \"report\"]",
);

/// What a layer does: from an empty database to the end, with something changing in between.
/// Gives the first complaint.
fn layer(sending: &Sending, prompts: bool) -> Option<Said> {
    sending.show(&lines(0..3));
    let mut said = vec![sending.run(), sending.worker(&["status"]), sending.worker(&["due"])];
    if prompts {
        said.push(sending.worker(&["suppress", "add", "someone@example.com"]));
    }
    sending.show(&lines(1..5));
    said.push(sending.run());
    said.into_iter().find(|said| said.code == Some(1))
}

#[tokio::test]
async fn counting_does_with_its_rights_and_names_the_one_that_is_missing() {
    each_right("worker_counter", COUNTING, false).await;
}

#[tokio::test]
async fn sending_does_with_its_rights_and_names_the_one_that_is_missing() {
    each_right("worker_sender", SENDING, true).await;
}

/// Takes away each right of a layer in turn, and then none.
async fn each_right(role_of_page: &str, steps: (&str, &str), prompts: bool) {
    // A database for each right: what is there already hides what is missing.
    let rights = granted(&statements(role_of_page, "x"));
    for missing in rights.iter().map(Some).chain([None]) {
        let sending = Sending::new(Base::Postgres, &lines(0..3)).await;
        let pg = sending.pg.as_ref().expect("PostgreSQL");
        let (counter, sender) = layers(pg, &sending).await;
        let role = if prompts { &sender } else { &counter };
        if prompts {
            let word = sending.worker(&["confirm", "link", "--by", "a", "--note", "x"]);
            assert_eq!(word.code, Some(0), "{word}");
        }
        if let Some((table, right)) = missing {
            pg.execute(&format!("revoke {right} on {table} from {role}")).await;
        }
        let url = (&*format!("{:?}", pg.url()), &*format!("{:?}", pg.url_as(role)));
        sending.configure(&[url, steps]);
        match (missing, layer(&sending, prompts)) {
            (None, None) => {}
            (None, Some(said)) => panic!("{role_of_page}: {said}"),
            (Some(missing), None) => {
                assert!(SELDOM.contains(&missing.0.as_str()), "{role_of_page}: {missing:?}");
            }
            (Some((table, right)), Some(said)) => {
                said.complains(1, "permission denied", "lacks a right");
                assert!(said.complaint().0.contains(table), "{missing:?}: {said}");
                // A command names the table only, and so does what comes before a run: whether
                // the schema is right.
                let is_early = ["_sqlx_migrations", "settings"].contains(&&**table)
                    || !said.err.contains("progress report");
                let right = format!("this database user lacks {} on {table}", right.to_uppercase());
                assert!(is_early || said.err.contains(&right), "{missing:?}: {said}");
            }
        }
    }
}

/// Tables that an uneventful campaign does not come to, by at least one of their rights.
const SELDOM: [&str; 11] = [
    "accepted_scans",
    "announcements",
    "approvals",
    "bad_rows",
    "endpoints",
    "fires",
    "hold_backs",
    "plan_removals",
    "prompt_connections",
    "suppressions",
    "xero_connections",
];

#[tokio::test]
async fn each_command_does_with_the_rights_that_the_page_names() {
    let pg = Pg::new().await;
    let owner = Place::new(&[("\"sqlite://worker.db\"", &format!("{:?}", pg.url()))]);
    owner.done(&["migrate"]);
    let counter = format!("counter_{}", pg.name());
    let role = format!("sender_{}", pg.name());
    pg.execute(&statements("worker_counter", &counter)).await;
    pg.execute(&statements("worker_sender", &role).replace("worker_counter", &counter)).await;
    let url = format!("{:?}", pg.url_as(&role));
    let place = Place::new(&[("\"sqlite://worker.db\"", &url), SENDING]);
    place.done(&["run-once"]);
    place.done(&["run-once"]);
    place.done(&["status"]);
    place.done(&["suppress", "add", "jo@example.com"]);
    // What is missing is found before a run does.
    let lacks = |role: &str| {
        let url = ("\"sqlite://worker.db\"", &*format!("{:?}", pg.url_as(role)));
        let place = Place::new(&[url, ("enabled = false", "enabled = true")]);
        let said = place.worker(&["check", "--offline"]);
        said.out.contains("this user lacks rights: ")
    };
    assert!(!lacks(&role) && lacks(&counter));

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

#[tokio::test]
async fn removing_does_with_the_rights_that_the_page_names() {
    let removing = Removing::new(Base::Postgres, &each(0..2)).await;
    removing.prepare().await;
    removing.approve();
    let pg = removing.sending.pg.as_ref().expect("PostgreSQL");
    let (counter, sender) = layers(pg, &removing.sending).await;
    let remover = format!("remover_{}", pg.name());
    let page = statements("worker_remover", &remover);
    pg.execute(&page.replace("worker_sender", &sender)).await;
    let url = (&*format!("{:?}", pg.url()), &*format!("{:?}", pg.url_as(&remover)));
    // The page's list is no longer than it has to be where Xero is asked to remove.
    pg.execute(&format!("revoke insert, update on removals from {remover}")).await;
    removing.configure(&[url]);
    removing.done(&["run-once"], 1).complains(1, "permission denied", "lacks a right");
    assert_eq!(removing.deletes(), 0, "{counter}");
    pg.execute(&format!("grant insert, update on removals to {remover}")).await;
    assert_eq!(removing.ran(0)["removals_done"], 2);
}
