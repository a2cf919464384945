//! What a person has to do for a connection that the program leaves alone, in this order
//! (docs/special.md).

use chrono::NaiveDate;
use serde::Serialize;

use super::row::Flow;
use super::scopes::{ScopeSet, catalogue};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub text: String,
    /// What can never be undone about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_good: Option<&'static str>,
}

/// Custom connections created from this day on have no journals and no broad scopes.
pub const GRANULAR_FROM: Option<NaiveDate> = NaiveDate::from_ymd_opt(2026, 4, 29);

const ALL: [&str; 8] =
    ["note", "journals", "announce", "add", "authorise", "verify", "clean", "connect"];

/// Whether a checklist may have a step of this name.
#[must_use]
pub fn is_step(name: &str) -> bool {
    ALL.contains(&name)
}

/// The names of all steps.
#[must_use]
pub fn step_names() -> &'static [&'static str] {
    &ALL
}

/// The steps for a connection that holds and requires these; none for a flow that the program
/// takes care of.
#[must_use]
pub fn steps(flow: Flow, held: ScopeSet, required: ScopeSet) -> Vec<Step> {
    match flow {
        Flow::Web | Flow::Pkce => Vec::new(),
        Flow::Oauth1 => vec![Step {
            name: "connect",
            text: "OAuth 1.0a ended in 2021 and this connection with it: the customer connects anew, and the old \
                   row goes"
                .to_owned(),
            for_good: None,
        }],
        Flow::Custom => custom(held, required),
    }
}

fn custom(held: ScopeSet, required: ScopeSet) -> Vec<Step> {
    let step = |name, text: &str| Step { name, text: text.to_owned(), for_good: None };
    let missing = held.missing(required);
    let to_add = match missing.is_empty() {
        true => required.deciding(),
        false => missing,
    };
    let mut steps = vec![step(
        "note",
        "write down the scopes that the custom connection has now, in the developer portal: My Apps, the app, Configuration",
    )];
    if holds(held, "accounting.journals.read") {
        steps.push(Step {
            for_good: Some(
                "a connection made before 29 April 2026 keeps its access to Journals only while it keeps its broad \
                 scopes, and never gets it back",
            ),
            ..step(
                "journals",
                "decide whether Journals are still needed. If so, leave the broad scopes where they are for as long as \
                 Xero lets you",
            )
        });
    }
    steps.push(step(
        "announce",
        "tell whoever authorised the connection that Xero will write to them: the mail with the new consent goes to that \
         user of the organisation, not to you, and until they have followed it nothing works",
    ));
    steps.push(Step {
        text: format!(
            "in the developer portal add {to_add}. From that moment on the connection is off until its user has \
             authorised it again: choose an hour for it"
        ),
        ..step("add", "")
    });
    steps.push(step(
        "authorise",
        "wait for the user to follow Xero's mail and authorise; remind them if need be",
    ));
    steps.push(step(
        "verify",
        "get a token, make each call once, and store the new scopes in the inventory: the next scan sees the connection ready",
    ));
    if held.any_broad() {
        steps.push(Step {
            for_good: Some("a broad scope that was taken out of a custom connection can never be added again"),
            ..step(
                "clean",
                "only when everything works: take the broad scopes out, or leave them to end by themselves at the deadline",
            )
        });
    }
    steps
}

fn holds(set: ScopeSet, name: &str) -> bool {
    catalogue().find(name).is_some_and(|scope| set.holds(scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::ScopeText;

    fn set(text: &str) -> ScopeSet {
        ScopeText::read(text).set
    }

    fn names(flow: Flow, held: &str) -> Vec<&'static str> {
        let required = set("offline_access accounting.invoices accounting.contacts");
        steps(flow, set(held), required).iter().map(|step| step.name).collect()
    }

    #[test]
    fn the_steps_of_a_custom_connection_come_in_the_order_in_which_nothing_is_lost() {
        let all = ["note", "journals", "announce", "add", "authorise", "verify", "clean"];
        assert_eq!(names(Flow::Custom, "accounting.transactions accounting.journals.read"), all);
        let plain = ["note", "announce", "add", "authorise", "verify"];
        assert_eq!(names(Flow::Custom, "accounting.contacts"), plain);
        assert_eq!(names(Flow::Oauth1, "accounting.transactions"), ["connect"]);
        assert!(names(Flow::Web, "accounting.transactions").is_empty());
        for name in [&all[..], &plain, &["connect"]].concat() {
            assert!(is_step(name), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_for_good_is_told() {
        let required = set("offline_access accounting.invoices accounting.contacts");
        let steps =
            steps(Flow::Custom, set("accounting.transactions accounting.contacts"), required);
        let add = steps.iter().find(|step| step.name == "add").unwrap();
        assert!(add.text.contains("add accounting.invoices. From"), "{}", add.text);
        assert!(steps.iter().any(|step| step.for_good.is_some()));
    }
}
