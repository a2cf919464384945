//! Several people at one tenant, one connection or one address.

use super::book::{Book, Proof};
use super::consents::Consent;
use super::customers::{customer, customer_of, customer_with};
use super::people::{Grant, Tenant};
use super::regions::Region;
use super::words::LAST_NAMES;

/// `clients` are some of the accountants' own.
pub fn tell(book: &mut Book, clients: &[Tenant]) -> anyhow::Result<()> {
    colleagues(book, clients)?;
    half_renewed(book)?;
    shared_inboxes(book)?;
    spellings(book)?;
    responsible_together(book)
}

/// Several people, one tenant: first the accountants' clients with the owner beside them,
/// then pairs and threes of colleagues, of whom one may have renewed already.
fn colleagues(book: &mut Book, clients: &[Tenant]) -> anyhow::Result<()> {
    for (number, tenant) in clients.iter().enumerate() {
        let consent = if number % 4 == 0 { Consent::MixedReady } else { Consent::Broad };
        colleague(book, tenant, consent)?;
    }
    let nz = Region::of("NZ");
    let kauri = book.tenant_named(nz, "Kauri Coast Plumbing Limited");
    for (email, name, consent) in [
        ("mere@kauri-coast.example", "Mere Parata", Consent::MixedReady),
        ("tom@kauri-coast.example", "Tom Walker", Consent::Broad),
    ] {
        let person = book.person_at(nz, email, name);
        let grant = Grant { flow: "web", ..book.grant(person, consent) };
        let row = book.row(&grant, &kauri, Proof::DatedText)?;
        book.add(row);
    }
    for number in 0..26 {
        let region = book.region();
        let tenant = book.tenant(region);
        let consents: &[Consent] = match number % 6 {
            0 | 1 => &[Consent::MixedReady, Consent::Broad],
            2 => &[Consent::GranularReady, Consent::Broad, Consent::MixedShort],
            3 => &[Consent::MixedReady, Consent::MixedReady],
            4 => &[Consent::Broad, Consent::Unaffected],
            _ => &[Consent::Broad, Consent::Broad],
        };
        for consent in consents {
            colleague(book, &tenant, *consent)?;
        }
    }
    Ok(())
}

fn colleague(book: &mut Book, tenant: &Tenant, consent: Consent) -> anyhow::Result<()> {
    let grant = customer_of(book, tenant, consent);
    let row = book.row(&grant, tenant, Proof::DatedText)?;
    book.add(row);
    Ok(())
}

/// A colleague who holds what is required here but not what another of their connections
/// requires: that grant is not ready, and covers nobody.
fn half_renewed(book: &mut Book) -> anyhow::Result<()> {
    let (renewed, shared) = customer_with(book, Consent::MixedReady);
    let elsewhere = book.tenant(shared.region);
    let row = book.row(&renewed, &shared, Proof::DatedText)?;
    book.add(row);
    let mut row = book.row(&renewed, &elsewhere, Proof::DatedText)?;
    row.required_scopes = "accounting.invoices accounting.reports.executivesummary.read".into();
    book.add(row);
    colleague(book, &shared, Consent::Broad)
}

/// One address, several users of Xero: their scopes must not be thrown together.
fn shared_inboxes(book: &mut Book) -> anyhow::Result<()> {
    let inboxes = [
        ("accounts@harbour-group.example", "Accounts Payable", 4),
        ("info@little-otter-bakery.example", "", 3),
        ("office@example.org", "The Office", 3),
    ];
    for (email, name, users) in inboxes {
        let region = book.region();
        for user in 0..users {
            let consent = if user == 1 { Consent::MixedReady } else { Consent::Broad };
            let person = book.person_at(region, email, name);
            let grant = book.grant(person, consent);
            for _ in 0..book.draw.between(1, 3) {
                let tenant = book.tenant(region);
                let row = book.row(&grant, &tenant, Proof::DatedText)?;
                book.add(row);
            }
        }
    }
    Ok(())
}

/// One mailbox as four hosts' forms took it down.
fn spellings(book: &mut Book) -> anyhow::Result<()> {
    let mailboxes: [(&str, &[&str]); 4] = [
        (
            "Johan van der Merwe",
            &[
                "johan.vandermerwe@karoo-trading.example",
                "Johan.vanderMerwe@karoo-trading.example",
                "JOHAN.VANDERMERWE@KAROO-TRADING.EXAMPLE",
                " johan.vandermerwe@Karoo-Trading.example ",
                "johan.vandermerwe@karoo-trading.Example",
            ],
        ),
        ("Yuki Sato", &["yuki@sakura-kaikei.example", "Yuki@Sakura-Kaikei.example"]),
        ("Zoë Müller", &["zoe@müller-haus.example", "ZOE@xn--mller-haus-9db.example"]),
        (
            "Thandi Dlamini",
            &[
                "thandi.dlamini@example.com",
                "Thandi.Dlamini@Example.com",
                "THANDI.DLAMINI@example.com",
            ],
        ),
    ];
    for (name, addresses) in mailboxes {
        let region = book.region();
        let person = book.person_at(region, addresses[0], name);
        let mut grant = book.grant(person, Consent::Broad);
        for email in addresses {
            grant.person.email = (*email).to_owned();
            let tenant = book.tenant(region);
            let row = book.row(&grant, &tenant, Proof::DatedText)?;
            book.add(row);
        }
    }
    Ok(())
}

/// Several people are responsible for one connection: rows that differ in the person only,
/// and two that are the same to the letter, as a join leaves them behind.
fn responsible_together(book: &mut Book) -> anyhow::Result<()> {
    for number in 0..22 {
        let (grant, tenant) = customer(book);
        let row = book.row(&grant, &tenant, Proof::DatedText)?;
        for _ in 0..if number % 5 == 0 { 2 } else { 1 } {
            let other = book.person(&tenant);
            let mut second = row.clone();
            second.email = other.email;
            second.name = other.name;
            second.locale = other.locale.to_owned();
            second.time_zone = other.zone.to_owned();
            second.country = other.country.to_owned();
            if number == 7 {
                second.email = "-".into();
                second.name = format!("former bookkeeper {}", book.draw.one_of(LAST_NAMES));
            }
            book.add(second);
        }
        if number == 3 {
            book.add(row.clone());
        }
        book.add(row);
    }
    Ok(())
}
