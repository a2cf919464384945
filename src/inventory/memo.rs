//! Scope texts, each read once: a million connections have a few hundred different ones.
//! On the way the unknown words are counted, for the report of what somebody misspelt.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::scopes::{ScopeSet, ScopeText, catalogue, meant};

/// Texts remembered, and their length in all; what comes later is read every time.
const MAX_TEXTS: usize = 4096;
const MAX_BYTES: usize = 1024 * 1024;
/// Different unknown words counted apart from one another.
const MAX_WORDS: usize = 512;
/// Unknown words kept of one text.
const MAX_WORDS_OF_TEXT: usize = 32;

/// What is remembered of a text.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) set: ScopeSet,
    /// In order; at most [`MAX_WORDS_OF_TEXT`].
    pub(super) unknown: Arc<[String]>,
}

/// Remembers scope texts and counts unknown words.
#[derive(Debug, Default)]
pub struct ScopeMemo {
    texts: HashMap<Box<str>, Known>,
    bytes: usize,
    words: HashMap<String, Word>,
    others: u64,
}

#[derive(Debug)]
struct Word {
    times: u64,
    meant: Option<String>,
}

/// A word in scope texts that is no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    pub word: String,
    /// How many of the texts that were read have it.
    pub times: u64,
    pub meant: Option<String>,
}

impl ScopeMemo {
    /// Reads a text that serves as evidence.
    pub(super) fn evidence(&mut self, text: &str) -> ScopeSet {
        let known = self.read(text);
        for word in known.unknown.iter() {
            self.count(word);
        }
        known.set
    }

    pub(super) fn read(&mut self, text: &str) -> Known {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let mut read = ScopeText::read(text);
        read.unknown.truncate(MAX_WORDS_OF_TEXT);
        let known = Known { set: read.set, unknown: read.unknown.into() };
        if self.texts.len() < MAX_TEXTS && self.bytes + text.len() <= MAX_BYTES {
            self.bytes += text.len();
            self.texts.insert(text.into(), known.clone());
        }
        known
    }

    fn count(&mut self, word: &str) {
        if let Some(counted) = self.words.get_mut(word) {
            counted.times += 1;
        } else if let Some(meant) = shown(word).filter(|_| self.words.len() < MAX_WORDS) {
            self.words.insert(word.to_owned(), Word { times: 1, meant });
        } else {
            self.others += 1;
        }
    }

    /// The unknown words that may be shown, in order.
    #[must_use]
    pub fn unknown(&self) -> Vec<UnknownWord> {
        let mut words: Vec<UnknownWord> = self
            .words
            .iter()
            .map(|(word, Word { times, meant })| UnknownWord {
                word: word.clone(),
                times: *times,
                meant: meant.clone(),
            })
            .collect();
        words.sort_by(|a, b| a.word.cmp(&b.word));
        words
    }

    /// How often there were words that are not shown.
    #[must_use]
    pub fn unknown_others(&self) -> u64 {
        self.others
    }
}

/// Whether a word may be shown, and what it probably meant. A column mapped by mistake puts
/// anything where scopes should be, names and addresses too; what is shown either resembles
/// a scope or begins like one.
pub(super) fn shown(word: &str) -> Option<Option<String>> {
    let looks_like_one = word.len() <= 80
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte));
    if !looks_like_one {
        return None;
    }
    match meant(word) {
        Some(meant) => Some(Some(meant)),
        None => begins_like_a_scope(word).then_some(None),
    }
}

fn begins_like_a_scope(word: &str) -> bool {
    let Some((family, _)) = word.split_once('.') else { return false };
    catalogue()
        .scopes()
        .any(|scope| scope.name().split_once('.').is_some_and(|(known, _)| known == family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_counted_per_text_and_shown_only_when_they_resemble_scopes() {
        let mut memo = ScopeMemo::default();
        for _ in 0..3 {
            let set = memo.evidence("accounting.contacts accounting.nonsense jo@example.com");
            assert_eq!(set.canonical(), "accounting.contacts");
        }
        let words: Vec<(String, u64)> =
            memo.unknown().into_iter().map(|word| (word.word, word.times)).collect();
        assert_eq!(words, [("accounting.nonsense".to_owned(), 3)]);
        assert_eq!(memo.unknown_others(), 3);
    }

    #[test]
    fn memory_is_bounded_whatever_the_texts() {
        let mut memo = ScopeMemo::default();
        for number in 0..2 * MAX_TEXTS {
            memo.evidence(&format!("accounting.x{number} openid"));
        }
        assert!(memo.texts.len() <= MAX_TEXTS && memo.words.len() <= MAX_WORDS);
        assert_eq!(memo.evidence("openid a b").canonical(), "openid");
    }
}
