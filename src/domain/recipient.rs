//! Whom a prompt goes to, and who is left alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::address::Address;
use super::connection::Connection;
use super::grant::GrantId;

/// A person written to: an address, or without one the grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    Address(Address),
    Grant(GrantId),
    /// Somebody who was erased, by pseudonym: never written to again, by whatever way.
    Forgotten(String),
}

impl Recipient {
    /// The one spelling: a normalised address, `grant:` and its id, or a pseudonym.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Address(address) => address.key().to_owned(),
            Self::Grant(grant) => format!("grant:{grant}"),
            Self::Forgotten(pseudonym) => pseudonym.clone(),
        }
    }

    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        matches!(self, Self::Forgotten(_))
    }

    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Grant(_) | Self::Forgotten(_) => None,
        }
    }
}

/// A recipient with the zone whose days and hours count for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub recipient: Recipient,
    pub zone: Option<Tz>,
    pub name: Option<String>,
    pub locale: Option<String>,
}

/// Everyone responsible for a grant: each recipient in the rows of its connections, once,
/// in order of their keys.
#[must_use]
pub fn responsible(connections: &[Connection]) -> Vec<Party> {
    let mut parties: BTreeMap<String, Party> = BTreeMap::new();
    for connection in connections {
        for responsible in &connection.people {
            let person = &responsible.person;
            let recipient = match (&person.email, &person.forgotten) {
                (Some(address), _) => Recipient::Address(address.clone()),
                (None, Some(pseudonym)) => Recipient::Forgotten(pseudonym.clone()),
                (None, None) => Recipient::Grant(connection.facts.grant),
            };
            let party = parties.entry(recipient.key()).or_insert(Party {
                recipient,
                zone: None,
                name: None,
                locale: None,
            });
            party.zone = party.zone.or(person.time_zone);
            party.name = party.name.take().or_else(|| person.name.clone());
            party.locale = party.locale.take().or_else(|| person.locale.clone());
        }
    }
    parties.into_values().collect()
}

/// The exemptions in force, by what they name.
#[derive(Clone, Debug, Default)]
pub struct Exemptions {
    until: BTreeMap<String, (DateTime<Utc>, String)>,
}

impl Exemptions {
    /// Each with its id (an id in lower case, a normalised address, or an account), end and
    /// reason; ended ones are left out.
    #[must_use]
    pub fn in_force(
        all: impl IntoIterator<Item = (String, DateTime<Utc>, String)>,
        now: DateTime<Utc>,
    ) -> Self {
        let until = all
            .into_iter()
            .filter(|(_, until, _)| *until > now)
            .map(|(id, until, reason)| (id, (until, reason)))
            .collect();
        Self { until }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    /// Every id that an exemption may name.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.until.keys().map(String::as_str)
    }

    /// Until when and why a connection of a grant is exempt: by its own id, its tenant,
    /// person or account, or the address of anybody responsible.
    #[must_use]
    pub fn of(&self, connection: &Connection, parties: &[Party]) -> Option<(DateTime<Utc>, &str)> {
        if self.until.is_empty() {
            return None;
        }
        let facts = &connection.facts;
        let own = [
            Some(connection.key.to_string()),
            Some(facts.tenant.to_string()),
            Some(facts.grant.to_string()),
            facts.account.clone(),
        ];
        let people = parties.iter().map(|party| party.recipient.key());
        own.into_iter()
            .flatten()
            .chain(people)
            .filter_map(|id| self.until.get(&id))
            .max_by_key(|(until, _)| *until)
            .map(|(until, reason)| (*until, reason.as_str()))
    }
}

/// One id, however it was typed: lower case for ids and addresses, as it is for accounts.
#[must_use]
pub fn exemption_id(typed: &str) -> String {
    let typed = typed.trim();
    if let Ok(id) = typed.parse::<uuid::Uuid>() {
        return id.to_string();
    }
    match typed.parse::<Address>() {
        Ok(address) => address.key().to_owned(),
        Err(_) => typed.to_owned(),
    }
}
