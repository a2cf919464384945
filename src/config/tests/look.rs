//! `[messages]`.

use std::path::Path;

use super::{Broken, assert_each_is_reported, good, parse, with};

#[test]
fn what_is_wrong_with_the_look_of_messages_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "[email]",
            replacement: "[messages]\ncolour = \"blue\"\n[email]",
            at: "\"blue\"",
            message: "`colour` is \"blue\", which is no colour",
            help: "write `colour = \"#1f5fa8\"`",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\ncolor = \"#ffffff\"\n[email]",
            at: "color",
            message: "unknown key `color` in [messages]",
            help: "did you mean `colour`?",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\nlocale = \"../de\"\n[email]",
            at: "\"../de\"",
            message: "which is no language",
            help: "write `locale = \"de\"`",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\nlocale = \"german\"\n[email]",
            at: "\"german\"",
            message: "`locale` is \"german\", which is no language",
            help: "write `locale = \"de\"`",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\nreply_to = \"help at books\"\n[email]",
            at: "\"help at books\"",
            message: "which is no mailbox",
            help: "write `reply_to = ",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\nsupport_url = \"http://books.example\"\n[email]",
            at: "\"http://books.example\"",
            message: "`support_url` is not encrypted",
            help: "https://",
        },
        Broken {
            piece: "[email]",
            replacement: "[messages]\ntemplates = \"\"\n[email]",
            at: "\"\"",
            message: "`templates` is empty",
            help: "leave it out",
        },
    ]);
}

#[test]
fn templates_are_looked_for_beside_the_file_and_tags_are_in_lower_case() {
    let table =
        "[messages]\ntemplates = \"own\"\ncolour = \"#ABCDEF\"\nlocale = \"de-AT\"\n[email]";
    let messages = parse(&with("[email]", table)).unwrap().messages;
    assert_eq!(messages.templates.as_deref(), Some(Path::new("/srv/books/own")));
    assert_eq!((messages.colour.as_str(), messages.locale.as_str()), ("#abcdef", "de-at"));
}

#[test]
fn without_the_table_messages_are_in_english_and_answers_go_to_the_sender() {
    let messages = good().messages;
    assert_eq!(messages.locale, "en");
    assert!(messages.templates.is_none() && messages.company.is_none());
    assert!(messages.reply_to.is_none() && messages.support_url.is_none());
}
