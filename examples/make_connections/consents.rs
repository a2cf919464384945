//! What people consented to, release by release of the host's product, and the notations
//! in which its tables keep that.

use super::draw::Draw;

/// How far a consent is from what the shipped campaign requires: `offline_access`,
/// `accounting.settings`, `accounting.invoices`, `accounting.contacts`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Broad,
    MixedReady,
    MixedShort,
    GranularReady,
    GranularShort,
    Unaffected,
}

/// The whole customer base, roughly, in percent.
pub const CUSTOMERS: &[(u32, Consent)] = &[
    (67, Consent::Broad),
    (4, Consent::MixedReady),
    (6, Consent::MixedShort),
    (7, Consent::GranularReady),
    (4, Consent::GranularShort),
    (12, Consent::Unaffected),
];

const SIGN_IN: &[&str] = &["openid", "profile", "email"];
const CORE: &[&str] = &["offline_access", "accounting.settings", "accounting.contacts"];

const BROAD: &[(u32, &[&str])] = &[
    (40, &["accounting.transactions"]),
    (20, &["accounting.transactions", "accounting.attachments"]),
    (12, &["accounting.transactions", "accounting.reports.read"]),
    (6, &["accounting.transactions", "accounting.reports.read", "accounting.budgets.read"]),
    (5, &["accounting.transactions.read", "accounting.reports.read"]),
    (5, &["accounting.transactions", "accounting.journals.read"]),
    (4, &["accounting.transactions", "files", "assets.read"]),
    (3, &["accounting.transactions", "payroll.employees.read", "payroll.timesheets"]),
    (2, &["accounting.transactions", "bankfeeds", "paymentservices"]),
    (2, &["accounting.reports.read", "accounting.reports.bankstatement.read"]),
    (1, &["accounting.transactions", "accounting.reports.tenninetynine.read", "projects"]),
];

const ENOUGH: &[(u32, &[&str])] = &[
    (30, &["accounting.invoices"]),
    (30, &["accounting.invoices", "accounting.payments"]),
    (
        20,
        &[
            "accounting.invoices",
            "accounting.payments",
            "accounting.banktransactions",
            "accounting.attachments",
        ],
    ),
    (
        10,
        &[
            "accounting.invoices",
            "accounting.payments",
            "accounting.reports.profitandloss.read",
            "accounting.reports.balancesheet.read",
        ],
    ),
    (5, &["accounting.invoices", "accounting.manualjournals", "accounting.journals.read"]),
    (5, &["accounting.invoices", "accounting.reports.aged.read", "accounting.budgets.read"]),
];

const SHORT: &[(u32, &[&str])] = &[
    (30, &["accounting.invoices.read", "accounting.payments.read"]),
    (20, &["accounting.reports.profitandloss.read", "accounting.reports.trialbalance.read"]),
    (20, &["accounting.payments", "accounting.banktransactions"]),
    (10, &["accounting.banktransactions.read", "accounting.reports.banksummary.read"]),
    (10, &["accounting.classicexpenses", "accounting.attachments"]),
    (10, &["accounting.manualjournals", "accounting.reports.taxreports.read"]),
];

const UNAFFECTED: &[(u32, &[&str])] = &[
    (30, &["offline_access", "payroll.employees", "payroll.timesheets", "payroll.settings.read"]),
    (20, &["offline_access", "accounting.settings", "accounting.contacts"]),
    (15, &["offline_access", "accounting.settings.read", "bankfeeds"]),
    (12, &["offline_access", "files", "accounting.attachments.read"]),
    (10, &["offline_access", "projects", "accounting.contacts.read"]),
    (8, &["offline_access", "accounting.journals.read", "accounting.settings.read"]),
    (3, &["offline_access", "finance.statements.read", "finance.cashvalidation.read"]),
    (2, &["openid", "profile", "email"]),
];

impl Consent {
    /// Whether it was given again, or first, after granular scopes had come.
    pub fn is_recent(self) -> bool {
        !matches!(self, Self::Broad | Self::Unaffected)
    }

    /// The scopes of one such consent. Those of a renewed one hold the old ones too:
    /// at Xero scopes only add up.
    pub fn scopes(self, draw: &mut Draw) -> Vec<&'static str> {
        let parts: &[&[(u32, &[&'static str])]] = match self {
            Self::Broad => &[BROAD],
            Self::MixedReady => &[BROAD, ENOUGH],
            Self::MixedShort => &[BROAD, SHORT],
            Self::GranularReady => &[ENOUGH],
            Self::GranularShort => &[SHORT],
            Self::Unaffected => return draw.weighted(UNAFFECTED).to_vec(),
        };
        let mut scopes = if draw.chance(45) { SIGN_IN.to_vec() } else { Vec::new() };
        scopes.extend(CORE);
        for part in parts {
            for scope in draw.weighted(part) {
                if !scopes.contains(scope) {
                    scopes.push(scope);
                }
            }
        }
        scopes
    }
}

/// How a host's column writes a list of scopes.
#[derive(Clone, Copy)]
pub enum Notation {
    Spaces,
    Commas,
    CommaSpace,
    Plus,
    PercentTwenty,
    JsonArray,
    JsonText,
    PostgresArray,
    UpperCase,
    MixedCase,
    Lines,
    NoBreakSpaces,
    ByteOrderMark,
}

pub const NOTATIONS: &[(u32, Notation)] = &[
    (58, Notation::Spaces),
    (7, Notation::Commas),
    (3, Notation::CommaSpace),
    (6, Notation::Plus),
    (6, Notation::PercentTwenty),
    (6, Notation::JsonArray),
    (2, Notation::JsonText),
    (5, Notation::PostgresArray),
    (3, Notation::UpperCase),
    (1, Notation::MixedCase),
    (1, Notation::Lines),
    (1, Notation::NoBreakSpaces),
    (1, Notation::ByteOrderMark),
];

impl Notation {
    pub fn write(self, scopes: &[&str]) -> String {
        match self {
            Self::Spaces => scopes.join(" "),
            Self::Commas => scopes.join(","),
            Self::CommaSpace => scopes.join(", "),
            Self::Plus => scopes.join("+"),
            Self::PercentTwenty => scopes.join("%20"),
            Self::JsonArray => format!("[\"{}\"]", scopes.join("\",\"")),
            Self::JsonText => format!("\"{}\"", scopes.join(" ")),
            Self::PostgresArray => format!("{{{}}}", scopes.join(",")),
            Self::UpperCase => scopes.join(" ").to_ascii_uppercase(),
            Self::MixedCase => scopes.join(" ").replace("accounting", "Accounting"),
            Self::Lines => scopes.join("\n"),
            Self::NoBreakSpaces => scopes.join("\u{a0}"),
            Self::ByteOrderMark => format!("\u{feff}{}", scopes.join(" ")),
        }
    }
}
