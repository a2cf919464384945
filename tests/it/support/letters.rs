//! Messages, and what they are made of, made by hand.

use std::path::Path;

use secrecy::SecretString;
use worker::delivery::link::Links;
use worker::delivery::message::Mailbox;
use worker::delivery::render::{Look, Renderer};
use worker::delivery::sample::Occasion;
use worker::delivery::templates::{TemplateProblem, Templates};
use worker::domain::consent::LinkAddress;
use worker::domain::digest::Digest;

pub const CLIENT_ID: &str = "0123456789ABCDEF0123456789ABCDEF";
pub const SECRET: &str = "a secret of the link, for tests";
/// The templates of stages, and of corrections.
pub const TEMPLATES: [&str; 5] =
    ["invitation", "reminder", "final-notice", "stopped", "correction"];
/// Those of what follows a removal.
pub const AFTER_A_REMOVAL: [&str; 4] = ["crossed", "removed", "removed-reminder", "removed-last"];
pub const SCOPES: &str =
    "accounting.contacts accounting.invoices accounting.settings offline_access";

pub fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

pub fn address() -> LinkAddress {
    LinkAddress::new("https://books.example/xero/reconnect?token={token}").unwrap()
}

pub fn links(secret: &str) -> Links {
    Links::signed(address(), CLIENT_ID, SecretString::from(secret))
}

pub fn look() -> Look {
    Look {
        app: "Acme Books".to_owned(),
        company: "Acme Limited".to_owned(),
        colour: "#1f5fa8".to_owned(),
        from: mailbox("Acme Books", "support@books.example"),
        reply_to: Some(mailbox("Acme Help", "help@books.example")),
        support_url: Some("https://books.example/help".to_owned()),
        list: "xero-connections.books.example".to_owned(),
    }
}

pub fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: Some(name.to_owned()), address: address.parse().unwrap() }
}

pub fn renderer() -> Renderer {
    Renderer::new(look(), links(SECRET), Templates::load(None, "en").unwrap())
}

/// A stage of that template, in July before the deadline; the recipient is in Auckland.
pub fn occasion(template: &str) -> Occasion {
    Occasion {
        stage: template.to_owned(),
        template: template.to_owned(),
        is_final: template == "final-notice",
        deadline: "2027-09-12T12:00:00Z".parse().unwrap(),
        zone: chrono_tz::Pacific::Auckland,
        dated: "2027-07-14T21:00:00Z".parse().unwrap(),
        removal_from: None,
        links_until: "2027-09-12T12:00:00Z".parse().unwrap(),
        scopes: SCOPES.to_owned(),
    }
}

pub fn digest(template: &str) -> Digest {
    occasion(template).sample()
}

/// The first link of a message, and its token.
pub fn token_in(text: &str) -> String {
    let (_, rest) = text.split_once("reconnect?token=").expect("a link");
    rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap().to_owned()
}

/// Own templates in a folder, by their paths.
pub fn own(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

pub fn with_templates(folder: &Path, default: &str) -> Result<Renderer, Vec<TemplateProblem>> {
    Ok(Renderer::new(look(), links(SECRET), Templates::load(Some(folder), default)?))
}
