//! Names for recipients that say nothing about them: keyed, so that an address cannot be
//! tried out, and the same within one database, so that lines about one person can be
//! brought together.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How recipients appear in a result.
#[derive(Clone, Copy, Debug)]
pub enum Naming<'a> {
    /// To whoever may see them.
    Addresses,
    Pseudonyms(&'a [u8; 32]),
}

impl Naming<'_> {
    /// The name of a recipient, by its key.
    #[must_use]
    pub fn name(&self, recipient: &str) -> String {
        match self {
            Self::Addresses => recipient.to_owned(),
            Self::Pseudonyms(key) => pseudonym(key, recipient),
        }
    }
}

fn pseudonym(key: &[u8; 32], recipient: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(recipient.as_bytes());
    let tag = mac.finalize().into_bytes();
    tag.iter().take(8).fold(String::from("p-"), |name, byte| name + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_stable_and_depends_on_the_key() {
        let name = |key: u8| Naming::Pseudonyms(&[key; 32]).name("jo@books.example");
        assert_eq!(name(1), name(1));
        assert_ne!(name(1), name(2));
        assert!(!name(1).contains("jo"));
        assert_eq!(name(1).len(), 18);
    }
}
