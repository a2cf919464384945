//! `[prompts]`, `[email]` and `[[webhooks]]`.

use std::path::Path;

use super::{Broken, assert_each_is_reported, good, parse, with};
use crate::config::{Tls, Transport};
use crate::domain::request_body::RequestBody;

#[test]
fn what_is_wrong_with_prompts_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "max_per_run = 500",
            replacement: "",
            at: "[prompts]",
            message: "`max_per_run` is missing in [prompts]",
            help: "write `max_per_run = 500` below [prompts]",
        },
        Broken {
            piece: "max_per_day = 1000",
            replacement: "",
            at: "[prompts]",
            message: "`max_per_day` is missing",
            help: "write `max_per_day = 1000`",
        },
        Broken {
            piece: "max_per_run = 500",
            replacement: "max_per_run = 500\nramp = [25, \"250\"]",
            at: "\"250\"",
            message: "an entry of `ramp` must be a whole number",
            help: "write `250`",
        },
        Broken {
            piece: "max_per_run = 500",
            replacement: "max_per_run = 500\nonly_to = [\"@acme.example\"]",
            at: "\"@acme.example\"",
            message: "neither an address nor a whole domain",
            help: "*@acme.example",
        },
        Broken {
            piece: "max_per_run = 500",
            replacement: "max_per_run = 500\nonly_to = [\"j*@acme.example\"]",
            at: "\"j*@acme.example\"",
            message: "neither an address nor a whole domain",
            help: "jo@acme.example",
        },
    ]);
}

#[test]
fn what_is_wrong_with_mail_and_webhooks_is_said_with_its_place() {
    assert_each_is_reported(&[
        Broken {
            piece: "kind = \"smtp\"",
            replacement: "kind = \"smpt\"",
            at: "\"smpt\"",
            message: "`kind` is \"smpt\"",
            help: "write `kind = \"smtp\"`",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "",
            at: "[email]",
            message: "`host` is missing in [email]",
            help: "write `host = ",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\nport = 0",
            at: "0\nfrom",
            message: "`port` is 0, outside 1 to 65535",
            help: "from 1 to 65535",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\ntls = \"ssl\"",
            at: "\"ssl\"",
            message: "`tls` is \"ssl\"",
            help: "\"starttls\", \"implicit\", \"none\"",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\nusername = \"u\"",
            at: "[email]",
            message: "`password` is missing",
            help: "{ env = \"SMTP_PASSWORD\" }",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\nurl = \"https://mail.example\"",
            at: "url = \"https://mail.example\"",
            message: "`url` goes with `kind = \"http\"` only",
            help: "take it out",
        },
        Broken {
            piece: "kind = \"smtp\"\nhost = \"smtp.example\"",
            replacement: "kind = \"http\"\nurl = \"https://mail.example\"\nroots = \"roots.pem\"",
            at: "roots = ",
            message: "`roots` goes with `kind = \"smtp\"` only",
            help: "take it out",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\nid_field = \"id\"",
            at: "id_field",
            message: "`id_field` goes with `kind = \"http\"` only",
            help: "take it out",
        },
        Broken {
            piece: "kind = \"smtp\"\nhost = \"smtp.example\"",
            replacement: "kind = \"http\"\nurl = \"https://mail.example\"\nbody = '''\n{\n  \"to\": {{ recipient }}\n}'''",
            at: "'''\n{",
            message: "`body`: line 2 of the template",
            help: "from, to, reply_to",
        },
        Broken {
            piece: "kind = \"smtp\"\nhost = \"smtp.example\"",
            replacement: "kind = \"http\"\nurl = \"https://mail.example\"\nbody = '{\"to\": \"{{ to.name }}\"}'",
            at: "'{\"to",
            message: "`body`: the template gives no JSON object",
            help: "| tojson",
        },
        Broken {
            piece: "host = \"smtp.example\"",
            replacement: "host = \"smtp.example\"\nconnections = 0",
            at: "0\nfrom",
            message: "`connections` is 0, outside 1 to 64",
            help: "from 1 to 64",
        },
        Broken {
            piece: "secrets = [{ env = \"HOOK_SECRET\" }]",
            replacement: "secrets = [{ env = \"HOOK_SECRET\" }]\nprivate = \"yes\"",
            at: "\"yes\"",
            message: "`private` must be true or false",
            help: "write `private = true`",
        },
        Broken {
            piece: "[removal]",
            replacement: "[file]\nfolder = 77\n[removal]",
            at: "77",
            message: "`folder` must be a text in quotes",
            help: "write `folder = \"77\"`",
        },
        Broken {
            piece: "from = \"Acme Books <support@books.example>\"",
            replacement: "from = \"Acme Books\"",
            at: "\"Acme Books\"\n\n[[webhooks]]",
            message: "`from` is \"Acme Books\", which is no mailbox",
            help: "Acme Books <support@books.example>",
        },
        Broken {
            piece: "url = \"https://books.example/hooks\"",
            replacement: "url = \"http://books.example/hooks\"",
            at: "\"http:",
            message: "`url` is not encrypted",
            help: "https://",
        },
        Broken {
            piece: "secrets = [{ env = \"HOOK_SECRET\" }]",
            replacement: "secrets = []",
            at: "[]",
            message: "`secrets` is empty",
            help: "HOOK_SECRET",
        },
        Broken {
            piece: "secrets = [{ env = \"HOOK_SECRET\" }]",
            replacement: "",
            at: "[[webhooks]]",
            message: "`secrets` is missing in [[webhooks]]",
            help: "below [[webhooks]]",
        },
        Broken {
            piece: "[[webhooks]]",
            replacement: "[webhooks]",
            at: "[webhooks]",
            message: "`webhooks` must be a list of tables",
            help: "write `[[webhooks]]`",
        },
        Broken {
            piece: "[removal]",
            replacement: "[[webhooks]]\nname = \"product\"\nurl = \"http://127.0.0.1:1/\"\nsecrets = [{ env = \"S\" }]\n[removal]",
            at: "\"product\"\nurl = \"http:",
            message: "a second [[webhooks]] is called \"product\"",
            help: "a name of its own",
        },
    ]);
}

#[test]
fn mail_without_a_way_to_send_it_is_refused_at_each_stage_while_prompts_are_enabled() {
    let email = "[email]\nkind = \"smtp\"\nhost = \"smtp.example\"\nfrom = \"Acme Books <support@books.example>\"";
    let text = with(email, "");
    let errors = parse(&text).unwrap_err();
    assert_eq!(errors.problems().len(), 2, "{errors}");
    assert!(errors.problems()[0].message.contains("there is no [email]"), "{errors}");
    assert!(
        parse(&text.replace("[prompts]\nenabled = true", "[prompts]\nenabled = false")).is_ok()
    );
}

#[test]
fn prompts_are_off_and_need_no_limits_until_enabled() {
    let limits = "[prompts]\nenabled = true\nmax_per_run = 500\nmax_per_day = 1000";
    for written in ["", "[prompts]", "[prompts]\nenabled = false"] {
        let prompts = parse(&with(limits, written)).unwrap().prompts;
        assert!(!prompts.enabled, "{written}");
        assert_eq!((prompts.max_per_run, prompts.max_per_address_per_day), (None, 1));
    }
    assert_eq!(good().prompts.max_per_day, Some(1000));
}

#[test]
fn patterns_are_kept_in_the_spelling_that_recipients_are_compared_in() {
    let text = with(
        "max_per_run = 500",
        "max_per_run = 0\nonly_to = [\"*@Acme.Example\", \"Jo@acme.example\"]",
    );
    let prompts = parse(&text).unwrap().prompts;
    assert_eq!(prompts.only_to, ["*@acme.example", "jo@acme.example"]);
    assert_eq!(prompts.max_per_run, Some(0));
}

#[test]
fn the_port_follows_the_encryption_where_it_is_not_written() {
    for (written, port, tls) in [
        ("", 587, Tls::Starttls),
        ("tls = \"implicit\"", 465, Tls::Implicit),
        ("tls = \"none\"", 25, Tls::None),
        ("tls = \"none\"\nport = 2525", 2525, Tls::None),
    ] {
        let text = with("host = \"smtp.example\"", &format!("host = \"smtp.example\"\n{written}"));
        let email = parse(&text).unwrap().email.unwrap();
        assert_eq!(email.from.name.as_deref(), Some("Acme Books"));
        assert_eq!(email.from.address.given(), "support@books.example");
        let Transport::Smtp(smtp) = email.transport else { panic!() };
        assert_eq!((smtp.port, smtp.tls, smtp.login.is_none()), (port, tls, true));
    }
}

#[test]
fn mail_by_http_needs_an_address_only() {
    let text = with(
        "kind = \"smtp\"\nhost = \"smtp.example\"",
        "kind = \"http\"\nurl = \"https://mail.example/send\"",
    );
    let email = parse(&text).unwrap().email.unwrap();
    let Transport::Http(http) = email.transport else { panic!() };
    assert_eq!((http.url.as_str(), http.token), ("https://mail.example/send", None));
    assert_eq!((http.body, http.id_field.as_str()), (RequestBody::default(), "id"));
    assert_eq!(email.connections, 4);
}

#[test]
fn files_are_found_from_the_directory_of_the_configuration() {
    assert_eq!(good().file.folder, Path::new("/srv/books/outbox"));
    let text = with("[removal]", "[file]\nfolder = \"/var/mail/rehearsal\"\n[removal]");
    assert_eq!(parse(&text).unwrap().file.folder, Path::new("/var/mail/rehearsal"));
    let text = with("host = \"smtp.example\"", "host = \"smtp.example\"\nroots = \"roots.pem\"");
    let Transport::Smtp(smtp) = parse(&text).unwrap().email.unwrap().transport else { panic!() };
    assert_eq!(smtp.roots.as_deref(), Some(Path::new("/srv/books/roots.pem")));
}

#[test]
fn a_webhook_stays_outside_unless_its_address_says_this_machine_or_it_is_allowed_in() {
    let private = |written: &str| {
        let text = with("url = \"https://books.example/hooks\"", written);
        parse(&text).unwrap().webhooks[0].private
    };
    assert!(!private("url = \"https://books.example/hooks\""));
    assert!(private("url = \"https://books.example/hooks\"\nprivate = true"));
    assert!(private("url = \"http://127.0.0.1:8080/hooks\""));
    assert!(!private("url = \"http://localhost/hooks\"\nprivate = false"));
}
