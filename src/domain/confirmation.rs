//! What a named person vouches for, because the program cannot see it for itself: always of
//! one configuration, and void for any other.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The host's page asks for exactly the required scopes.
    Link,
    /// An own organisation was removed, reconnected, and seen ready.
    Rehearsal,
    /// This database, here, is the one that the campaign goes on with.
    Database,
}

impl Subject {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Rehearsal => "rehearsal",
            Self::Database => "database",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The facts that a confirmation is about, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Facts without a value are left out.
    pub fn of<'a>(facts: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Self {
        let known = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self(known.collect())
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// One text for the same facts: JSON, names in order.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Facts::text`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The names of facts that are not the same in both, in order.
    #[must_use]
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.names().chain(other.names()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.get(name) != other.get(name));
        names
    }
}

/// Somebody's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    pub by: String,
    pub note: String,
    pub confirmed_at: DateTime<Utc>,
}

/// What is known of a subject for the configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Given(Confirmation),
    /// The last one was of another configuration; these facts differ.
    Void {
        by: String,
        changed: Vec<String>,
    },
    Never,
}

impl Word {
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    /// What is missing, as a sentence; `None` when nothing is.
    #[must_use]
    pub fn lacks(&self, subject: Subject) -> Option<String> {
        match self {
            Self::Given(_) => None,
            Self::Void { by, changed } => Some(format!(
                "what {by} confirmed of the {subject} no longer holds, since {} changed: \
                 `worker confirm {subject} --by NAME --note TEXT`",
                changed.join(", ")
            )),
            Self::Never => Some(format!(
                "no named person has confirmed the {subject} in this database: \
                 `worker confirm {subject} --by NAME --note TEXT`"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&str, &str)]) -> Facts {
        Facts::of(facts.iter().map(|(name, value)| (*name, Some((*value).to_owned()))))
    }

    #[test]
    fn facts_have_one_text_whatever_their_order() {
        let one = facts(&[("scopes", "a b"), ("client_id", "\"X\"")]);
        let two = facts(&[("client_id", "\"X\""), ("scopes", "a b")]);
        assert_eq!(one.text(), two.text());
        assert_eq!(Facts::read(&one.text()), Some(one));
        assert_eq!(Facts::read("no"), None);
    }

    #[test]
    fn what_differs_is_named_whether_changed_new_or_gone() {
        let before = facts(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let after = facts(&[("b", "2"), ("c", "4"), ("d", "5")]);
        assert_eq!(before.differing(&after), ["a", "c", "d"]);
        assert_eq!(before.differing(&before), Vec::<&str>::new());
    }

    #[test]
    fn a_void_word_says_whose_it_was_and_what_changed() {
        let void = Word::Void { by: "Ann".to_owned(), changed: vec!["reconnect_url".to_owned()] };
        let text = void.lacks(Subject::Link).unwrap();
        assert!(text.contains("Ann") && text.contains("reconnect_url"), "{text}");
        assert!(text.contains("worker confirm link"), "{text}");
    }
}
