//! What to know of a scope before it stands in anybody's link.

use serde::Serialize;

use crate::domain::consent;
use crate::domain::scopes::{Access, Scope, ScopeSet};

/// Something about some of the scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    pub code: &'static str,
    pub scopes: Vec<&'static str>,
    pub text: String,
}

const ALIKE: [(&str, &str); 3] = [
    (
        "accounting.journals.read",
        "Journals are the ledger's own record of everything posted. Manual journals are documents that an app \
         writes, and theirs is accounting.manualjournals, which every app may have: is it those that are meant?",
    ),
    (
        "accounting.manualjournals",
        "Manual journals are documents that an app writes. Reading the ledger's Journals is accounting.journals.read, \
         for the Advanced tier only",
    ),
    (
        "bankfeeds",
        "Bank feeds push raw statement lines into Xero. Bank transactions are records of the ledger, and theirs is \
         accounting.banktransactions, which every app may have",
    ),
];

impl Warning {
    /// All that there is to say of a set.
    #[must_use]
    pub fn of(scopes: ScopeSet) -> Vec<Self> {
        let mut warnings = Vec::new();
        for (access, code, text) in [
            (
                Access::Premium,
                "premium",
                "only for apps in Xero's Advanced tier, after a security assessment and with an approved use case; \
                 where the tier lacks it, calls fail as if the scope were missing, and no consent helps",
            ),
            (Access::Certified, "certified", "only for apps that Xero has certified for it"),
            (Access::Restricted, "restricted", "only where Xero has opened it to the app"),
            (
                Access::Partner,
                "partner",
                "only for partners of Xero's with access to Practice Manager",
            ),
        ] {
            let of: Vec<&'static str> = scopes
                .iter()
                .filter(|scope| scope.entry().access == Some(access))
                .map(Scope::name)
                .collect();
            if !of.is_empty() {
                let text = format!(
                    "{text}. For an app that may not have it the link fails for everybody: ask Xero first"
                );
                warnings.push(Self { code, scopes: of, text });
            }
        }
        if consent::apart(scopes).len() > 1 {
            let practice =
                scopes.iter().filter(|scope| scope.name().starts_with("practicemanager"));
            warnings.push(Self {
                code: "exclusive",
                scopes: practice.map(Scope::name).collect(),
                text: "accounting and Practice Manager cannot be in one consent: ask in two, or make two apps"
                    .to_owned(),
            });
        }
        for (name, text) in ALIKE {
            let of: Vec<&'static str> = scopes
                .iter()
                .map(Scope::name)
                .filter(|scope| {
                    scope.strip_suffix(".read").unwrap_or(scope) == name || *scope == name
                })
                .collect();
            if !of.is_empty() {
                warnings.push(Self { code: "often_confused", scopes: of, text: text.to_owned() });
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::ScopeText;

    fn codes(text: &str) -> Vec<&'static str> {
        Warning::of(ScopeText::read(text).set).iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn what_not_every_app_may_have_is_told() {
        assert_eq!(codes("accounting.invoices offline_access"), Vec::<&str>::new());
        assert_eq!(codes("accounting.journals.read"), ["premium", "often_confused"]);
        assert_eq!(codes("bankfeeds paymentservices"), ["certified", "often_confused"]);
        assert_eq!(codes("einvoicing"), ["restricted"]);
        assert_eq!(codes("accounting.manualjournals.read"), ["often_confused"]);
        assert_eq!(codes("practicemanager.job accounting.settings"), ["partner", "exclusive"]);
        assert_eq!(codes("practicemanager.job files"), ["partner"]);
    }
}
