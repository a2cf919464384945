//! The people, their companies, and what they consented to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::book::{Book, granular_since, today};
use super::consents::{Consent, NOTATIONS, Notation};
use super::draw::day;
use super::record::{FORMS, Form};
use super::regions::{REGIONS, Region};
use super::words::{ADJECTIVES, FIRST_NAMES, LAST_NAMES, NOUNS, TRADES, slug};

#[derive(Clone)]
pub struct Tenant {
    pub id: Uuid,
    pub name: String,
    pub kind: &'static str,
    pub region: Region,
    pub account: String,
    pub plan: &'static str,
}

#[derive(Clone)]
pub struct Person {
    pub email: String,
    pub name: String,
    pub locale: &'static str,
    pub zone: &'static str,
    pub country: &'static str,
}

/// One person's consent, as it stands today.
#[derive(Clone)]
pub struct Grant {
    pub user: Uuid,
    pub person: Person,
    pub scopes: Vec<&'static str>,
    pub notation: Notation,
    pub form: Form,
    pub flow: &'static str,
    pub event: Uuid,
    pub first_connected: DateTime<Utc>,
    pub consented: DateTime<Utc>,
}

const FLOWS: &[(u32, &str)] = &[(80, "web"), (10, "pkce"), (10, "")];
const PLANS: &[&str] = &["starter", "growth", "growth", "scale", ""];
const MAIL_PROVIDERS: &[&str] = &["example.com", "example.net", "example.org"];

impl Book {
    pub fn region(&mut self) -> Region {
        self.draw.weighted(REGIONS)
    }

    /// An organisation with a name of its own.
    pub fn tenant(&mut self, region: Region) -> Tenant {
        loop {
            let name = self.company(region);
            if self.take(&name) {
                return self.tenant_named(region, &name);
            }
        }
    }

    pub fn tenant_named(&mut self, region: Region, name: &str) -> Tenant {
        Tenant {
            id: self.draw.uuid(),
            name: name.to_owned(),
            kind: if self.draw.chance(85) { "ORGANISATION" } else { "" },
            region,
            account: format!("AC-{}", self.draw.between(10_000, 99_999)),
            plan: self.draw.one_of(PLANS),
        }
    }

    fn company(&mut self, region: Region) -> String {
        let form = self.draw.one_of(region.forms);
        let trade = self.draw.one_of(TRADES);
        match self.draw.between(1, 10) {
            1..=4 => format!("{} {trade} {form}", self.draw.one_of(region.towns)),
            5..=6 => format!("{} {trade} {form}", self.draw.one_of(LAST_NAMES)),
            7 => {
                let partners = [self.draw.one_of(LAST_NAMES), self.draw.one_of(LAST_NAMES)];
                format!("{} & {} {form}", partners[0], partners[1])
            }
            8 => format!("{} Family Trust", self.draw.one_of(LAST_NAMES)),
            _ => {
                let adjective = self.draw.one_of(ADJECTIVES);
                format!("{adjective} {} {trade} {form}", self.draw.one_of(NOUNS))
            }
        }
    }

    /// Somebody of this tenant, with an address of their own at a domain that is reserved
    /// (RFC 2606).
    pub fn person(&mut self, tenant: &Tenant) -> Person {
        let mut label = slug(&tenant.name, '-');
        label.truncate(40);
        let label = label.trim_end_matches('-');
        let domain = if label.is_empty() || self.draw.chance(25) {
            self.draw.one_of(MAIL_PROVIDERS).to_owned()
        } else {
            format!("{label}.example")
        };
        loop {
            let first = self.draw.one_of(FIRST_NAMES);
            let last = self.draw.one_of(LAST_NAMES);
            let local = match self.draw.between(1, 10) {
                1..=6 => format!("{}.{}", slug(first, '.'), slug(last, '.')),
                7..=8 => slug(first, '.'),
                9 => {
                    let initial: String = slug(first, '.').chars().take(1).collect();
                    format!("{initial}{}", slug(last, '-'))
                }
                _ => format!("{}.{}+xero", slug(first, '.'), slug(last, '.')),
            };
            let email = format!("{local}@{domain}");
            if self.take(&email) {
                return self.person_at(tenant.region, &email, &format!("{first} {last}"));
            }
        }
    }

    pub fn person_at(&mut self, region: Region, email: &str, name: &str) -> Person {
        Person {
            email: email.to_owned(),
            name: name.to_owned(),
            locale: self.draw.weighted(region.locales),
            zone: self.draw.weighted(region.zones),
            country: region.country,
        }
    }

    /// What this person consented to, and when.
    pub fn grant(&mut self, person: Person, consent: Consent) -> Grant {
        let after = granular_since();
        let first_connected = match consent {
            Consent::GranularReady | Consent::GranularShort => self.draw.time(after, today()),
            // Some customers came with the host's former app; their day was kept.
            _ if self.draw.chance(20) => self.draw.time(day(2019, 2, 1), day(2024, 5, 1)),
            _ => self.draw.time(day(2024, 5, 1), day(2026, 2, 27)),
        };
        let consented = if consent.is_recent() {
            self.draw.time(first_connected.max(after), today())
        } else {
            first_connected
        };
        Grant {
            user: self.draw.uuid(),
            person,
            scopes: consent.scopes(&mut self.draw),
            notation: self.draw.weighted(NOTATIONS),
            form: self.draw.weighted(FORMS),
            flow: self.draw.weighted(FLOWS),
            event: self.draw.uuid(),
            first_connected,
            consented,
        }
    }
}
