//! The least set, by all that Xero's list of operations has, by use case, and by what it
//! replaces.

use serde::Deserialize;

use super::super::call::Line;
use super::*;

/// An operation of tests/data/xero-endpoint-scopes.json.
#[derive(Deserialize)]
struct Operation {
    spec: String,
    base: String,
    method: String,
    path: String,
    openapi_scopes: Vec<String>,
    #[serde(default)]
    granular_any_of: Vec<String>,
}

#[derive(Deserialize)]
struct Operations {
    operations: Vec<Operation>,
}

fn operations() -> Vec<Operation> {
    let text = include_str!("../../../../tests/data/xero-endpoint-scopes.json");
    serde_json::from_str::<Operations>(text).unwrap().operations
}

impl Operation {
    fn call(&self) -> Call {
        let line = format!("{} {}{}", self.method, self.base.trim_end_matches('/'), self.path);
        let Line::Call(call) = Call::read(&line) else { panic!("{line}: {:?}", Call::read(&line)) };
        call
    }

    /// Of which one is enough: by Xero's scopes page where that differs from its OpenAPI files.
    fn any_of(&self) -> ScopeSet {
        let names = match self.spec.as_str() {
            "xero_accounting.yaml" => &self.granular_any_of,
            _ => &self.openapi_scopes,
        };
        names.iter().map(|name| catalogue().find(name).unwrap()).collect()
    }
}

fn accounting() -> Vec<Operation> {
    operations().into_iter().filter(|one| one.spec == "xero_accounting.yaml").collect()
}

fn set(text: &str) -> ScopeSet {
    crate::domain::scopes::ScopeText::read(text).set
}

fn advise(calls: &[&str]) -> Advice {
    let mut needs = Needs::default();
    for line in calls {
        let Line::Call(call) = Call::read(line) else { panic!("{line}") };
        needs.call(call);
    }
    needs.advise(ScopeSet::EMPTY)
}

/// Without the refresh token, which every set has.
fn scopes(calls: &[&str]) -> String {
    let set = advise(calls).set();
    assert!(set.contains(catalogue().find("offline_access").unwrap()));
    set.deciding().canonical()
}

#[test]
fn every_operation_of_xeros_lists_needs_what_they_say() {
    let operations = operations();
    assert_eq!(operations.len(), 477);
    for operation in &operations {
        let any_of = operation.any_of();
        let requested = any_of.iter().filter(|scope| scope.may_be_requested()).collect();
        let need = Need::of(&operation.call());
        let expected = match any_of.iter().next() {
            None => Need::None,
            Some(first) if first.status() == Status::NonTenanted => Need::Own(first),
            Some(first) if requested == ScopeSet::EMPTY => Need::Withdrawn(first),
            Some(_) => Need::OneOf(requested),
        };
        assert_eq!(need, expected, "{} {}", operation.method, operation.path);
    }
}

#[test]
fn for_each_accounting_operation_the_set_is_one_scope_and_for_expense_claims_there_is_none() {
    let (mut with, mut without) = (0, 0);
    for operation in accounting() {
        let mut needs = Needs::default();
        needs.call(operation.call());
        let advice = needs.advise(ScopeSet::EMPTY);
        let set = advice.set().deciding();
        if advice.no_scope.is_empty() {
            with += 1;
            assert_eq!(set.len(), 1, "{set}");
            assert!(operation.any_of().is_superset(set), "{} {set}", operation.path);
            let may_write = set.iter().any(|scope| scope.read().is_some());
            assert!(!may_write || operation.method != "GET", "{} for {}", set, operation.path);
        } else {
            without += 1;
            assert!(set.is_empty(), "{set}");
            let text = &advice.no_scope[0].text;
            assert!(text.starts_with("there is no scope to ask for"), "{text}");
            let path = &operation.path;
            assert!(path.starts_with("/ExpenseClaims") || path.starts_with("/Receipts"), "{path}");
        }
    }
    assert_eq!((with, without), (223, 12));
}

/// Whether each operation with a current scope gets through.
fn covers(set: ScopeSet, operations: &[&Operation]) -> bool {
    operations.iter().all(|one| one.any_of().iter().any(|scope| set.contains(scope)))
}

#[test]
fn the_set_for_all_of_accounting_covers_it_and_loses_something_with_every_scope_taken_away() {
    let all = accounting();
    let current: Vec<&Operation> =
        all.iter().filter(|one| one.any_of().iter().any(Scope::may_be_requested)).collect();
    assert_eq!(current.len(), 223);
    // All of them; those that only read; and one resource after the other.
    let reading: Vec<&Operation> =
        current.iter().copied().filter(|one| one.method == "GET").collect();
    let mut samples = vec![current.clone(), reading];
    for (at, _) in current.iter().enumerate().step_by(7) {
        samples.push(current.iter().copied().skip(at).step_by(11).collect());
    }
    for operations in samples {
        let mut needs = Needs::default();
        for operation in &operations {
            needs.call(operation.call());
        }
        let set = needs.advise(ScopeSet::EMPTY).set().deciding();
        assert!(covers(set, &operations), "{set}");
        for taken in set.iter() {
            let rest: ScopeSet = set.iter().filter(|scope| *scope != taken).collect();
            assert!(!covers(rest, &operations), "{set} needs no {taken}");
            // Nor would the right to read have been enough.
            if let Some(read) = taken.read() {
                assert!(!covers(rest.union(only(read)), &operations), "{taken} writes for nothing");
            }
        }
    }
}

#[test]
fn a_use_case_comes_out_scope_for_scope() {
    for one in UseCase::all() {
        let mut needs = Needs::default();
        needs.use_case(one);
        let advice = needs.advise(ScopeSet::EMPTY);
        assert_eq!(advice.set(), one.set(), "{}", one.name);
        let premium = one.scopes.iter().any(|name| name == "accounting.journals.read");
        assert_eq!(advice.warnings.iter().any(|it| it.code == "premium"), premium, "{}", one.name);
    }
    assert_eq!(UseCase::all().len(), 11);
}

#[test]
fn broad_scopes_become_their_replacements_and_what_does_not_change_stays() {
    let mut needs = Needs::default();
    needs.replaces(set(
        "openid accounting.transactions accounting.transactions.read accounting.contacts.read \
         accounting.reports.bankstatement.read accounting.classicexpenses app.connections",
    ));
    let advice = needs.advise(ScopeSet::EMPTY);
    assert_eq!(
        advice.set(),
        set("openid offline_access accounting.contacts.read accounting.invoices \
             accounting.payments accounting.banktransactions accounting.manualjournals"),
    );
    let lost: Vec<&str> = advice.no_scope.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(lost, ["accounting.classicexpenses", "accounting.reports.bankstatement.read"]);
    assert_eq!(advice.elsewhere[0].what, "app.connections");

    let mut needs = Needs::default();
    needs.replaces(set("accounting.reports.read accounting.transactions.read"));
    assert_eq!(needs.advise(ScopeSet::EMPTY).set().deciding().len(), 12);
}

#[test]
fn items_go_with_what_is_needed_anyway() {
    for (calls, expected) in [
        (&["GET /Items"][..], "accounting.settings.read"),
        (&["PUT /Items"], "accounting.settings"),
        (&["GET /Items", "GET /Quotes"], "accounting.invoices.read"),
        (&["GET /Items/1", "POST /Invoices"], "accounting.invoices"),
        (&["PUT /Items", "GET /Quotes"], "accounting.invoices"),
        (
            &["GET /Items", "GET /Accounts", "GET /Quotes"],
            "accounting.invoices.read accounting.settings.read",
        ),
        // Either of the two has to write: the settings rather than the documents.
        (
            &["PUT /Items", "GET /Accounts", "GET /Quotes"],
            "accounting.invoices.read accounting.settings",
        ),
        (
            &["PUT /Items", "GET /Accounts", "PUT /Quotes"],
            "accounting.invoices accounting.settings.read",
        ),
    ] {
        assert_eq!(scopes(calls), expected, "{calls:?}");
    }
    let advice = advise(&["GET /Items", "GET /Quotes"]);
    assert_eq!(advice.choices.len(), 1);
    assert_eq!(advice.choices[0].chosen, "accounting.invoices.read");
    assert_eq!(advice.choices[0].because, "it is needed anyway");
    let mut needs = Needs::default();
    let Line::Call(call) = Call::read("GET /Items") else { panic!() };
    needs.call(call);
    let advice = needs.advise(set("accounting.invoices"));
    assert_eq!(advice.choices[0].chosen, "accounting.invoices.read");
    assert_eq!(advice.choices[0].because, "the campaign asks for it anyway");
}

#[test]
fn what_needs_no_consent_of_a_user_is_told_apart() {
    let advice = advise(&["GET /connections", "GET /appstore/2.0/subscriptions/1"]);
    assert_eq!(advice.required_scopes, ["offline_access"]);
    assert_eq!(advice.elsewhere.len(), 2);
    let advice = advise(&["POST /Journals"]);
    assert!(advice.no_scope[0].text.contains("accounting.journals.read"), "{advice:?}");
}

#[test]
fn every_scope_has_a_reason_and_every_call_is_one() {
    let advice = advise(&["GET /Invoices", "GET /Invoices", "POST /Invoices", "GET /Users"]);
    for advised in &advice.scopes {
        assert!(!advised.reasons.is_empty(), "{advised:?}");
    }
    let invoices = &advice.scopes[0];
    assert_eq!(invoices.scope, "accounting.invoices");
    let times: Vec<u64> = invoices
        .reasons
        .iter()
        .map(|reason| match reason {
            Reason::Call { times, .. } => *times,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(times, [2, 1]);
}

#[test]
fn a_log_of_any_length_fits() {
    let mut needs = Needs::default();
    for number in 0..2 * MOST_CALLS as u64 {
        let name: String =
            (0..6).map(|digit| char::from(b'a' + ((number >> (4 * digit)) & 15) as u8)).collect();
        let Line::Call(call) = Call::read(&format!("GET /Invoices/1/{name}")) else { panic!() };
        needs.call(call);
    }
    assert!(needs.calls.len() <= MOST_CALLS);
    assert_eq!(needs.calls.values().sum::<u64>(), 2 * MOST_CALLS as u64);
}
