//! The customers: owners, groups of companies, accountants, practices.

use super::book::{Book, PROOFS, Proof, granular_since, today};
use super::consents::{CUSTOMERS, Consent, Notation};
use super::draw::day;
use super::people::{Grant, Person, Tenant};
use super::regions::Region;
use super::words::SPECIAL_TENANTS;

pub fn tell(book: &mut Book) -> anyhow::Result<()> {
    owners(book, 240)?;
    groups(book, 46)?;
    practices(book)
}

/// Somebody with a company and a consent as the customer base has them.
pub fn customer(book: &mut Book) -> (Grant, Tenant) {
    let consent = book.draw.weighted(CUSTOMERS);
    customer_with(book, consent)
}

pub fn customer_with(book: &mut Book, consent: Consent) -> (Grant, Tenant) {
    let region = book.region();
    let tenant = book.tenant(region);
    (customer_of(book, &tenant, consent), tenant)
}

pub fn customer_of(book: &mut Book, tenant: &Tenant, consent: Consent) -> Grant {
    let person = book.person(tenant);
    book.grant(person, consent)
}

/// One person, one company.
fn owners(book: &mut Book, count: usize) -> anyhow::Result<()> {
    for number in 0..count {
        let (grant, tenant) = match SPECIAL_TENANTS.get(number) {
            Some((country, name)) => {
                let tenant = book.tenant_named(Region::of(country), name);
                let consent = book.draw.weighted(CUSTOMERS);
                (customer_of(book, &tenant, consent), tenant)
            }
            None => customer(book),
        };
        let proof = book.draw.weighted(PROOFS);
        let row = book.row(&grant, &tenant, proof)?;
        book.add(row);
    }
    Ok(())
}

/// One person, two to six companies, one account.
fn groups(book: &mut Book, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        let (grant, first) = customer(book);
        for number in 0..book.draw.between(2, 6) {
            let mut tenant = if number == 0 { first.clone() } else { book.tenant(first.region) };
            tenant.account.clone_from(&first.account);
            let proof = if book.draw.chance(40) { Proof::Text } else { Proof::DatedText };
            let row = book.row(&grant, &tenant, proof)?;
            book.add(row);
        }
    }
    Ok(())
}

/// Accountants with their clients. Hands back some clients of the two largest, whose owners
/// have connected them too.
pub fn accountants(book: &mut Book) -> anyhow::Result<Vec<Tenant>> {
    let mut clients = ngaire(book)?;
    clients.extend(sam(book)?);
    for size in [9, 14, 18, 24] {
        let (mut grant, first) = customer_with(book, Consent::Broad);
        for number in 0..size {
            let tenant = if number == 0 { first.clone() } else { book.tenant(first.region) };
            if number == size / 2 {
                // Half-way through, the host began to keep its scopes in another notation.
                grant.notation = Notation::Commas;
            }
            let row = book.row(&grant, &tenant, Proof::DatedText)?;
            book.add(row);
        }
    }
    Ok(clients)
}

/// The largest: 210 clients and her own practice behind one consent, a broad one.
fn ngaire(book: &mut Book) -> anyhow::Result<Vec<Tenant>> {
    let region = Region::of("AU");
    let person = book.person_at(region, "ngaire.tuhoe@ledgerline.example", "Ngaire Tūhoe");
    let person = Person { zone: "Australia/Sydney", ..person };
    let grant = book.grant(person, Consent::Broad);
    let grant = Grant { flow: "web", notation: Notation::Spaces, ..grant };
    let own = book.tenant_named(region, "Ledgerline Accounting");
    let row = book.row(&grant, &Tenant { kind: "PRACTICE", ..own }, Proof::Text)?;
    book.add(row);
    let mut clients = Vec::new();
    for number in 0..210 {
        let tenant = book.tenant(region);
        let proof = if book.draw.chance(35) { Proof::Text } else { Proof::DatedText };
        let row = book.row(&grant, &tenant, proof)?;
        book.add(row);
        if number % 18 == 0 {
            clients.push(tenant);
        }
    }
    Ok(clients)
}

/// An accountant who has renewed: the host keeps the new token with the connection it was
/// last used for, and old texts with the other 59.
fn sam(book: &mut Book) -> anyhow::Result<Vec<Tenant>> {
    let region = Region::of("GB");
    let person = book.person_at(region, "sam.okafor@brightbooks.example", "Samuel Okafor");
    let old = Grant {
        first_connected: day(2024, 9, 3),
        consented: day(2024, 9, 3),
        ..book.grant(person, Consent::Broad)
    };
    let mut scopes = old.scopes.clone();
    scopes.extend(["accounting.invoices", "accounting.payments", "accounting.banktransactions"]);
    let new =
        Grant { scopes, consented: day(2026, 10, 12), event: book.draw.uuid(), ..old.clone() };
    let mut clients = Vec::new();
    for number in 0..60 {
        let tenant = book.tenant(region);
        let mut row = book.row(&old, &tenant, Proof::DatedText)?;
        let noted = book.draw.time(old.consented, day(2026, 9, 1));
        row.evidence_at = old.form.write(noted, &mut book.draw);
        if number == 41 {
            row = book.row(&new, &tenant, Proof::Token)?;
        }
        book.add(row);
        if number % 15 == 0 {
            clients.push(tenant);
        }
    }
    Ok(clients)
}

/// Tenants that are no organisations.
fn practices(book: &mut Book) -> anyhow::Result<()> {
    let jobs = [
        "offline_access",
        "practicemanager.job",
        "practicemanager.client.read",
        "practicemanager.staff.read",
    ];
    let kinds = [("PRACTICE", 6), ("PRACTICEMANAGER", 5), ("WORKFLOWMAX", 1), ("LEDGERFOLIO", 1)];
    for (kind, count) in kinds {
        for _ in 0..count {
            let (mut grant, tenant) = customer_with(book, Consent::Broad);
            if kind == "PRACTICEMANAGER" {
                grant.scopes = jobs.to_vec();
                grant.consented = book.draw.time(granular_since(), today());
            }
            let row = book.row(&grant, &Tenant { kind, ..tenant }, Proof::DatedText)?;
            book.add(row);
        }
    }
    Ok(())
}
