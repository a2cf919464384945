//! E-mail addresses as recipients are told apart.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

/// An address that a message could be sent to. Two spellings of one mailbox are equal:
/// the domain is compared in ASCII lower case, the local part in lower case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    given: String,
    key: String,
}

/// A text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct NoAddress;

impl Address {
    /// As the host wrote it, without surrounding white space.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// As it goes over the wire: the local part as written, whose case some servers mind,
    /// the domain in the one spelling that every server knows.
    #[must_use]
    pub fn with_ascii_domain(&self) -> String {
        let local = self.given.rsplit_once('@').map_or("", |(local, _)| local);
        let domain = self.key.rsplit_once('@').map_or("", |(_, domain)| domain);
        format!("{local}@{domain}")
    }

    /// The one spelling of the recipient.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// [`Address::given`] and [`Address::key`].
    #[must_use]
    pub fn into_parts(self) -> (String, String) {
        (self.given, self.key)
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let given = text.trim();
        let options =
            Options::default().with_required_tld().without_display_text().without_domain_literal();
        let parsed = EmailAddress::parse_with_options(given, options).map_err(|_| NoAddress)?;
        let domain = idna::domain_to_ascii(parsed.domain()).map_err(|_| NoAddress)?;
        let key = format!("{}@{}", parsed.local_part().to_lowercase(), domain.to_ascii_lowercase());
        Ok(Self { given: given.to_owned(), key })
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Address {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_one_recipient() {
        let one: Address = "Jo.Smith@Example.COM".parse().unwrap();
        let two: Address = " jo.smith@example.com ".parse().unwrap();
        assert_eq!(one, two);
        let unicode: Address = "jo@bücher.example".parse().unwrap();
        assert_eq!(unicode.key(), "jo@xn--bcher-kva.example");
        let mixed: Address = "Jö.Smith@Bücher.example".parse().unwrap();
        assert_eq!(mixed.with_ascii_domain(), "Jö.Smith@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "jo", "jo@", "@example.com", "a@b@c.com", "jo@localhost", "n/a", "a b@c.com"]
        {
            assert_eq!(text.parse::<Address>().map(|a| a.key), Err(NoAddress), "{text:?}");
        }
    }
}
