//! What a connection is planned as, from the facts as they are.

use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::decide::Rules;
use crate::domain::grant::ConnectionKey;
use crate::domain::pseudonym::pseudonym;
use crate::domain::recipient::Party;
use crate::domain::removal::{InXero, Planned};
use crate::domain::scopes::ScopeSet;

/// The key that a database's pseudonyms are made with.
#[derive(Clone, Copy)]
pub struct Naming<'a>(pub &'a [u8; 32]);

impl Naming<'_> {
    /// Everyone responsible, in order.
    #[must_use]
    pub fn people(&self, parties: &[Party]) -> Vec<String> {
        let mut people: Vec<String> =
            parties.iter().map(|party| pseudonym(self.0, &party.recipient.key())).collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    /// What of a connection must still be so when it is removed; `None` without an id of
    /// Xero's. `held` is what its grant settled on.
    #[must_use]
    pub fn planned(
        &self,
        rules: &Rules<'_>,
        connection: &Connection,
        parties: &[Party],
        held: ScopeSet,
        in_xero: InXero,
    ) -> Option<Planned> {
        let listed = in_xero.listed();
        let facts = &connection.facts;
        let required = facts.required.unwrap_or(rules.campaign.required);
        Some(Planned {
            connection_id: facts.id.or(listed.map(|listed| listed.id))?,
            tenant_id: facts.tenant,
            grant: facts.grant,
            class: connection.standing.class,
            scopes: held.canonical(),
            required: required.canonical(),
            people: self.people(parties),
            xero_created_at: listed.and_then(|listed| listed.created_at),
            xero_updated_at: listed.and_then(|listed| listed.updated_at),
        })
    }
}

/// The id of the removal of a connection under a plan: the same wherever it is made.
#[must_use]
pub fn removal_id(plan: &str, connection: ConnectionKey) -> Uuid {
    let name = format!("removal\0{plan}\0{connection}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}
