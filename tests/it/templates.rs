//! Templates: the operator's own over the embedded ones, in the reader's language, and what is
//! said when one of them fails.

use crate::support::letters::{
    AFTER_A_REMOVAL, TEMPLATES, digest, occasion, own, renderer, with_templates,
};

#[test]
fn own_templates_go_before_the_embedded_ones_file_by_file() {
    let dir = own(&[("invitation.subject.txt.j2", "Moin {{ app }}")]);
    let renderer = with_templates(dir.path(), "en").unwrap();
    let digest = digest("invitation");
    let message = renderer.render(&digest).unwrap();
    assert_eq!(message.subject, "Moin Acme Books");
    assert_eq!(message.text, self::renderer().render(&digest).unwrap().text);
    assert_ne!(renderer.template_sha256(&digest), self::renderer().template_sha256(&digest));
    let reminder = self::digest("reminder");
    assert_eq!(renderer.template_sha256(&reminder), self::renderer().template_sha256(&reminder));
}

#[test]
fn everybody_reads_their_own_language_and_no_message_mixes_two() {
    let all = |language: &str| {
        ["subject.txt", "txt", "html"]
            .map(|part| (format!("{language}/invitation.{part}.j2"), format!("{language} {part}")))
    };
    let mut files: Vec<(String, String)> = all("de").into_iter().chain(all("pt-BR")).collect();
    files.push(("de-AT/invitation.subject.txt.j2".to_owned(), "Servus".to_owned()));
    files.push(("fr/invitation.subject.txt.j2".to_owned(), "Bonjour".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let dir = own(&files);
    let renderer = with_templates(dir.path(), "en").unwrap();
    let mut digest = digest("invitation");
    for (locale, subject, text) in [
        ("de", "de subject.txt", "de txt"),
        ("DE_ch.UTF-8", "de subject.txt", "de txt"),
        ("de-at", "Servus", "de txt"),
        ("pt-br", "pt-BR subject.txt", "pt-BR txt"),
        ("pt", "Acme Books and", "Hello"),
        // Its text and HTML are missing.
        ("fr", "Acme Books and", "Hello"),
        ("../../etc", "Acme Books and", "Hello"),
    ] {
        digest.locale = Some(locale.to_owned());
        let message = renderer.render(&digest).unwrap();
        assert!(message.subject.starts_with(subject), "{locale}: {}", message.subject);
        assert!(message.text.starts_with(text), "{locale}: {}", message.text);
    }
}

#[test]
fn the_top_of_the_folder_is_in_the_default_language() {
    let dir = own(&[
        ("invitation.subject.txt.j2", "Einladung"),
        ("invitation.txt.j2", "Guten Tag"),
        ("invitation.html.j2", "<p>Guten Tag"),
    ]);
    let renderer = with_templates(dir.path(), "de").unwrap();
    let mut digest = digest("invitation");
    for (locale, subject) in
        [(None, "Einladung"), (Some("de-CH"), "Einladung"), (Some("en-NZ"), "Acme")]
    {
        digest.locale = locale.map(str::to_owned);
        let message = renderer.render(&digest).unwrap();
        assert!(message.subject.starts_with(subject), "{locale:?}: {}", message.subject);
    }
    // The others are in English only, which is not what was asked for.
    let problems = renderer.try_templates(&[occasion("invitation"), occasion("reminder")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("does not exist in the default language, de"));
}

#[test]
fn every_embedded_template_bears_the_oddest_data() {
    let occasions = TEMPLATES.iter().chain(&AFTER_A_REMOVAL).map(|template| occasion(template));
    assert_eq!(renderer().try_templates(&occasions.collect::<Vec<_>>()), []);
}

#[test]
fn what_is_wrong_with_a_template_is_said_with_file_and_line_before_anything_is_sent() {
    let broken = own(&[
        ("invitation.txt.j2", "Hello\n\n{% if name %}never ended\n"),
        ("de/reminder.html.j2", "{{ 1 + }}"),
    ]);
    let Err(problems) = with_templates(broken.path(), "en") else { panic!("it was taken") };
    let places: Vec<String> = problems
        .iter()
        .map(|one| format!("{}:{}", one.file, one.line.unwrap_or_default()))
        .collect();
    let path = |name: &str| broken.path().join(name).display().to_string();
    assert!(places.contains(&format!("{}:1", path("de/reminder.html.j2"))), "{places:?}");
    assert!(places.iter().any(|place| place.starts_with(&path("invitation.txt.j2"))), "{places:?}");

    let failing = own(&[
        ("invitation.txt.j2", "Hello {{ nmae }}"),
        (
            "reminder.txt.j2",
            "{% for grant in grants %}\n{{ grant.connections[0].name | upper }}\n{{ grant.connections[1].name }}\n{% endfor %}",
        ),
        ("stopped.subject.txt.j2", "{% if name %}{{ name }}{% endif %}"),
    ]);
    let renderer = with_templates(failing.path(), "en").unwrap();
    let problems = renderer.try_templates(&TEMPLATES.map(occasion));
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let says = |file: &str, line: usize, what: &str| {
        let place = format!("{}:{line}: ", failing.path().join(file).display());
        assert!(shown.iter().any(|one| one.starts_with(&place) && one.contains(what)), "{shown:?}");
    };
    says("invitation.txt.j2", 1, "not there");
    says("reminder.txt.j2", 3, "not there");
    assert!(shown.iter().any(|one| one.contains("stopped") && one.contains("empty subject")));
    assert!(problems.iter().all(|one| !one.remedy.is_empty()));
}

#[test]
fn a_template_that_fails_for_one_customer_spares_the_others() {
    let dir = own(&[("invitation.txt.j2", "{{ grants[1].link }}")]);
    let renderer = with_templates(dir.path(), "en").unwrap();
    let two = digest("invitation");
    let mut one = two.clone();
    one.grants.pop();
    assert!(renderer.render(&two).is_ok());
    let error = renderer.render(&one).unwrap_err();
    assert!(error.to_string().contains("invitation.txt.j2:1: "), "{error}");
    assert!(!error.to_string().contains("Kauri"), "{error}");
    assert_eq!(renderer.render(&two).unwrap(), renderer.render(&two).unwrap());
}
