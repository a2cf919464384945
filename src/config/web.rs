//! Web addresses: encrypted, or on this machine.

use url::{Host, Url};

use super::problem::Wrong;
use super::value::{FromToml, Value};
use crate::domain::consent::LinkAddress;

/// An address that may be sent something confidential: `https`, or `http` to this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SafeUrl(pub Url);

impl FromToml for SafeUrl {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let url = web(&value, value.text()?)?;
        safe(&value, &url)?;
        Ok(Self(url))
    }
}

/// What Xero accepts as a redirect: `https`, or `http` to `localhost` under that very name.
pub(super) struct Redirect(pub Url);

impl FromToml for Redirect {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let url = web(&value, value.text()?)?;
        if url.scheme() == "http" && url.host_str() != Some("localhost") {
            return Err(not_encrypted(&value));
        }
        Ok(Self(url))
    }
}

impl FromToml for LinkAddress {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        let Some(address) = Self::new(text) else {
            let mark = if text.contains('?') { '&' } else { '?' };
            return Err(Wrong::new(
                format!("{} has no place for the link's token", value.label()),
                value.write(&format!("\"{text}{mark}token={{token}}\"")),
            ));
        };
        let filled = web(&value, &text.replace(Self::PLACE, "token"))?;
        safe(&value, &filled)?;
        Ok(address)
    }
}

fn web(value: &Value<'_>, text: &str) -> Result<Url, Wrong> {
    let example = "write it out, as \"https://books.example/path\"";
    let url = Url::parse(text).map_err(|error| {
        Wrong::new(format!("{} is no web address: {error}", value.label()), example)
    })?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(Wrong::new(format!("{} is no web address", value.label()), example));
    }
    Ok(url)
}

fn safe(value: &Value<'_>, url: &Url) -> Result<(), Wrong> {
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || here { Ok(()) } else { Err(not_encrypted(value)) }
}

fn not_encrypted(value: &Value<'_>) -> Wrong {
    Wrong::new(
        format!("{} is not encrypted", value.label()),
        "write it with https://; http:// is for localhost only",
    )
}
