//! A scope text, explained: what the command `scopes explain` prints.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::{Scope, Status};
use super::meant::meant;
use super::set::ScopeSet;
use super::text::ScopeText;
use crate::domain::class::Class;

/// Unknown words of one text that are looked up. With more, the text is a document that got
/// into the column, and its words are not worth the time of the texts after it.
const LOOKED_UP: usize = 1000;

/// A text with its class, its words by status, and what they lack. The names and order of
/// the fields are those of the JSON object. All lists are in order of name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub class: Class,
    pub broad: Vec<&'static str>,
    pub granular: Vec<&'static str>,
    /// With identity scopes and those of the client-credentials grant.
    pub unchanged: Vec<&'static str>,
    pub withdrawn: Vec<&'static str>,
    pub unknown: Vec<String>,
    pub repeated: Vec<String>,
    /// For an unknown word, what it probably meant, where that is clear.
    pub hints: BTreeMap<String, String>,
    /// Deciding required scopes that are not held; `None` when none are known to be
    /// required.
    pub missing: Option<Vec<&'static str>>,
    /// Why a text was not read as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

impl Explained {
    /// Reads a text and explains it, against what a configuration requires.
    #[must_use]
    pub fn of(text: &str, required: Option<ScopeSet>) -> Self {
        let ScopeText { set, unknown, repeated } = ScopeText::read(text);
        let with = |wanted: &[Status]| -> Vec<&'static str> {
            set.iter().filter(|scope| wanted.contains(&scope.status())).map(Scope::name).collect()
        };
        let hints = unknown
            .iter()
            .take(LOOKED_UP)
            .filter_map(|word| Some((word.clone(), meant(word)?)))
            .collect();
        Self {
            class: if set.is_empty() { Class::Unknown } else { Class::of(&set) },
            broad: with(&[Status::Broad]),
            granular: with(&[Status::Granular]),
            unchanged: with(&[Status::Unchanged, Status::Identity, Status::NonTenanted]),
            withdrawn: with(&[Status::Withdrawn]),
            unknown,
            repeated,
            hints,
            missing: required
                .map(|required| set.missing(required).iter().map(Scope::name).collect()),
            note: None,
        }
    }

    /// A text that was not read, and why: no evidence, like an empty one.
    #[must_use]
    pub fn unread(note: &'static str, required: Option<ScopeSet>) -> Self {
        Self { note: Some(note), ..Self::of("", required) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str, required: Option<&str>) -> String {
        let required = required.map(|text| ScopeText::read(text).set);
        serde_json::to_string(&Explained::of(text, required)).unwrap()
    }

    #[test]
    fn the_object_has_these_keys_in_this_order() {
        assert_eq!(
            json(
                "Accounting.Transactions accounting.invoices openid app.connections openid \
                 accounting.classicexpenses practicemanager balancesheets foo",
                Some("offline_access accounting.payments.read accounting.invoices.read"),
            ),
            concat!(
                r#"{"class":"mixed","broad":["accounting.transactions"],"#,
                r#""granular":["accounting.classicexpenses","accounting.invoices"],"#,
                r#""unchanged":["app.connections","openid"],"withdrawn":["practicemanager"],"#,
                r#""unknown":["balancesheets","foo"],"repeated":["openid"],"#,
                r#""hints":{"balancesheets":"accounting.reports.balancesheet.read"},"#,
                r#""missing":["accounting.payments.read"]}"#,
            ),
        );
    }

    #[test]
    fn without_a_configuration_nothing_is_known_to_be_missing() {
        assert_eq!(
            json("", None),
            concat!(
                r#"{"class":"unknown","broad":[],"granular":[],"unchanged":[],"withdrawn":[],"#,
                r#""unknown":[],"repeated":[],"hints":{},"missing":null}"#,
            ),
        );
    }

    #[test]
    fn a_text_that_was_not_read_says_why_and_lacks_everything() {
        let required = ScopeText::read("accounting.settings").set;
        let explained = Explained::unread("too long", Some(required));
        assert_eq!(explained.class, Class::Unknown);
        assert_eq!(explained.missing, Some(vec!["accounting.settings"]));
        let json = serde_json::to_string(&explained).unwrap();
        assert!(
            json.ends_with(r#""missing":["accounting.settings"],"note":"too long"}"#),
            "{json}"
        );
    }

    #[test]
    fn a_document_in_place_of_a_text_takes_no_time_without_end() {
        let text: String = (0..2 * LOOKED_UP).map(|n| format!("word{n:04} ")).collect();
        let text = text + "zopenid";
        let explained = Explained::of(&text, None);
        assert_eq!(explained.unknown.len(), 2 * LOOKED_UP + 1);
        assert_eq!(explained.hints.get("zopenid"), None);
        assert_eq!(Explained::of("zopenid", None).hints["zopenid"], "openid");
    }

    #[test]
    fn words_that_are_no_scopes_are_no_evidence_however_near() {
        assert_eq!(Explained::of("accounting.settingsoffline_access", None).class, Class::Unknown);
        assert_eq!(Explained::of("practicemanager", None).class, Class::Unaffected);
    }
}
