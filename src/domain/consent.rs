//! What one consent asks Xero for, and where the host's page that asks for it is.

use super::scopes::{Scope, ScopeSet, Status};

/// The scopes that the consent behind one grant has to ask for: what each of its connections
/// needs (its own set, or where it has none the campaign's), and the campaign's identity
/// scopes, without which the host may get no refresh token. One scope that Xero refuses
/// breaks the whole consent, so whatever may not be requested is left out, and so is the
/// weaker of the two families that Xero does not grant together (docs/xero.md,
/// "Authorising").
#[must_use]
pub fn scopes_to_ask(
    campaign: ScopeSet,
    connections: impl IntoIterator<Item = Option<ScopeSet>>,
) -> ScopeSet {
    let identity: ScopeSet =
        campaign.iter().filter(|scope| scope.status() == Status::Identity).collect();
    let mut needed = connections
        .into_iter()
        .map(|own| own.unwrap_or(campaign))
        .reduce(ScopeSet::union)
        .unwrap_or(campaign)
        .union(identity);
    let refused = match Family::of(campaign) {
        Family::PracticeManager => Family::Accounting,
        Family::Accounting | Family::Neither => Family::PracticeManager,
    };
    if needed.iter().any(|scope| Family::Accounting.has(scope)) {
        needed = needed.iter().filter(|scope| !refused.has(*scope)).collect();
    }
    needed.iter().filter(|scope| scope.may_be_requested()).collect()
}

/// The consents that a set takes: one, unless it holds scopes of both kinds that Xero does not
/// grant together. What belongs to neither goes with the first.
#[must_use]
pub fn apart(scopes: ScopeSet) -> Vec<ScopeSet> {
    let (practice, others): (Vec<Scope>, Vec<Scope>) =
        scopes.iter().partition(|scope| Family::PracticeManager.has(*scope));
    let has_accounting = others.iter().any(|scope| Family::Accounting.has(*scope));
    if practice.is_empty() || !has_accounting {
        return if scopes.is_empty() { Vec::new() } else { vec![scopes] };
    }
    let identity = scopes.iter().filter(|scope| scope.status() == Status::Identity);
    let practice = practice.into_iter().chain(identity).collect();
    vec![others.into_iter().collect(), practice]
}

/// Scopes of which Xero grants one kind in a consent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Accounting,
    PracticeManager,
    Neither,
}

impl Family {
    fn of(set: ScopeSet) -> Self {
        [Self::Accounting, Self::PracticeManager]
            .into_iter()
            .find(|family| set.iter().any(|scope| family.has(scope)))
            .unwrap_or(Self::Neither)
    }

    fn has(self, scope: Scope) -> bool {
        let name = scope.name();
        match self {
            Self::Accounting => name.starts_with("accounting."),
            Self::PracticeManager => name.starts_with("practicemanager"),
            Self::Neither => false,
        }
    }
}

/// The host's address behind every link, with a place for the link's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAddress(String);

impl LinkAddress {
    /// What stands for the token.
    pub const PLACE: &str = "{token}";

    /// `None` when the text has no place for a token.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        text.contains(Self::PLACE).then(|| Self(text.to_owned()))
    }

    /// The address for one token, whose characters need no escaping in an address.
    #[must_use]
    pub fn with_token(&self, token: &str) -> String {
        self.0.replace(Self::PLACE, token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scopes::catalogue;
    use super::*;

    fn set(names: &str) -> ScopeSet {
        names
            .split_whitespace()
            .map(|name| catalogue().find(name).unwrap_or_else(|| panic!("{name}")))
            .collect()
    }

    #[test]
    fn a_consent_asks_for_what_all_connections_need_and_who_the_user_is() {
        let campaign = set("offline_access openid accounting.settings accounting.invoices");
        let own = set("accounting.invoices.read accounting.payments");
        assert_eq!(scopes_to_ask(campaign, [None, None]), campaign);
        assert_eq!(scopes_to_ask(campaign, [None, Some(own)]), campaign.union(own));
        let only_own = scopes_to_ask(campaign, [Some(own)]);
        assert_eq!(only_own, own.union(set("offline_access openid")));
    }

    #[test]
    fn nobody_is_asked_for_accounting_and_practice_manager_in_one_consent() {
        let practice = set("practicemanager.job practicemanager.client");
        let books = set("offline_access accounting.settings");
        assert_eq!(scopes_to_ask(books, [None, Some(practice)]), books);
        let asked = scopes_to_ask(practice, [None, Some(books)]);
        assert_eq!(asked, practice.union(set("offline_access")));
        let alone = scopes_to_ask(set("offline_access files"), [Some(practice)]);
        assert_eq!(alone, practice.union(set("offline_access")));
    }

    #[test]
    fn what_cannot_share_a_consent_is_asked_for_in_two_and_each_with_a_refresh_token() {
        let both = set("offline_access accounting.settings files practicemanager.job");
        let [books, practice] = apart(both)[..] else { panic!("two") };
        assert_eq!(books, set("offline_access accounting.settings files"));
        assert_eq!(practice, set("offline_access practicemanager.job"));
        let alone = set("offline_access files practicemanager.job");
        assert_eq!(apart(alone), [alone]);
        assert_eq!(apart(ScopeSet::EMPTY), []);
    }

    #[test]
    fn an_address_without_a_place_for_the_token_is_none() {
        assert_eq!(LinkAddress::new("https://books.example/x"), None);
        let address = LinkAddress::new("https://books.example/x?t={token}").unwrap();
        assert_eq!(address.with_token("v1.a.b"), "https://books.example/x?t=v1.a.b");
    }

    fn any_set() -> impl Strategy<Value = ScopeSet> {
        let all: Vec<Scope> = catalogue().scopes().collect();
        let count = all.len();
        proptest::sample::subsequence(all, 0..=count)
            .prop_map(|scopes| scopes.into_iter().collect())
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_rows_nothing_is_asked_for_that_xero_refuses(
            campaign in any_set(),
            rows in proptest::collection::vec(proptest::option::of(any_set()), 0..4),
        ) {
            let asked = scopes_to_ask(campaign, rows.iter().copied());
            prop_assert!(asked.iter().all(Scope::may_be_requested));
            let families = [Family::Accounting, Family::PracticeManager]
                .into_iter()
                .filter(|family| asked.iter().any(|scope| family.has(scope)))
                .count();
            prop_assert!(families <= 1);
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(asked, scopes_to_ask(campaign, reversed));
        }
    }
}
