//! The advice itself: what is needed, the least set for it, and why each scope is in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::call::Call;
use super::cover::cheapest;
use super::need::Need;
use super::use_case::{ALWAYS, UseCase};
use super::warning::Warning;
use crate::domain::consent;
use crate::domain::scopes::{Access, Scope, ScopeSet, Status, catalogue};

/// What an app needs, collected from wherever it is known.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Calls, each with how often it was seen.
    calls: BTreeMap<Call, u64>,
    use_cases: Vec<&'static UseCase>,
    /// Scopes that it was asked for so far.
    replaced: ScopeSet,
}

/// Distinct calls that are kept apart; beyond, those that need the same are one, so that a log
/// of any length fits.
const MOST_CALLS: usize = 10_000;

/// A call, where it stands for others, or what else asks for a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    Call {
        call: Call,
        times: u64,
    },
    UseCase {
        name: &'static str,
        title: &'static str,
    },
    /// A broad scope of which it takes over a part.
    Replaces {
        scope: &'static str,
    },
    /// It was asked for before and does not change.
    AskedBefore,
    /// Every consent of a program that works while nobody looks needs it.
    Offline,
}

/// A scope of the set, with all that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advised {
    pub scope: &'static str,
    pub status: Status,
    pub access: Option<Access>,
    pub reasons: Vec<Reason>,
}

/// Where two scopes would do: which was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    pub calls: Vec<Call>,
    pub one_of: Vec<&'static str>,
    pub chosen: &'static str,
    pub because: &'static str,
}

/// Something that no scope of the set is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Without {
    /// A call, or a scope of those before.
    pub what: String,
    pub text: String,
}

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    pub required_scopes: Vec<&'static str>,
    pub scopes: Vec<Advised>,
    pub choices: Vec<Choice>,
    /// For which there is no scope to ask for.
    pub no_scope: Vec<Without>,
    /// What needs no user's consent.
    pub elsewhere: Vec<Without>,
    pub warnings: Vec<Warning>,
    pub notes: Vec<String>,
    /// The consents that it takes: more than one where scopes exclude each other.
    pub consents: Vec<Vec<&'static str>>,
}

impl Needs {
    pub fn call(&mut self, call: Call) {
        if self.calls.len() >= MOST_CALLS && !self.calls.contains_key(&call) {
            let like = Need::of(&call);
            let same = |known: &Call| known.method == call.method && Need::of(known) == like;
            if let Some((_, times)) = self.calls.iter_mut().find(|(known, _)| same(known)) {
                *times += 1;
                return;
            }
        }
        *self.calls.entry(call).or_default() += 1;
    }

    pub fn use_case(&mut self, one: &'static UseCase) {
        self.use_cases.push(one);
    }

    /// The scopes that the app was asked for so far.
    pub fn replaces(&mut self, scopes: ScopeSet) {
        self.replaced = self.replaced.union(scopes);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.use_cases.is_empty() && self.replaced.is_empty()
    }

    /// Every need with what asks for it.
    fn wanted(&self) -> Vec<(ScopeSet, Reason)> {
        let mut wanted = Vec::new();
        for (call, times) in &self.calls {
            if let Need::OneOf(scopes) = Need::of(call) {
                wanted.push((scopes, Reason::Call { call: call.clone(), times: *times }));
            }
        }
        for one in &self.use_cases {
            let reason = Reason::UseCase { name: &one.name, title: &one.title };
            wanted.extend(one.set().iter().map(|scope| (only(scope), reason.clone())));
        }
        for scope in self.replaced.iter() {
            for name in &scope.entry().replaced_by {
                let replacement = catalogue().find(name);
                let reason = || Reason::Replaces { scope: scope.name() };
                wanted.extend(replacement.map(|scope| (or_write(scope), reason())));
            }
            if scope.may_be_requested() {
                wanted.push((or_write(scope), Reason::AskedBefore));
            }
        }
        wanted
            .extend(catalogue().find("offline_access").map(|scope| (only(scope), Reason::Offline)));
        wanted
    }

    /// The least set for all of it. Of sets of the same size one that holds what is asked for
    /// anyway (`preferred`) and that writes less comes first.
    #[must_use]
    pub fn advise(&self, preferred: ScopeSet) -> Advice {
        let wanted = self.wanted();
        let needs: Vec<ScopeSet> = wanted.iter().map(|(scopes, _)| *scopes).collect();
        let set = cheapest(&needs, &|scope| weight(scope, preferred)).unwrap_or_default();
        let mut advised: Vec<Advised> = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        for scope in set.iter() {
            let reasons = wanted
                .iter()
                .filter(|(one_of, _)| serving(set, *one_of) == Some(scope))
                .map(|(_, reason)| reason.clone())
                .collect();
            advised.push(Advised {
                scope: scope.name(),
                status: scope.status(),
                access: scope.entry().access,
                reasons,
            });
        }
        for (one_of, reason) in &wanted {
            let (Some(chosen), Reason::Call { call, .. }) = (serving(set, *one_of), reason) else {
                continue;
            };
            if families(*one_of) < 2 {
                continue;
            }
            let one_of: Vec<&'static str> = one_of.iter().map(Scope::name).collect();
            match choices.iter_mut().find(|choice| choice.one_of == one_of) {
                Some(choice) => choice.calls.push(call.clone()),
                None => choices.push(Choice {
                    calls: vec![call.clone()],
                    one_of,
                    chosen: chosen.name(),
                    because: because(chosen, &wanted, preferred),
                }),
            }
        }
        let (no_scope, elsewhere) = self.without();
        let consents = consent::apart(set);
        Advice {
            required_scopes: set.iter().map(Scope::name).collect(),
            scopes: advised,
            choices,
            no_scope,
            elsewhere,
            warnings: Warning::of(set),
            notes: self.use_cases.iter().filter_map(|one| one.note.clone()).collect(),
            consents: consents
                .into_iter()
                .map(|consent| consent.iter().map(Scope::name).collect())
                .collect(),
        }
    }

    /// What no consent is for, and why.
    fn without(&self) -> (Vec<Without>, Vec<Without>) {
        let (mut no_scope, mut elsewhere) = (Vec::new(), Vec::new());
        for call in self.calls.keys() {
            let what = call.to_string();
            match Need::of(call) {
                Need::Withdrawn(scope) => no_scope.push(Without { what, text: withdrawn(scope) }),
                Need::ReadOnly(scope) => {
                    let text = format!("there is no scope to write it, only {scope} to read it");
                    no_scope.push(Without { what, text });
                }
                Need::Own(scope) => elsewhere.push(Without { what, text: own(scope) }),
                Need::None => {
                    let text = "any token will do; for the whole app app.connections, by client credentials";
                    elsewhere.push(Without { what, text: text.to_owned() });
                }
                Need::OneOf(_) | Need::Unknown => {}
            }
        }
        for scope in self.replaced.iter() {
            let what = scope.name().to_owned();
            if scope.status() == Status::NonTenanted {
                elsewhere.push(Without { what, text: own(scope) });
            } else if scope.entry().replaced_by.is_empty() && !scope.may_be_requested() {
                no_scope.push(Without { what, text: withdrawn(scope) });
            }
        }
        (no_scope, elsewhere)
    }
}

impl Advice {
    /// The set, for comparing.
    #[must_use]
    pub fn set(&self) -> ScopeSet {
        self.required_scopes.iter().filter_map(|name| catalogue().find(name)).collect()
    }
}

fn only(scope: Scope) -> ScopeSet {
    ScopeSet::from_iter([scope])
}

/// The scope, or the one that covers it.
fn or_write(scope: Scope) -> ScopeSet {
    let write = scope.name().strip_suffix(".read").and_then(|name| catalogue().find(name));
    let write = write.filter(|write| write.read() == Some(scope));
    [Some(scope), write].into_iter().flatten().collect()
}

/// Weights add up like digits: one scope fewer outweighs anything else.
fn weight(scope: Scope, preferred: ScopeSet) -> u64 {
    let mut weight = 1 << 48;
    if scope.entry().access.is_some() {
        weight += 1 << 36;
    }
    if scope.read().is_some() {
        weight += 1 << 24;
    }
    if !preferred.holds(scope) {
        weight += 1 << 12;
    }
    if !ALWAYS.iter().any(|name| scope.name().starts_with(name)) {
        weight += 1;
    }
    weight
}

/// Which scope of the set a need is met by: its `.read` before the scope that writes.
fn serving(set: ScopeSet, one_of: ScopeSet) -> Option<Scope> {
    let mut serving: Vec<Scope> = one_of.iter().filter(|scope| set.contains(*scope)).collect();
    serving.sort_by_key(|scope| (scope.read().is_some(), *scope));
    serving.first().copied()
}

/// Scopes of which none is the other's `.read`.
fn families(one_of: ScopeSet) -> usize {
    let is_read_of_another =
        |scope: &Scope| one_of.iter().any(|write| write.read() == Some(*scope));
    one_of.iter().filter(|scope| !is_read_of_another(scope)).count()
}

fn because(chosen: Scope, wanted: &[(ScopeSet, Reason)], preferred: ScopeSet) -> &'static str {
    let is_needed =
        |(one_of, _): &(ScopeSet, Reason)| one_of.contains(chosen) && families(*one_of) == 1;
    if wanted.iter().any(is_needed) {
        "it is needed anyway"
    } else if preferred.holds(chosen) {
        "the campaign asks for it anyway"
    } else {
        "most apps need the settings anyway; either would do"
    }
}

fn withdrawn(scope: Scope) -> String {
    let note = scope.entry().note.as_deref().unwrap_or("nothing replaces it");
    format!("there is no scope to ask for, {scope} was withdrawn. {note}")
}

fn own(scope: Scope) -> String {
    format!("{scope}, which the app gets for itself by client credentials; never in a user's link")
}

#[cfg(test)]
mod tests;
