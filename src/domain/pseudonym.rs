//! Names for people that say nothing about them: keyed, so that an address cannot be tried
//! out, and the same within one database, so that lines about one person can be brought
//! together. Without the key they belong to nobody.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::address::Address;
use super::row::Person;

/// How every pseudonym begins; no address does, since it has an `@`.
pub const PREFIX: &str = "p-";

/// The pseudonym of a recipient, by its key.
#[must_use]
pub fn pseudonym(key: &[u8; 32], recipient: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(recipient.as_bytes());
    let tag = mac.finalize().into_bytes();
    tag.iter().take(8).fold(String::from(PREFIX), |name, byte| name + &format!("{byte:02x}"))
}

/// Whether a recipient is named by pseudonym.
#[must_use]
pub fn is_one(recipient: &str) -> bool {
    recipient.starts_with(PREFIX) && !recipient.contains('@')
}

/// The same text with a pseudonym, or without a key a blank, in place of every address.
#[must_use]
pub fn masked(text: &str, key: Option<&[u8; 32]>) -> String {
    const BLANK: &str = "(address)";
    replaced(text, |address| match (address, key) {
        (Some(address), Some(key)) => Some(pseudonym(key, address)),
        _ => Some(BLANK.to_owned()),
    })
}

/// The same text with something else in place of words that have an `@`: `name` is given the
/// key of each address, `None` for what only looks like one, and keeps it by naming none.
#[must_use]
pub fn replaced(text: &str, name: impl Fn(Option<&str>) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let start = rest[..at].rfind(is_outside).map_or(0, |found| found + width(rest, found));
        let end = rest[at..].find(is_outside).map_or(rest.len(), |found| at + found);
        out.push_str(&rest[..start]);
        let word = rest[start..end].trim_end_matches('.');
        let address = word.parse::<Address>().ok();
        let other = name(address.as_ref().map(Address::key));
        out.push_str(other.as_deref().unwrap_or(word));
        rest = &rest[start + word.len()..];
    }
    out + rest
}

/// Those who were erased. Whoever comes back under one of their addresses stays erased.
#[derive(Clone, Debug)]
pub struct Forgotten {
    key: [u8; 32],
    who: BTreeSet<String>,
}

impl Forgotten {
    /// By their pseudonyms.
    #[must_use]
    pub fn new(key: [u8; 32], who: BTreeSet<String>) -> Self {
        Self { key, who }
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.who.len()
    }

    #[must_use]
    pub fn has(&self, recipient: &str) -> bool {
        self.name(recipient).is_some()
    }

    /// The only name of a recipient who is one of them.
    #[must_use]
    pub fn name(&self, recipient: &str) -> Option<String> {
        if self.who.is_empty() {
            return None;
        }
        Some(pseudonym(&self.key, recipient)).filter(|name| self.who.contains(name))
    }

    /// Takes all away from one of them but the pseudonym.
    pub fn erase(&self, person: &mut Person) {
        if let Some(name) = person.email.as_ref().and_then(|email| self.name(email.key())) {
            *person = Person { forgotten: Some(name), ..Person::default() };
        }
    }
}

fn is_outside(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>()[]{}\",;:'`|=/\\".contains(c)
}

fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_stable_and_depends_on_the_key() {
        let name = |key: u8| pseudonym(&[key; 32], "jo@books.example");
        assert_eq!(name(1), name(1));
        assert_ne!(name(1), name(2));
        assert!(!name(1).contains("jo"));
        assert_eq!(name(1).len(), 18);
    }

    #[test]
    fn who_was_forgotten_is_known_by_pseudonym_however_the_address_is_written() {
        let key = [7; 32];
        let forgotten = Forgotten::new(key, [pseudonym(&key, "jo@books.example")].into());
        let mut person = Person {
            email: "Jo@Books.example".parse().ok(),
            name: Some("Jo".to_owned()),
            ..Person::default()
        };
        forgotten.erase(&mut person);
        let name = pseudonym(&key, "jo@books.example");
        assert_eq!(person, Person { forgotten: Some(name), ..Person::default() });
        let mut ann = Person { email: "ann@books.example".parse().ok(), ..Person::default() };
        forgotten.erase(&mut ann);
        assert!(ann.email.is_some());
    }

    #[test]
    fn no_address_is_left_in_a_masked_text() {
        let key = [7; 32];
        let jo = pseudonym(&key, "jo@books.example");
        for (text, expected) in [
            ("asked by jo@books.example.", format!("asked by {jo}.")),
            ("<Jo@Books.example>: gone", format!("<{jo}>: gone")),
            ("jo@books.example,jo@books.example", format!("{jo},{jo}")),
            ("@ the office", "(address) the office".to_owned()),
            ("a@b@c.example", "(address)".to_owned()),
            ("ü jo@books.example ü", format!("ü {jo} ü")),
            ("nobody", "nobody".to_owned()),
        ] {
            assert_eq!(masked(text, Some(&key)), expected, "{text}");
            assert!(!masked(text, None).contains('@'), "{text}");
        }
    }
}
