//! Evidence as real tables hold it: none at all, texts with misprints, and readings that are
//! old, contradict each other or are somebody else's.

use chrono::TimeDelta;

use super::book::{Book, Proof, today};
use super::consents::Consent;
use super::customers::{customer, customer_with};
use super::draw::day;
use super::people::Grant;
use super::tokens::{CLIENT_ID, OTHER_CLIENT_ID, Token};

pub fn tell(book: &mut Book) -> anyhow::Result<()> {
    without_evidence(book)?;
    two_readings(book)?;
    one_renewed_row(book)?;
    doubtful_tokens(book)?;
    misprints(book)
}

fn without_evidence(book: &mut Book) -> anyhow::Result<()> {
    for _ in 0..22 {
        let (grant, tenant) = customer(book);
        let mut row = book.bare_row(&grant, &tenant);
        if book.draw.chance(30) {
            // A date alone proves nothing.
            row.evidence_at = grant.form.write(grant.consented, &mut book.draw);
        }
        book.add(row);
    }
    for text in
        ["n/a", "null", "full access", "read,write", "[]", "transactions settings", "xero", "{}"]
    {
        let (grant, tenant) = customer(book);
        let mut row = book.bare_row(&grant, &tenant);
        row.scopes = text.into();
        book.add(row);
    }
    Ok(())
}

/// A text and a token that say different things about one consent.
fn two_readings(book: &mut Book) -> anyhow::Result<()> {
    for number in 0..33 {
        let (old, tenant) = customer_with(book, Consent::Broad);
        let old = Grant { consented: day(2025, 3, 1), first_connected: day(2025, 3, 1), ..old };
        let mut scopes = old.scopes.clone();
        scopes.extend(["accounting.invoices", "accounting.payments"]);
        let consented = book.draw.time(day(2026, 5, 4), day(2026, 10, 30));
        let new = Grant { scopes, consented, ..old.clone() };
        let earlier = old.form.write(day(2025, 8, 1), &mut book.draw);
        let later = new.form.write(consented + TimeDelta::days(9), &mut book.draw);
        let mut row = book.bare_row(&old, &tenant);
        match number {
            // An old text, a new token.
            0..=9 => {
                row.scopes = old.notation.write(&old.scopes);
                row.evidence_at = earlier;
                row.access_token = dated_token(&new)?;
            }
            // An old token, a new text.
            10..=15 => {
                row.scopes = new.notation.write(&new.scopes);
                row.evidence_at = later;
                row.access_token = dated_token(&old)?;
            }
            // A text without a date: the larger set wins.
            16..=20 => {
                row.scopes = old.notation.write(&old.scopes);
                row.access_token = dated_token(&new)?;
            }
            // A text without a date that holds what the token lacks, and the other way round.
            21..=26 => {
                row.scopes =
                    "offline_access accounting.transactions accounting.contacts files".into();
                let scopes = vec!["offline_access", "accounting.invoices", "accounting.settings"];
                row.access_token = dated_token(&Grant { scopes, ..new })?;
            }
            // Two readings of one second, neither of which holds the other.
            27..=28 => {
                row.scopes = "accounting.transactions accounting.settings".into();
                row.evidence_at = consented.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                let scopes = vec!["accounting.invoices", "accounting.settings"];
                row.access_token = dated_token(&Grant { scopes, ..new })?;
            }
            // Renewed once, then connected afresh with the old link.
            _ => {
                row.scopes = old.notation.write(&old.scopes);
                row.evidence_at = later;
                row.access_token = dated_token(&new)?;
            }
        }
        book.add(row);
    }
    Ok(())
}

fn dated_token(grant: &Grant) -> anyhow::Result<String> {
    let token = Token {
        client_id: CLIENT_ID,
        user: grant.user,
        event: None,
        consented: Some(grant.consented),
        issued: grant.consented + TimeDelta::days(2),
        scopes: &grant.scopes,
    };
    Ok(token.write()?)
}

/// People with a few tenants whose new consent reached one row so far.
fn one_renewed_row(book: &mut Book) -> anyhow::Result<()> {
    for number in 0..6 {
        let (old, first) = customer_with(book, Consent::Broad);
        let old = Grant { consented: day(2025, 2, 3), first_connected: day(2025, 2, 3), ..old };
        let mut scopes = old.scopes.clone();
        scopes.push("accounting.invoices");
        let new =
            Grant { scopes, consented: day(2026, 9, 14), event: book.draw.uuid(), ..old.clone() };
        let mut row = book.bare_row(&new, &first);
        if number % 2 == 0 {
            row.access_token = dated_token(&new)?;
        } else {
            row.scopes = new.notation.write(&new.scopes);
            row.evidence_at = new.form.write(new.consented, &mut book.draw);
        }
        book.add(row);
        for _ in 0..book.draw.between(1, 3) {
            let tenant = book.tenant(first.region);
            let mut row = book.row(&old, &tenant, Proof::Text)?;
            if number % 3 == 0 {
                row.evidence_at = old.form.write(day(2025, 2, 3), &mut book.draw);
            }
            book.add(row);
        }
    }
    Ok(())
}

fn doubtful_tokens(book: &mut Book) -> anyhow::Result<()> {
    // The column names one person and the token another.
    for _ in 0..5 {
        let (grant, tenant) = customer(book);
        let other = Grant { user: book.draw.uuid(), ..grant.clone() };
        let mut row = book.row(&other, &tenant, Proof::TextAndToken)?;
        row.xero_user_id = grant.user.to_string();
        book.add(row);
    }
    // The token is another app's; in the last case one of three rows of a grant holds it.
    for number in 0..5 {
        let (grant, first) = customer_with(book, Consent::Broad);
        let token = Token {
            client_id: OTHER_CLIENT_ID,
            user: grant.user,
            event: None,
            consented: Some(grant.consented),
            issued: book.draw.time(grant.consented, today()),
            scopes: &grant.scopes,
        };
        let mut row = book.bare_row(&grant, &first);
        row.access_token = token.write()?;
        book.add(row);
        for _ in 0..if number == 4 { 2 } else { 0 } {
            let tenant = book.tenant(first.region);
            let row = book.row(&grant, &tenant, Proof::DatedText)?;
            book.add(row);
        }
    }
    Ok(())
}

/// Words that are no scopes, though somebody meant one.
fn misprints(book: &mut Book) -> anyhow::Result<()> {
    let texts = [
        "offline_access accounting.settings accounting.contacts accounting.invoices accounting.reports.balancesheets.read",
        "openid profile email accounting.transactions accounting.contacts accounting.settingsoffline_access",
        "accounting.invoices accounting.contacts accounting.settingsoffline_access",
        "offline_access accounting.invoice accounting.settings accounting.contacts accounting.payments",
        "offline_access accounting.transaction accounting.settings accounting.contacts",
        "offline_access accounting.settings accounting.contacts accounting.transactions accounting.budgets",
        "offline-access accounting.transactions accounting.settings accounting.contacts",
        "offline_access;accounting.transactions;accounting.settings accounting.contacts accounting.reports.read",
        "offline_access accounting.transactions accounting.transactions accounting.settings accounting.contacts offline_access",
        "accounting.contacts  accounting.settings,accounting.invoices+offline_access%20accounting.invoices",
        "{\"offline_access\",\"accounting.transactions\",\"accounting.settings\",\"accounting.contacts\"}",
        "[\"offline_access accounting.transactions\", \"accounting.settings\"]",
        "offline_access\u{200b}accounting.transactions\u{200b}accounting.settings",
        "offline_access accounting.settings accounting.bankstatement.read accounting.transactions practicemanager",
        "accounting.classicexpenses.read accounting.settings.read offline_access",
    ];
    for text in texts {
        let (grant, tenant) = customer_with(book, Consent::Broad);
        let mut row = book.bare_row(&grant, &tenant);
        row.scopes = text.into();
        book.add(row);
    }
    Ok(())
}
