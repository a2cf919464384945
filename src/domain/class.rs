//! The class of a grant: what its scopes say about the migration (docs/classes.md).

use serde::{Deserialize, Serialize};

use super::scopes::ScopeSet;

/// What a grant's scopes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A deprecated scope and no replacement.
    BroadOnly,
    /// Deprecated scopes and replacements.
    Mixed,
    /// Replacements and nothing deprecated.
    Granular,
    /// Neither: the retirement does not touch it.
    Unaffected,
    /// No evidence, or evidence that cannot be settled.
    Unknown,
}

impl Class {
    /// The class of a settled set of scopes.
    #[must_use]
    pub fn of(scopes: &ScopeSet) -> Self {
        match (scopes.any_broad(), scopes.any_granular()) {
            (true, false) => Self::BroadOnly,
            (true, true) => Self::Mixed,
            (false, true) => Self::Granular,
            (false, false) => Self::Unaffected,
        }
    }

    /// The word for it everywhere outside the code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BroadOnly => "broad_only",
            Self::Mixed => "mixed",
            Self::Granular => "granular",
            Self::Unaffected => "unaffected",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::{ScopeText, catalogue};

    /// The tables of docs/xero.md, "Scopes", written down a second time: by hand, and not
    /// from the catalogue that is tested with them.
    const BROAD: &str =
        "accounting.transactions accounting.transactions.read accounting.reports.read";

    const GRANULAR: &str = "accounting.invoices accounting.invoices.read accounting.payments \
        accounting.payments.read accounting.banktransactions accounting.banktransactions.read \
        accounting.manualjournals accounting.manualjournals.read accounting.reports.aged.read \
        accounting.reports.balancesheet.read accounting.reports.banksummary.read \
        accounting.reports.budgetsummary.read accounting.reports.executivesummary.read \
        accounting.reports.profitandloss.read accounting.reports.trialbalance.read \
        accounting.reports.taxreports.read accounting.classicexpenses \
        accounting.classicexpenses.read";

    // E56: neither broad nor replaced.
    const NEITHER: &str = "accounting.reports.tenninetynine.read \
        accounting.reports.bankstatement.read accounting.journals.read accounting.settings \
        accounting.settings.read accounting.contacts accounting.contacts.read \
        accounting.attachments accounting.attachments.read accounting.budgets.read \
        payroll.employees payroll.employees.read payroll.payruns payroll.payruns.read \
        payroll.payslip payroll.payslip.read payroll.timesheets payroll.timesheets.read \
        payroll.settings payroll.settings.read files files.read assets assets.read projects \
        projects.read paymentservices bankfeeds finance.accountingactivity.read \
        finance.cashvalidation.read finance.statements.read finance.bankstatementsplus.read \
        practicemanager practicemanager.job practicemanager.job.read practicemanager.client \
        practicemanager.client.read practicemanager.staff practicemanager.staff.read \
        practicemanager.time practicemanager.time.read einvoicing openid profile email \
        offline_access app.connections marketplace.billing";

    fn table() -> Vec<(&'static str, Class)> {
        [(BROAD, Class::BroadOnly), (GRANULAR, Class::Granular), (NEITHER, Class::Unaffected)]
            .into_iter()
            .flat_map(|(names, class)| names.split(' ').map(move |name| (name, class)))
            .collect()
    }

    fn class(text: &str) -> Class {
        let read = ScopeText::read(text);
        assert!(read.unknown.is_empty(), "{text}: {:?}", read.unknown);
        Class::of(&read.set)
    }

    #[test]
    fn every_scope_by_itself_has_the_class_of_the_table() {
        for (name, expected) in table() {
            assert_eq!(class(name), expected, "{name}");
            assert_eq!(class(&name.to_uppercase()), expected, "{name}");
            assert_eq!(class(&format!("openid {name} offline_access")), expected, "{name}");
        }
        assert_eq!(table().len(), catalogue().scopes().count());
    }

    #[test]
    fn every_pair_of_scopes_has_the_class_of_both_in_either_order() {
        for (one, of_one) in table() {
            for (two, of_two) in table() {
                let expected = match (of_one, of_two) {
                    (Class::BroadOnly, Class::Granular) | (Class::Granular, Class::BroadOnly) => {
                        Class::Mixed
                    }
                    (Class::Unaffected, other) | (other, _) => other,
                };
                assert_eq!(class(&format!("{one} {two}")), expected, "{one} {two}");
            }
        }
    }

    #[test]
    fn believable_grants_are_classified() {
        for (text, expected) in [
            (
                "openid profile email accounting.transactions accounting.reports.read \
                 accounting.settings accounting.contacts accounting.attachments offline_access",
                Class::BroadOnly,
            ),
            (
                "offline_access accounting.transactions accounting.settings accounting.invoices \
                 accounting.payments accounting.contacts",
                Class::Mixed,
            ),
            ("accounting.reports.read accounting.reports.aged.read", Class::Mixed),
            ("accounting.transactions accounting.classicexpenses.read", Class::Mixed),
            (
                "offline_access,accounting.settings,accounting.invoices,accounting.contacts",
                Class::Granular,
            ),
            ("[\"openid\",\"payroll.employees.read\",\"payroll.settings\"]", Class::Unaffected),
            ("accounting.journals.read accounting.settings accounting.contacts", Class::Unaffected),
            ("accounting.reports.tenninetynine.read", Class::Unaffected),
            ("{practicemanager.job,practicemanager.client.read}", Class::Unaffected),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }
}
