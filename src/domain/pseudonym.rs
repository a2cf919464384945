//! Names for people that say nothing about them: keyed, so that an address cannot be tried
//! out, and the same within one database, so that lines about one person can be brought
//! together. Without the key they belong to nobody.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

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
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let start = rest[..at].rfind(is_outside).map_or(0, |found| found + width(rest, found));
        let end = rest[at..].find(is_outside).map_or(rest.len(), |found| at + found);
        out.push_str(&rest[..start]);
        let word = rest[start..end].trim_end_matches('.');
        let known = word.parse::<super::address::Address>();
        out.push_str(&match (known, key) {
            (Ok(address), Some(key)) => pseudonym(key, address.key()),
            _ => "(address)".to_owned(),
        });
        rest = &rest[start + word.len()..];
    }
    out + rest
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
