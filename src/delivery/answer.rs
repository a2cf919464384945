//! What other servers say, made fit for a log: one short line without addresses, links or
//! secrets. Servers like to repeat what they were given.

use std::collections::BTreeSet;

use crate::domain::address::Address;

/// Characters of an answer that are kept: room for a status code, a reason and a queue id.
const LONGEST: usize = 300;

/// What stands in the place of an address.
const ADDRESS: &str = "[address]";

/// An answer on one line. Addresses and links are masked, and so are the local parts of the
/// people concerned, which many servers name alone ("user jo.smith unknown"), and secrets.
pub(super) fn plain(text: &str, people: &[&Address], secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    let names = local_parts(people);
    let visible = |c: char| if is_invisible(c) { ' ' } else { c };
    let text: String = text.chars().map(visible).collect();
    let words: Vec<String> = text.split_whitespace().map(|word| masked(word, &names)).collect();
    shortened(&words.join(" "))
}

/// Controls, and the marks that change how a line looks or where it ends.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The words that the local parts of addresses consist of, in lower case.
fn local_parts(people: &[&Address]) -> BTreeSet<String> {
    people
        .iter()
        .filter_map(|address| address.given().rsplit_once('@'))
        .flat_map(|(local, _)| local.split(|c| !is_part(c)))
        .map(str::to_lowercase)
        .filter(|part| !part.is_empty())
        .collect()
}

/// Whether a character can stand in an address without quotes.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || !c.is_ascii() || "@.!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn masked(word: &str, names: &BTreeSet<String>) -> String {
    if word.contains("://") || (word.contains('?') && word.contains('=')) {
        return "[link]".to_owned();
    }
    let mut shown = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
        let part = &rest[start..end];
        let lower = part.to_lowercase();
        shown.push_str(&rest[..start]);
        let is_address = part.contains('@') || lower.contains("%40");
        let is_person = names.iter().any(|name| mentions(&lower, name));
        shown.push_str(if is_address || is_person { ADDRESS } else { part });
        rest = &rest[end..];
    }
    shown + rest
}

/// Whether a name stands in a text as a whole, not as a part of a longer word.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let jo: Address = "Jo.Smith@bücher.example".parse().unwrap();
        plain(text, &[&jo], &["hushhush"])
    }

    #[test]
    fn an_address_in_an_answer_is_masked_however_it_is_written() {
        for (text, shown) in [
            ("<jo.smith@bücher.example>: no such user", "<[address]>: no such user"),
            ("5.1.1 user JO.SMITH unknown", "5.1.1 user [address] unknown"),
            ("mailbox 'jo.smith' is full.", "mailbox [address] is full."),
            ("user=jo.smith/inbox full", "[address] full"),
            ("to=<jo.smith@xn--bcher-kva.example>, relay", "to=<[address]>, relay"),
            ("bounce+jo.smith=b.example@host.example", "[address]"),
            ("jo.smith%40b.example rejected", "[address] rejected"),
            ("another@person.example too", "[address] too"),
            ("jo.smith\u{200b}@b.example", "[address] [address]"),
        ] {
            assert_eq!(said(text), shown);
        }
        assert_eq!(said("blacksmith jo.smithers"), "blacksmith jo.smithers", "are others");
    }

    #[test]
    fn links_and_secrets_are_masked_and_queue_numbers_kept() {
        assert_eq!(said("spam: https://books.example/x?token=abc"), "spam: [link]");
        assert_eq!(said("spam: books.example/x?token=abc"), "spam: [link]");
        assert_eq!(said("535 hushhush is wrong"), "535 [secret] is wrong");
        assert_eq!(said("2.0.0 Ok: queued as 4F1B2"), "2.0.0 Ok: queued as 4F1B2");
    }

    #[test]
    fn an_answer_is_one_short_line() {
        assert_eq!(said("a\r\n\u{1b}[31mb\u{2028}c\0"), "a [31mb c");
        let long = said(&"ä".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }
}
