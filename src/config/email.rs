//! `[email]`: how mail is sent, and from whom.

use std::path::PathBuf;

use url::Url;

use super::problem::Wrong;
use super::secret::SecretRef;
use super::table::Table;
use super::value::{FromToml, Value};
use super::web::SafeUrl;
use crate::domain::address::Address;
use crate::domain::request_body::RequestBody;

/// Slow enough for any mail server.
const DEFAULT_PER_MINUTE: u32 = 60;

/// Messages in flight at a time that any provider bears.
const DEFAULT_CONNECTIONS: u32 = 4;

/// Where most providers put a message's id into their answer.
const DEFAULT_ID_FIELD: &str = "id";

#[derive(Clone, Debug)]
pub struct Email {
    pub transport: Transport,
    pub from: Mailbox,
    pub max_per_minute: u32,
    /// Messages in flight at a time.
    pub connections: u32,
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
    /// A PEM file of certificates to trust beside the system's.
    pub roots: Option<PathBuf>,
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
    pub body: RequestBody,
    /// Where the provider's id of a message is in its answer.
    pub id_field: String,
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
        let connections = table.get("connections").map_or(DEFAULT_CONNECTIONS, |Connections(n)| n);
        if let Some(kind) = kind {
            refuse_keys_of_the_other(&table, kind);
        }
        table.finish();
        let transport = match kind? {
            Kind::Smtp => Transport::Smtp(smtp?),
            Kind::Http => Transport::Http(http?),
        };
        Some(Self { transport, from: from?, max_per_minute, connections })
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
    let roots = table.get::<String>("roots").map(|path| table.reading().resolve(&path));
    Some(Smtp { host: host?, port, tls, login, roots })
}

fn http(table: &Table<'_>, chosen: bool) -> Option<HttpMail> {
    let url = table.knob(chosen, "url", "\"https://mail.example/v1/send\"");
    let token = table.get("token");
    let body = table.get("body").unwrap_or_default();
    let id_field = table.get("id_field").unwrap_or_else(|| DEFAULT_ID_FIELD.to_owned());
    url.map(|SafeUrl(url)| HttpMail { url, token, body, id_field })
}

fn refuse_keys_of_the_other(table: &Table<'_>, kind: Kind) {
    let (keys, other): (&[&'static str], _) = match kind {
        Kind::Smtp => (&["url", "token", "body", "id_field"], "http"),
        Kind::Http => (&["host", "port", "tls", "username", "password", "roots"], "smtp"),
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

impl FromToml for RequestBody {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        Self::parse(value.text()?)
            .map_err(|error| Wrong::new(format!("{}: {error}", value.label()), error.remedy()))
    }
}

struct Connections(u32);

impl FromToml for Connections {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        value.whole(1..=64).map(Self)
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
