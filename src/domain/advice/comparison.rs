//! What is advised, against what customers are asked for and against what they granted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::scopes::{Scope, ScopeSet, Status};

/// Connections that are alike in what they hold and in what is required of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub held: ScopeSet,
    /// A set of the row's own, in place of the campaign's.
    pub own: Option<ScopeSet>,
    pub connections: u64,
}

/// Connections that are asked for the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AskedFor {
    /// `true` for a set of their rows', in place of the campaign's.
    pub of_their_own: bool,
    pub required_scopes: Vec<&'static str>,
    /// Asked for and not used.
    pub more: Vec<&'static str>,
    /// Used and not asked for: these calls would fail.
    pub less: Vec<&'static str>,
    pub connections: u64,
}

/// Connections whose grants lack the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lacking {
    pub scopes: Vec<&'static str>,
    pub connections: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The campaign's own set first, also where no connection is known to be asked for it.
    pub asked_for: Vec<AskedFor>,
    /// Connections whose scopes are known, how many of them hold all that is advised, and what
    /// the others lack; `None` without a database.
    pub known: Option<u64>,
    pub hold_all: Option<u64>,
    /// Most first.
    pub lacking: Vec<Lacking>,
}

/// Compares; `holdings` where there is a database.
#[must_use]
pub fn compare(advised: ScopeSet, campaign: ScopeSet, holdings: Option<&[Holding]>) -> Comparison {
    let mut asked: BTreeMap<(bool, ScopeSet), u64> = [((false, campaign), 0)].into();
    let mut lacking: BTreeMap<ScopeSet, u64> = BTreeMap::new();
    for Holding { held, own, connections } in holdings.unwrap_or_default() {
        *asked.entry((own.is_some(), own.unwrap_or(campaign))).or_default() += connections;
        *lacking.entry(held.missing(advised)).or_default() += connections;
    }
    let mut asked_for: Vec<AskedFor> = asked
        .into_iter()
        .map(|((of_their_own, required), connections)| AskedFor {
            of_their_own,
            required_scopes: names(required),
            more: names(unused(required, advised)),
            less: names(unasked(required, advised, of_their_own)),
            connections,
        })
        .collect();
    asked_for.sort_by_key(|group| (group.of_their_own, std::cmp::Reverse(group.connections)));
    let known = lacking.values().sum();
    let hold_all = lacking.remove(&ScopeSet::EMPTY).unwrap_or_default();
    let mut lacking: Vec<Lacking> = lacking
        .into_iter()
        .map(|(scopes, connections)| Lacking { scopes: names(scopes), connections })
        .collect();
    lacking.sort_by_key(|group| std::cmp::Reverse(group.connections));
    Comparison {
        asked_for,
        known: holdings.map(|_| known),
        hold_all: holdings.map(|_| hold_all),
        lacking,
    }
}

/// Asked for beyond what is advised, and a write scope where its `.read` would do.
fn unused(required: ScopeSet, advised: ScopeSet) -> ScopeSet {
    let is_identity = |scope: &Scope| scope.status() == Status::Identity;
    required.iter().filter(|scope| !is_identity(scope) && !advised.holds(*scope)).collect()
}

/// Advised and not asked for. Identity scopes of a row's own set come from the campaign's.
fn unasked(required: ScopeSet, advised: ScopeSet, of_their_own: bool) -> ScopeSet {
    let offline = |scope: &Scope| {
        !of_their_own && scope.status() == Status::Identity && !required.contains(*scope)
    };
    required.missing(advised).union(advised.iter().filter(offline).collect())
}

fn names(scopes: ScopeSet) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::ScopeText;

    fn set(text: &str) -> ScopeSet {
        ScopeText::read(text).set
    }

    #[test]
    fn more_and_less_than_what_is_used_are_told_for_each_set_that_is_asked_for() {
        let advised = set("offline_access accounting.settings.read accounting.invoices");
        let campaign = set("openid accounting.settings accounting.contacts");
        let own = set("accounting.invoices accounting.settings.read");
        let holdings = [
            Holding { held: set("accounting.transactions"), own: None, connections: 5 },
            Holding {
                held: set("accounting.settings accounting.invoices"),
                own: None,
                connections: 2,
            },
            Holding { held: set("accounting.invoices"), own: Some(own), connections: 1 },
        ];
        let compared = compare(advised, campaign, Some(&holdings));
        let [first, second] = &compared.asked_for[..] else { panic!("{compared:?}") };
        assert_eq!((first.of_their_own, first.connections), (false, 7));
        // The `.read` would do.
        assert_eq!(first.more, ["accounting.contacts", "accounting.settings"]);
        assert_eq!(first.less, ["accounting.invoices", "offline_access"]);
        assert_eq!((second.of_their_own, second.connections), (true, 1));
        assert_eq!((second.more.len(), second.less.len()), (0, 0), "{second:?}");
        assert_eq!((compared.known, compared.hold_all), (Some(8), Some(2)));
        assert_eq!(compared.lacking[0].connections, 5);
        assert_eq!(compared.lacking[1].scopes, ["accounting.settings.read"]);
    }

    #[test]
    fn without_a_database_only_the_campaign_is_compared() {
        let compared = compare(set("accounting.invoices"), set("accounting.invoices"), None);
        assert_eq!((compared.known, compared.asked_for.len()), (None, 1));
        assert!(compared.asked_for[0].more.is_empty() && compared.asked_for[0].less.is_empty());
    }
}
