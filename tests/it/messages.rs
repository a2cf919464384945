//! Messages: what they say, what they must not say, and their bytes as an independent reader
//! of mail sees them.

use chrono::{DateTime, Utc};
use mail_parser::{HeaderValue, MessageParser, MimeHeaders};
use proptest::prelude::*;
use uuid::Uuid;
use worker::delivery::link::Links;
use worker::delivery::message::Message;
use worker::delivery::render::{RenderError, Renderer};
use worker::delivery::templates::Templates;
use worker::domain::digest::Digest;

use crate::support::letters::{
    AFTER_A_REMOVAL, CLIENT_ID, SECRET, TEMPLATES, address, digest, links, look, own, renderer,
    token_in, with_templates,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn rendered(digest: &Digest) -> Message {
    renderer().render(digest).unwrap_or_else(|error| panic!("{error}: {}", error.remedy()))
}

/// What both forms of a message say, each in one line.
fn both(message: &Message) -> [String; 2] {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let html: String =
        message.html.split('<').map(|tag| tag.split_once('>').map_or(tag, |it| it.1)).collect();
    [flat(&message.text), flat(&html.replace("&#x27;", "'").replace("&amp;", "&"))]
}

#[test]
fn every_message_says_what_why_by_when_and_what_to_do_in_both_forms() {
    for template in TEMPLATES {
        let digest = digest(template);
        let message = rendered(&digest);
        assert!(message.subject.contains("Acme Books"), "{}", message.subject);
        for text in both(&message) {
            for said in [
                "Hello Mere Parata,",
                "Monday 13 September 2027",
                "This is Xero's decision, for every app; it is not ours.",
                "Any colleague who can log in to Acme Books",
                "Your data in Xero and in Acme Books, and every other app",
                "Kauri Coast Plumbing Limited (AC-96124)",
                "Tūī & Sons Builders",
                "write to help@books.example",
                "https://books.example/help",
                &digest.reference(),
                "Acme Limited",
            ] {
                assert!(text.contains(said), "{template} does not say {said:?}:\n{text}");
            }
        }
        for grant in &digest.grants {
            let link = links(SECRET).link(&digest, grant);
            assert_eq!(message.text.matches(&link).count(), 1, "{template}");
            assert_eq!(message.html.matches(&format!("href=\"{link}\"")).count(), 1, "{template}");
        }
    }
}

#[test]
fn days_are_the_recipients_own() {
    let mut digest = digest("invitation");
    assert!(rendered(&digest).subject.ends_with("before Monday 13 September 2027"));
    digest.zone = chrono_tz::Europe::London;
    assert!(rendered(&digest).subject.ends_with("before Sunday 12 September 2027"));
}

#[test]
fn the_final_notice_names_the_day_of_removal_only_where_there_is_one() {
    let mut digest = digest("final-notice");
    for text in both(&rendered(&digest)) {
        assert!(!text.to_lowercase().contains("remove"), "{text}");
        assert!(text.to_lowercase().contains("before monday 13 september 2027"), "{text}");
    }
    digest.removal_from = Some(at("2027-08-15T12:00:00Z"));
    let message = rendered(&digest);
    assert!(message.subject.contains("from Monday 16 August 2027 on"), "{}", message.subject);
    for text in both(&message) {
        assert!(text.contains("from Monday 16 August 2027 on we may remove"), "{text}");
        assert!(text.contains("retires, for all apps, on Monday 13 September 2027"), "{text}");
    }
}

#[test]
fn a_correction_names_both_days() {
    for text in both(&rendered(&digest("correction"))) {
        let both = "on Monday 13 September 2027, and not on Monday 27 September 2027 as we wrote";
        assert!(text.contains(both), "{text}");
    }
}

#[test]
fn after_a_removal_people_are_told_that_it_was_done_and_how_to_come_back() {
    for template in AFTER_A_REMOVAL {
        for text in both(&rendered(&digest(template))) {
            for said in ["removed the connection", "as we", "Reconnect to Xero", "on both sides"] {
                assert!(text.contains(said), "{template} does not say {said:?}:\n{text}");
            }
        }
    }
}

#[test]
fn what_has_no_room_is_counted() {
    let mut digest = digest("reminder");
    for (not_shown, said) in [(0, None), (1, Some("And 1 more")), (10_001, Some("And 10001 more"))]
    {
        digest.not_shown = not_shown;
        for text in both(&rendered(&digest)) {
            assert_eq!(text.contains("which did not fit"), said.is_some(), "{text}");
            assert!(said.is_none_or(|said| text.contains(said)), "{text}");
            assert!(text.contains(&format!("{} organisations", not_shown + 3)), "{text}");
        }
    }
}

#[test]
fn one_connection_is_called_by_its_name_and_a_nameless_one_by_its_account() {
    let mut digest = digest("invitation");
    digest.grants.remove(0);
    assert!(rendered(&digest).text.contains("connected to Tūī & Sons Builders in Xero"));
    digest.grants[0].connections[0].tenant_name = Some(" \u{200b} ".to_owned());
    assert!(rendered(&digest).text.contains("connected to an organisation without a name in"));
    digest.grants[0].connections[0].account = Some("AC-1".to_owned());
    assert!(rendered(&digest).text.contains("connected to AC-1 in Xero"));
}

#[test]
fn names_are_text_and_nothing_else() {
    let mut digest = digest("invitation");
    digest.name = Some("<img src=x>, \"all@example.org\" <all@example.org>;".to_owned());
    digest.grants[0].connections[0].tenant_name =
        Some("A\" onclick=\"x\r\nBcc: all@example.org {{ app }} {% if %}".to_owned());
    let message = rendered(&digest);
    assert!(!message.html.contains("<img") && !message.html.contains("\" onclick"));
    assert!(message.html.contains("&lt;img"));
    for text in both(&message) {
        assert!(text.contains("Bcc: all@example.org {{ app }} {% if %}"), "{text}");
    }
    assert!(!message.text.contains("\nBcc"));
    let bytes = message.to_bytes().unwrap();
    let mail = MessageParser::default().parse(&bytes).unwrap();
    let to: Vec<_> = mail.to().unwrap().iter().map(|one| (one.name(), one.address())).collect();
    assert_eq!(to, [(digest.name.as_deref(), Some("mere@kauri-coast.example"))]);
}

#[test]
fn the_bytes_are_a_mail_with_everything_in_its_place() {
    let digest = digest("final-notice");
    let message = rendered(&digest);
    let bytes = message.to_bytes().unwrap();
    let mail = MessageParser::default().parse(&bytes).unwrap();
    let id = format!("{}@books.example", digest.prompt);
    assert_eq!(mail.message_id(), Some(id.as_str()));
    assert_eq!(message.message_id(), format!("<{id}>"));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2027-07-14T21:00:00Z");
    let address = |list: Option<&mail_parser::Address<'_>>| -> Vec<(String, String)> {
        let name = |one: &mail_parser::Addr<'_>| one.name().unwrap_or_default().to_owned();
        let mailbox = |one: &mail_parser::Addr<'_>| one.address().unwrap_or_default().to_owned();
        list.unwrap().iter().map(|one| (name(one), mailbox(one))).collect()
    };
    let pair = |name: &str, address: &str| vec![(name.to_owned(), address.to_owned())];
    assert_eq!(address(mail.from()), pair("Acme Books", "support@books.example"));
    assert_eq!(address(mail.to()), pair("Mere Parata", "mere@kauri-coast.example"));
    assert_eq!(address(mail.reply_to()), pair("Acme Help", "help@books.example"));
    assert!(mail.cc().is_none() && mail.bcc().is_none());
    assert_eq!(mail.subject(), Some(message.subject.as_str()));
    assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    let HeaderValue::Address(list) = mail.list_id() else { panic!("{:?}", mail.list_id()) };
    assert_eq!(list.first().unwrap().address(), Some("xero-connections.books.example"));
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), message.text);
    assert_eq!(mail.body_html(0).unwrap().replace("\r\n", "\n"), message.html);
    let kind = mail.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
    let boundary = format!("part-{}", digest.prompt.simple());
    assert_eq!(kind.attribute("boundary"), Some(boundary.as_str()));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.is_ascii() && text.replace("\r\n", "").find(['\r', '\n']).is_none());
    assert!(text.lines().all(|line| line.len() <= 998));
}

#[test]
fn domains_are_written_in_ascii_and_only_local_parts_need_more_of_a_server() {
    let mut digest = digest("invitation");
    digest.address = Some("Jo@Bücher.Example".to_owned());
    let message = rendered(&digest);
    assert!(!message.needs_smtputf8());
    let text = String::from_utf8(message.to_bytes().unwrap()).unwrap();
    assert!(text.contains("<Jo@xn--bcher-kva.example>"), "{text}");
    digest.address = Some("zoë@bücher.example".to_owned());
    let message = rendered(&digest);
    assert!(message.needs_smtputf8());
    let text = String::from_utf8(message.to_bytes().unwrap()).unwrap();
    assert!(text.contains("<zoë@xn--bcher-kva.example>"), "{text}");
}

#[test]
fn who_has_no_address_gets_an_error_that_names_nobody() {
    let mut digest = digest("invitation");
    for address in [None, Some("mere at kauri-coast.example".to_owned())] {
        digest.address = address;
        let error = renderer().render(&digest).unwrap_err();
        assert!(matches!(error, RenderError::NoAddress));
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains("mere"));
    }
}

#[test]
fn nothing_that_is_printed_for_programmers_shows_a_person_a_secret_or_a_link() {
    let message = rendered(&digest("invitation"));
    let shown = format!("{message:?} {:?} {:?}", message.to, look());
    for hidden in ["mere", "Mere", SECRET, "token=", "v1.", "help@books"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn a_link_for_looking_at_is_the_real_one_without_its_signature() {
    let digest = digest("invitation");
    let templates = Templates::load(None, "en").unwrap();
    let cut = Renderer::new(look(), Links::cut(address(), CLIENT_ID), templates);
    let real = token_in(&rendered(&digest).text);
    let shown = token_in(&cut.render(&digest).unwrap().text);
    let signed = real.rsplit_once('.').unwrap().0;
    assert_eq!(shown, format!("{signed}.signature-cut"));
}

/// Somebody whose every fact has a mark that nobody else's has.
fn marked(number: u32, template: &str, odd: &str, zone: chrono_tz::Tz) -> Digest {
    let mark = format!("q{number}q");
    let mut digest = digest(template);
    digest.prompt = Uuid::new_v5(&Uuid::NAMESPACE_OID, mark.as_bytes());
    digest.address = Some(format!("{mark}@{mark}.example"));
    digest.name = Some(format!("{mark} {odd}"));
    digest.zone = zone;
    for grant in &mut digest.grants {
        grant.scopes = format!("{mark} {}", grant.scopes);
        for connection in &mut grant.connections {
            connection.tenant_name = Some(format!("{mark} {odd}"));
            connection.account = Some(format!("{odd} {mark}"));
        }
    }
    digest
}

fn zones() -> impl Strategy<Value = chrono_tz::Tz> {
    proptest::sample::select(chrono_tz::TZ_VARIANTS.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_facts_give_the_same_bytes_and_the_hash_of_them(
        odd in r"[\PC\r\n\t\x00-\x1f]{0,60}",
        template in proptest::sample::select(TEMPLATES.as_slice()),
        zone in zones(),
    ) {
        let digest = marked(1, template, &odd, zone);
        let (one, two) = (rendered(&digest), rendered(&digest));
        prop_assert_eq!(one.to_bytes().unwrap(), two.to_bytes().unwrap());
        prop_assert_eq!(one.sha256().unwrap(), two.sha256().unwrap());
        let hash = <sha2::Sha256 as sha2::Digest>::digest(one.to_bytes().unwrap());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(one.sha256().unwrap(), hex);
    }

    /// INCIDENTS E20 and E21: a mailing in which each body began with the addresses of everybody
    /// before (June 2016), and one with 77 addresses in To (May 2018).
    #[test]
    fn a_mail_goes_to_one_address_and_has_nobody_elses_data(
        odd in proptest::collection::vec(r"[\PC\r\n\t]{0,40}", 4),
        template in proptest::sample::select(TEMPLATES.as_slice()),
        zone in zones(),
    ) {
        let renderer = renderer();
        let people: Vec<Digest> =
            (1..).zip(&odd).map(|(number, odd)| marked(number, template, odd, zone)).collect();
        for (number, digest) in (1..).zip(&people) {
            let message = renderer.render(digest).unwrap();
            let bytes = message.to_bytes().unwrap();
            let mail = MessageParser::default().parse(&bytes).unwrap();
            let to: Vec<&str> =
                mail.to().unwrap().iter().filter_map(|one| one.address()).collect();
            prop_assert_eq!(to, [format!("q{number}q@q{number}q.example")]);
            prop_assert!(mail.cc().is_none() && mail.bcc().is_none());
            let names: Vec<&str> = mail.headers().iter().map(|header| header.name()).collect();
            prop_assert_eq!(names.len(), 10, "{:?}", names);
            let link = token_in(&message.text);
            let all = [message.subject, message.text, message.html, link].concat();
            for other in (1..=people.len()).filter(|other| *other != number) {
                prop_assert!(!all.contains(&format!("q{other}q")), "{} in {}", other, all);
            }
        }
    }

    #[test]
    fn no_name_puts_a_line_into_a_header(name in r"[\PC\r\n\x0b\x0c\x{85}\x{2028}]{0,80}") {
        let digest = marked(7, "invitation", &format!("{name}\r\nBcc: x@y.example"), chrono_tz::UTC);
        let dir = own(&[(
            "invitation.subject.txt.j2",
            "{{ name }}\r\n{{ grants[0].connections[0].name }}\n\nX-Own: 1",
        )]);
        let message = with_templates(dir.path(), "en").unwrap().render(&digest).unwrap();
        prop_assert!(!message.subject.contains(char::is_control));
        let bytes = message.to_bytes().unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        prop_assert!(mail.bcc().is_none() && mail.header("X-Own").is_none());
        let subject = mail.subject().unwrap_or_default();
        prop_assert!(subject.contains("q7q"), "{}", subject);
    }
}
