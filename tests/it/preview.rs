//! `worker preview`: a message before it is sent.

use mail_parser::MessageParser;

use crate::support::place::Place;
use crate::support::said::Said;

const STAGES: [&str; 6] =
    ["invitation", "reminder", "second-reminder", "final-notice", "stopped", "correction"];

/// The parts of a message as `--format text` shows it.
fn field<'a>(said: &'a Said, name: &str) -> &'a str {
    let line = said.out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}: {said}")).trim()
}

#[test]
fn every_stage_can_be_looked_at_without_a_database_or_a_secret() {
    let place = Place::new(&[]);
    for stage in STAGES {
        let said = place.done(&["preview", stage]);
        assert_eq!(field(&said, "From"), "Acme Books <support@books.example>");
        assert_eq!(field(&said, "Reply-To"), "Acme Books Support <help@books.example>");
        assert!(field(&said, "Subject").contains("Acme Books"), "{said}");
        assert!(said.out.contains(".signature-cut\n"), "{said}");
        let html = place.done(&["preview", stage, "--format", "html"]);
        assert!(html.out.starts_with("<!doctype html>"), "{html}");
        let eml = place.done(&["preview", stage, "--format", "eml"]);
        let mail = MessageParser::default().parse(eml.out.as_bytes()).unwrap();
        assert_eq!(mail.subject(), Some(field(&said, "Subject")));
    }
    assert!(!place.database().exists());
}

#[test]
fn a_live_link_needs_the_secret_and_has_a_signature() {
    let place = Place::new(&[]);
    let arguments = ["preview", "invitation", "--live-link"];
    place.worker(&arguments).complains(2, "LINK_SECRET is not set", "set LINK_SECRET");
    let mut command = place.command(&arguments);
    command.env("LINK_SECRET", "of this test");
    let said = Said::by(command);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(!said.out.contains("signature-cut") && !said.out.contains("of this test"), "{said}");
}

#[test]
fn a_message_about_a_connection_goes_to_the_person_responsible_and_shows_all_of_theirs() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    let about = |id: &str| place.done(&["preview", "invitation", "--connection", id]);
    let said = about("e001c024-c291-4575-8092-7c0fc4a16c7b");
    assert!(field(&said, "To").ends_with("<tom@kauri-coast.example>"), "{said}");
    assert!(said.out.contains("connected to Kauri Coast Plumbing Limited (AC-96124) in"), "{said}");
    // One message of 211 connections, a hundred of which fit.
    let said = about("ngaire.tuhoe@ledgerline.example");
    assert!(field(&said, "To").ends_with("<ngaire.tuhoe@ledgerline.example>"), "{said}");
    assert!(said.out.contains("connected to 211 organisations"), "{said}");
    assert!(said.out.contains("And 111 more"), "{said}");
    // One inbox, four users of Xero, one of whom has renewed: three links.
    let said = about("accounts@harbour-group.example");
    assert_eq!(said.out.matches("?token=").count(), 3, "{said}");
    assert_eq!(about("e001c024-c291-4575-8092-7c0fc4a16c7b").out, {
        about("E001C024-C291-4575-8092-7C0FC4A16C7B").out
    });
}

#[test]
fn what_cannot_be_shown_is_said_with_what_to_do() {
    let place = Place::new(&[]);
    let preview = |arguments: &[&str]| place.worker(&[&["preview"], arguments].concat());
    preview(&["farewell"]).complains(2, "no stage \"farewell\"", "invitation, reminder,");
    let about = ["invitation", "--connection", "11111111-1111-1111-1111-111111111111"];
    preview(&about).complains(1, "there is no database yet", "worker run-once");
    place.done(&["run-once"]);
    preview(&about).complains(2, "nothing is known", "worker explain");
    place.configure(&[("reconnect_url = ", "# reconnect_url = ")]);
    preview(&["invitation"]).complains(2, "no reconnect_url", "docs/link.md");
}

#[test]
fn own_templates_are_found_beside_the_configuration_and_shown_with_what_is_wrong() {
    let place = Place::new(&[("# templates = \"templates\"", "templates = \"own\"")]);
    place.worker(&["preview", "invitation"]).complains(2, "cannot be read", "`templates`");
    std::fs::create_dir(place.path("own")).unwrap();
    place.write("own/invitation.subject.txt.j2", "Kia ora from {{ company }}");
    let said = place.done(&["preview", "invitation"]);
    assert_eq!(field(&said, "Subject"), "Kia ora from Acme Books");
    place.write("own/invitation.subject.txt.j2", "Kia ora {{ nmae }}");
    let broken = place.worker(&["preview", "invitation"]);
    broken.complains(2, "invitation.subject.txt.j2:1: it uses something", "docs/messages.md");
}

#[test]
fn no_log_line_of_a_preview_shows_the_person_the_link_or_the_secret() {
    let place = Place::new(&[]);
    place.done(&["run-once"]);
    for arguments in [
        &["preview", "invitation", "--live-link", "--connection", "tom@kauri-coast.example"][..],
        &["preview", "farewell", "--live-link"],
    ] {
        let mut command = place.command(arguments);
        command.env("LINK_SECRET", "hushhush").env("WORKER_LOG_LEVEL", "trace");
        let said = Said::by(command);
        for hidden in ["kauri-coast", "Kauri", "hushhush", "token=", "v1."] {
            assert!(!said.err.contains(hidden), "{hidden}: {}", said.err);
        }
    }
}
