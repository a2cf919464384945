//! Which connections another person's ready grant covers. That depends on all grants for a
//! tenant: a first scan, which has them all in its hands, finds out before it writes; a
//! later one asks the database about the tenants that it touched.

use std::io;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::grant::{ConnectionKey, GrantId, Member, Readiness, judge};
use crate::domain::ids::TenantId;
use crate::domain::scopes::ScopeSet;
use crate::jobs::sorter::{Groups, Sorter};
use crate::store::writer::ScanWriter;

use super::Error;
use super::record::{Event, read};

/// Tenants asked about together.
const TENANTS: usize = 500;

/// The covered connections of a first scan, in the order of grants.
pub(super) struct Covered {
    groups: Groups,
    next: Option<(u128, Vec<Vec<u8>>)>,
}

impl Covered {
    /// Judges all grants of a first scan by what their rows claim.
    pub(super) fn find(
        grants: &mut Groups,
        required: ScopeSet,
        cancel: &CancellationToken,
    ) -> Result<Self, Error> {
        // By tenant: an empty record says that a ready grant reaches it, any other names a
        // grant and its connection that awaits.
        let mut tenants = Sorter::default();
        while let Some((grant, records)) = grants.next_group()? {
            if cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let mut claims = Vec::with_capacity(records.len());
            for record in &records {
                if let (key, Event::Put { claim, .. }) = read(record)? {
                    claims.push((key, claim));
                }
            }
            let members: Vec<Member<'_>> = claims.iter().map(|(_, claim)| claim.member()).collect();
            let judged = judge(&members, required);
            for ((key, claim), own) in claims.iter().zip(&judged.connections) {
                let tenant = claim.tenant.0.as_u128();
                if judged.ready {
                    tenants.push(tenant, &[])?;
                } else if own.readiness == Readiness::Awaiting {
                    let ConnectionKey(key) = key;
                    tenants.push(tenant, &[grant.to_be_bytes(), key.into_bytes()].concat())?;
                }
            }
        }
        let mut tenants = Groups::of(tenants.finish()?)?;
        let mut covered = Sorter::default();
        while let Some((_, records)) = tenants.next_group()? {
            if records.iter().all(|record| !record.is_empty()) {
                continue;
            }
            for (grant, key) in records.iter().filter_map(|record| record.split_first_chunk()) {
                covered.push(u128::from_be_bytes(*grant), key)?;
            }
        }
        let mut groups = Groups::of(covered.finish()?)?;
        let next = groups.next_group()?;
        Ok(Self { groups, next })
    }

    /// Those of a grant, which must be asked about in the order of grants.
    pub(super) fn of(&mut self, grant: GrantId) -> io::Result<Vec<ConnectionKey>> {
        let Some((_, keys)) = self.next.take_if(|(next, _)| *next == grant.0.as_u128()) else {
            return Ok(Vec::new());
        };
        self.next = self.groups.next_group()?;
        let keys = keys.iter().filter_map(|key| Uuid::from_slice(key).ok());
        Ok(keys.map(ConnectionKey).collect())
    }
}

/// The tenants of all grants that a later scan judged anew: only there can have changed what
/// is covered.
#[derive(Default)]
pub(super) struct Touched(Sorter);

impl Touched {
    /// Notes a connection as it was or as it is.
    pub(super) fn note(&mut self, connection: &Connection) -> io::Result<()> {
        self.0.push(connection.facts.tenant.0.as_u128(), &[])
    }

    /// Settles what is covered in these tenants.
    pub(super) async fn settle(self, writer: &mut ScanWriter) -> Result<(), Error> {
        let mut groups = Groups::of(self.0.finish()?)?;
        let mut tenants = Vec::with_capacity(TENANTS);
        while let Some((tenant, _)) = groups.next_group()? {
            tenants.push(TenantId(Uuid::from_u128(tenant)));
            if tenants.len() == TENANTS {
                writer.settle_covered(&tenants).await?;
                tenants.clear();
            }
        }
        if !tenants.is_empty() {
            writer.settle_covered(&tenants).await?;
        }
        Ok(())
    }
}
