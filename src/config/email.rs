//! `[email]`: how mail is sent, and from whom.

use url::Url;

use super::problem::Wrong;
use super::secret::SecretRef;
use super::table::Table;
use super::value::{FromToml, Value};
use super::web::SafeUrl;
use crate::domain::address::Address;

/// Slow enough for any mail server.
const DEFAULT_PER_MINUTE: u32 = 60;

#[derive(Clone, Debug)]
pub struct Email {
    pub transport: Transport,
    pub from: Mailbox,
    pub max_per_minute: u32,
}

#[derive(Clone, Debug)]
pub enum Transport {
    Smtp(Smtp),
    Http(HttpMail),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub login: Option<Login>,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password: SecretRef,
}

/// A provider that takes mail by HTTP.
#[derive(Clone, Debug)]
pub struct HttpMail {
    pub url: Url,
    /// Sent as a bearer token.
    pub token: Option<SecretRef>,
}

/// How a mail connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    Starttls,
    /// From the first byte.
    Implicit,
    None,
}

impl Tls {
    /// The port that goes with it: 587 and 465 for submission (RFC 8314), 25 for relays.
    fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// An address with the name shown beside it.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub name: Option<String>,
    pub address: Address,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Smtp,
    Http,
}

impl Email {
    pub(super) fn read(root: &Table<'_>) -> Option<Self> {
        let table = root.table("email")?;
        let kind = table.require("kind", "\"smtp\"");
        let smtp = smtp(&table, kind == Some(Kind::Smtp));
        let http = http(&table, kind == Some(Kind::Http));
        let from = table.require("from", "\"Acme Books <support@books.example>\"");
        let max_per_minute = table.get("max_per_minute").unwrap_or(DEFAULT_PER_MINUTE);
        if let Some(kind) = kind {
            refuse_keys_of_the_other(&table, kind);
        }
        table.finish();
        let transport = match kind? {
            Kind::Smtp => Transport::Smtp(smtp?),
            Kind::Http => Transport::Http(http?),
        };
        Some(Self { transport, from: from?, max_per_minute })
    }
}

fn smtp(table: &Table<'_>, chosen: bool) -> Option<Smtp> {
    let host = table.knob(chosen, "host", "\"smtp.example\"");
    let tls = table.get("tls").unwrap_or(Tls::Starttls);
    let port = table.get("port").map_or_else(|| tls.port(), |Port(port)| port);
    let username = table.get("username");
    let password = table.get("password");
    table.need(chosen && table.has("password"), "username", "\"…\"");
    table.need(chosen && table.has("username"), "password", "{ env = \"SMTP_PASSWORD\" }");
    let login = username.zip(password).map(|(username, password)| Login { username, password });
    Some(Smtp { host: host?, port, tls, login })
}

fn http(table: &Table<'_>, chosen: bool) -> Option<HttpMail> {
    let url = table.knob(chosen, "url", "\"https://mail.example/v1/send\"");
    let token = table.get("token");
    url.map(|SafeUrl(url)| HttpMail { url, token })
}

fn refuse_keys_of_the_other(table: &Table<'_>, kind: Kind) {
    let (keys, other): (&[&'static str], _) = match kind {
        Kind::Smtp => (&["url", "token"], "http"),
        Kind::Http => (&["host", "port", "tls", "username", "password"], "smtp"),
    };
    for key in keys {
        let message = format!("`{key}` goes with `kind = \"{other}\"` only");
        table.misplaced(key, message, format!("take it out, or write `kind = \"{other}\"`"));
    }
}

impl FromToml for Kind {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[("smtp", Self::Smtp), ("http", Self::Http)])
    }
}

impl FromToml for Tls {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.word(&[
            ("starttls", Self::Starttls),
            ("implicit", Self::Implicit),
            ("none", Self::None),
        ])
    }
}

struct Port(u16);

impl FromToml for Port {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(1..=65_535).map(Self)
    }
}

impl FromToml for Mailbox {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text),
        };
        let name = Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
        let breaks = |text: &str| text.contains(char::is_control) || text.contains(['<', '>']);
        match address.parse() {
            Ok(address) if !name.as_deref().is_some_and(breaks) => Ok(Self { name, address }),
            _ => Err(Wrong::new(
                format!("{} is \"{text}\", which is no mailbox", value.label()),
                value.write("\"Acme Books <support@books.example>\""),
            )),
        }
    }
}
