//! What an unknown word probably meant. A hint for people: it never makes the word count,
//! and where nothing is near there is none, for a wild guess in a report costs more time
//! than no guess.

use std::sync::LazyLock;

use super::catalogue::{Scope, catalogue};
use super::nearest::{TELLING, nearest};

/// Bytes of a word that is still looked at. The longest scope has 39; a longer word is not
/// a misspelt scope but something else that got into the column.
const LONGEST: usize = 256;

/// What an unknown word probably meant: one scope, or several joined by a space.
#[must_use]
pub fn meant(word: &str) -> Option<String> {
    if word.len() > LONGEST {
        return None;
    }
    let word = without_escapes(&word.to_ascii_lowercase());
    let whole = fold(&word);
    if whole.is_empty() || catalogue().find(&word).is_some() {
        return None;
    }
    let scopes = together(&whole)
        .or_else(|| nearest(&whole).map(|scope| vec![scope]))
        .or_else(|| several(&word))
        .or_else(|| cut_off(&whole).map(|scope| vec![scope]))?;
    let mut names: Vec<&str> = Vec::new();
    for scope in scopes {
        if !names.contains(&scope.name()) {
            names.push(scope.name());
        }
    }
    Some(names.join(" "))
}

/// Percent escapes that a text kept, encoded once or more often (`%3B`, `%253B`), as spaces.
fn without_escapes(word: &str) -> String {
    let mut parts = word.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let part = part.trim_start_matches("25");
        let escape = part.get(..2).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        text.push(' ');
        text.push_str(if escape { &part[2..] } else { part });
    }
    text
}

/// The letters and digits of a word with single dots for all that lies between them, so
/// that `Accounting_settings`, `"accounting:settings"` and the scope are one. A leading
/// `scope=` is the name of the field and goes too.
pub(super) fn fold(word: &str) -> String {
    word.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !matches!(*part, "" | "scope" | "scopes"))
        .collect::<Vec<_>>()
        .join(".")
}

/// Scopes whose letters, one after the other, are exactly the word's: with other separators
/// inside them, or run together. The fewest that fit, the longest first.
fn together(folded: &str) -> Option<Vec<Scope>> {
    let letters = folded.replace('.', "");
    // From each position on: how many scopes fill the rest, and the first of them.
    let mut rest: Vec<Option<(usize, Option<&Letters>)>> = vec![None; letters.len() + 1];
    rest[letters.len()] = Some((0, None));
    for at in (0..letters.len()).rev() {
        rest[at] = LETTERS
            .iter()
            .filter(|name| letters[at..].starts_with(&name.letters))
            .filter_map(|name| Some((rest[at + name.letters.len()]?.0 + 1, Some(name))))
            .min_by_key(|(count, name)| (*count, name.map(|name| usize::MAX - name.letters.len())));
    }
    let mut scopes = Vec::new();
    let mut at = 0;
    while let (_, Some(name)) = rest[at]? {
        scopes.push(name.scope);
        at += name.letters.len();
    }
    Some(scopes)
}

/// A scope's name without its dots and underscores.
struct Letters {
    letters: String,
    scope: Scope,
}

static LETTERS: LazyLock<Vec<Letters>> = LazyLock::new(|| {
    let letters = |scope: Scope| fold(scope.name()).replace('.', "");
    catalogue().scopes().map(|scope| Letters { letters: letters(scope), scope }).collect()
});

/// Scopes in a list with a separator that is none, each of which is clear by itself.
fn several(word: &str) -> Option<Vec<Scope>> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    let pieces: Vec<String> =
        word.split(|c| !is_inside(c)).map(fold).filter(|piece| !piece.is_empty()).collect();
    if pieces.len() < 2 {
        return None;
    }
    let mut scopes = Vec::new();
    for piece in &pieces {
        match together(piece) {
            Some(exact) => scopes.extend(exact),
            None => scopes.push(nearest(piece)?),
        }
    }
    Some(scopes)
}

/// The one scope that begins like this: a column that is too narrow cuts the last word.
/// A scope and its `.read` count as one.
fn cut_off(folded: &str) -> Option<Scope> {
    if folded.len() < TELLING {
        return None;
    }
    let mut begins = catalogue().scopes().filter(|scope| fold(scope.name()).starts_with(folded));
    let first = begins.next()?;
    begins.all(|scope| Some(scope) == first.read()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn near_misses_are_recognised() {
        for (word, scopes) in [
            // The plural, a typo, swapped letters.
            ("balancesheets", "accounting.reports.balancesheet.read"),
            ("accounting.reports.balancesheets.read", "accounting.reports.balancesheet.read"),
            ("accounting.reports.profitloss.read", "accounting.reports.profitandloss.read"),
            ("accounting.setings", "accounting.settings"),
            ("acounting.setings", "accounting.settings"),
            ("accounting.tranasctions", "accounting.transactions"),
            ("accounting.transaction", "accounting.transactions"),
            ("accounting.report.read", "accounting.reports.read"),
            ("ofline_access", "offline_access"),
            ("opneid", "openid"),
            ("project", "projects"),
            ("payroll.payslips.read", "payroll.payslip.read"),
            // `.read` missing, superfluous, misspelt, misplaced, or in other words.
            ("accounting.budgets", "accounting.budgets.read"),
            ("accounting.budget", "accounting.budgets.read"),
            ("accounting.reports", "accounting.reports.read"),
            ("accounting.reports.aged", "accounting.reports.aged.read"),
            ("bankfeeds.read", "bankfeeds"),
            ("offline_access.read", "offline_access"),
            ("accounting.contacts.raed", "accounting.contacts.read"),
            ("accounting.contacts.reads", "accounting.contacts.read"),
            ("read.accounting.contacts", "accounting.contacts.read"),
            ("accounting.read.contacts", "accounting.contacts.read"),
            ("accounting.contacts:read", "accounting.contacts.read"),
            ("accounting.contacts.readonly", "accounting.contacts.read"),
            ("accounting.contacts.read_only", "accounting.contacts.read"),
            ("accounting.contacts.write", "accounting.contacts"),
            ("accounting.contacts.read.write", "accounting.contacts"),
            ("accounting.budgets.write", "accounting.budgets.read"),
            // A prefix or the middle missing.
            ("invoices", "accounting.invoices"),
            ("invoices.read", "accounting.invoices.read"),
            ("invoice", "accounting.invoices"),
            ("settings", "accounting.settings"),
            ("reports.balancesheet", "accounting.reports.balancesheet.read"),
            ("accounting.balancesheet.read", "accounting.reports.balancesheet.read"),
            ("payslip", "payroll.payslip"),
            ("journals", "accounting.journals.read"),
            // Run together, or kept apart by what separates nothing.
            ("accounting.settingsoffline_access", "accounting.settings offline_access"),
            ("accounting.contacts.readfiles", "accounting.contacts.read files"),
            ("openidprofileemail", "openid profile email"),
            ("openidopenid", "openid"),
            ("accounting.settings;openid", "accounting.settings openid"),
            (
                "accounting.setings;invoices|openid",
                "accounting.settings accounting.invoices openid",
            ),
            ("accounting.settings%3bopenid", "accounting.settings openid"),
            ("accounting.setings%2520openid", "accounting.settings openid"),
            // Other separators inside, quotes and brackets around.
            ("accounting_settings", "accounting.settings"),
            ("accounting:settings", "accounting.settings"),
            ("accounting-settings", "accounting.settings"),
            ("accountingsettings", "accounting.settings"),
            ("accounting..settings.", "accounting.settings"),
            ("accounting.set\u{ad}tings", "accounting.settings"),
            ("'accounting.settings'", "accounting.settings"),
            ("[accounting.settings]", "accounting.settings"),
            ("scope=accounting.settings", "accounting.settings"),
            (r#"{"scope":"accounting.setings""#, "accounting.settings"),
            ("\u{430}ccounting.settings", "accounting.settings"),
            // Cut off by a narrow column.
            ("accounting.reports.execu", "accounting.reports.executivesummary.read"),
            ("accounting.settings.r", "accounting.settings.read"),
            ("accounting.sett", "accounting.settings"),
            ("offline", "offline_access"),
        ] {
            assert_eq!(meant(word).as_deref(), Some(scopes), "{word}");
        }
    }

    #[test]
    fn what_is_far_from_every_scope_gets_no_hint() {
        let words = "foo read write read.write admin user api basic null none true default test \
             time client job staff scope scopes accounting payroll practice \
             accounting.foo accounting.read accounting.bills accounting.quotes \
             accounting.creditnotes accounting.items accounting.accounts \
             accounting.purchaseorders accounting.overpayments accounting.prepayments \
             accounting.banktransfers accounting.receipts accounting.taxrates \
             accounting.reports.gst.read accounting.reports.cashsummary \
             accounting.reports.b \
             com.intuit.quickbooks.accounting https://www.googleapis.com \
             crm.objects.contacts openid;foo";
        for word in words.split(' ').chain(["", ".", "\0"]) {
            assert_eq!(meant(word), None, "{word}");
        }
    }

    #[test]
    fn a_scope_means_itself_and_needs_no_hint() {
        for scope in catalogue().scopes() {
            assert_eq!(meant(scope.name()), None, "{scope}");
        }
    }

    #[test]
    fn a_word_too_long_to_be_a_scope_gets_no_hint() {
        assert_eq!(meant(&"openid".repeat(42)).as_deref(), Some("openid"));
        assert_eq!(meant(&"openid".repeat(43)), None);
    }

    #[test]
    fn one_swap_of_letters_anywhere_in_a_name_with_a_prefix_is_recognised() {
        for scope in catalogue().scopes().filter(|scope| scope.name().contains('.')) {
            for at in 1..scope.name().len() {
                let mut letters: Vec<char> = scope.name().chars().collect();
                letters.swap(at - 1, at);
                let word: String = letters.into_iter().collect();
                if word != scope.name() {
                    assert_eq!(meant(&word).as_deref(), Some(scope.name()), "{word}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_word_a_hint_is_made_of_scopes(word in r"[\PC]{0,40}|[a-z.%_0-9]{0,300}") {
            for name in meant(&word).iter().flat_map(|hint| hint.split(' ')) {
                prop_assert!(catalogue().find(name).is_some(), "{}", name);
            }
        }
    }
}
