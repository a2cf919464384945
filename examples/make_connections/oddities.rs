//! Rows that need care and are good all the same: without ids, beyond the worker's reach,
//! with requirements of their own, with fields that cannot be used.

use super::book::{Book, Proof};
use super::consents::Consent;
use super::customers::{customer, customer_with};
use super::draw::day;

pub fn tell(book: &mut Book) -> anyhow::Result<()> {
    without_user(book)?;
    without_connection(book)?;
    manual(book)?;
    own_requirements(book)?;
    warnings(book)
}

fn without_user(book: &mut Book) -> anyhow::Result<()> {
    // The token knows the person; every third time it is one whom another row names.
    for number in 0..21 {
        let (grant, tenant) = customer(book);
        let mut row = book.row(&grant, &tenant, Proof::Token)?;
        row.xero_user_id.clear();
        book.add(row);
        if number % 3 == 0 {
            let second = book.tenant(tenant.region);
            let row = book.row(&grant, &second, Proof::DatedText)?;
            book.add(row);
        }
    }
    // Nothing does: each connection is a grant by itself, even at one address.
    for number in 0..26 {
        let (grant, tenant) = customer(book);
        let proof = if number % 2 == 0 { Proof::Text } else { Proof::Response };
        let mut tenants = vec![tenant];
        if number % 6 == 0 {
            tenants.push(book.tenant(tenants[0].region));
        }
        for tenant in tenants {
            let mut row = book.row(&grant, &tenant, proof)?;
            row.xero_user_id.clear();
            book.add(row);
        }
    }
    Ok(())
}

fn without_connection(book: &mut Book) -> anyhow::Result<()> {
    for number in 0..20 {
        let (grant, tenant) = customer(book);
        let mut row = book.row(&grant, &tenant, Proof::DatedText)?;
        row.connection_id.clear();
        if number % 4 == 3 {
            row.xero_user_id.clear();
        }
        book.add(row);
    }
    Ok(())
}

/// Custom connections and what is left of OAuth 1.0a: for people to deal with by hand.
fn manual(book: &mut Book) -> anyhow::Result<()> {
    for number in 0..18 {
        let consent = match number {
            0..=11 => Consent::Broad,
            12..=13 => Consent::MixedReady,
            _ => Consent::GranularReady,
        };
        let (grant, tenant) = customer_with(book, consent);
        let mut row = book.row(&grant, &tenant, Proof::DatedText)?;
        row.flow = "custom".into();
        row.xero_user_id.clear();
        row.auth_event_id.clear();
        book.add(row);
    }
    for number in 0..14 {
        let (grant, tenant) = customer_with(book, Consent::Broad);
        let connected = book.draw.time(day(2019, 1, 7), day(2021, 6, 1));
        let mut row = book.row(&grant, &tenant, Proof::Text)?;
        row.flow = "oauth1".into();
        row.connected_at = grant.form.write(connected, &mut book.draw);
        row.updated_at.clear();
        row.last_used_at.clear();
        row.auth_event_id.clear();
        if number % 3 == 0 {
            // OAuth 1.0a had no scopes; the others carry what the host's import put there.
            row.scopes.clear();
        }
        book.add(row);
    }
    Ok(())
}

/// Customers of a smaller or larger product than most.
fn own_requirements(book: &mut Book) -> anyhow::Result<()> {
    let cases = [
        (Consent::Broad, "offline_access accounting.settings accounting.contacts"),
        (Consent::Broad, "offline_access accounting.settings.read accounting.invoices.read"),
        (Consent::MixedReady, "accounting.settings.read,accounting.invoices.read"),
        (Consent::MixedReady, "accounting.invoices accounting.reports.taxreports.read"),
        (Consent::GranularReady, "[\"accounting.invoices\",\"accounting.contacts\"]"),
        (Consent::GranularReady, "accounting.invoices accounting.attachments payroll.payruns.read"),
        (Consent::Unaffected, "offline_access payroll.employees.read"),
    ];
    for (consent, required) in cases.iter().chain(&cases) {
        let (grant, tenant) = customer_with(book, *consent);
        let mut row = book.row(&grant, &tenant, Proof::DatedText)?;
        row.required_scopes = (*required).into();
        book.add(row);
    }
    Ok(())
}

/// Fields that cannot be used and spoil no row.
fn warnings(book: &mut Book) -> anyhow::Result<()> {
    let addresses = [
        "n/a",
        "-",
        "none",
        "tba",
        "jo.at.kowhai.example",
        "info@",
        "@example.com",
        "a b@example.com",
    ];
    let zones = [
        "NZT",
        "Auckland",
        "Pacific/Aukland",
        "New Zealand Standard Time",
        "Sydney",
        "(UTC+12:00) Auckland",
        "local",
    ];
    let dates = [
        "31/12/2025",
        "yesterday",
        "0000-00-00 00:00:00",
        "2025-13-01T00:00:00Z",
        "1719878400",
        "n/a",
    ];
    for email in addresses.iter().chain(&[""; 14]) {
        let (mut grant, tenant) = customer(book);
        grant.person.email = (*email).to_owned();
        let row = book.row(&grant, &tenant, Proof::DatedText)?;
        book.add(row);
    }
    for zone in zones {
        let (mut grant, tenant) = customer(book);
        grant.person.zone = zone;
        let row = book.row(&grant, &tenant, Proof::DatedText)?;
        book.add(row);
    }
    for (number, date) in dates.into_iter().enumerate() {
        let (grant, tenant) = customer(book);
        let mut row = book.row(&grant, &tenant, Proof::DatedText)?;
        match number % 3 {
            0 => row.last_used_at = date.into(),
            1 => row.connected_at = date.into(),
            _ => row.evidence_at = date.into(),
        }
        book.add(row);
    }
    Ok(())
}
