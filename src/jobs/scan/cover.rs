//! Which tenants a scan has to look at again: whether a connection is covered depends on
//! other people's grants for the same tenant, and only there can it have changed.

use std::io;

use crate::domain::connection::{Connection, Presence};
use crate::domain::grant::Readiness;
use crate::domain::ids::TenantId;
use crate::jobs::sorter::{Groups, Sorter};
use crate::store::writer::ScanWriter;

use super::Error;

/// Tenants looked at together.
const TENANTS: usize = 500;

/// A grant reaches the tenant and is ready.
const COVERS: u8 = 1;
/// A connection of the tenant awaits.
const AWAITS: u8 = 2;

/// The tenants of all grants that were judged.
pub(super) struct Touched {
    /// Nothing else is stored, so that what is noted is all there is.
    is_first: bool,
    sorter: Sorter,
}

impl Touched {
    pub(super) fn new(is_first: bool) -> Self {
        Self { is_first, sorter: Sorter::default() }
    }

    /// Notes a connection as it was, or as it is in a grant that is ready or not.
    pub(super) fn note(&mut self, connection: &Connection, is_ready: bool) -> io::Result<()> {
        let is_present = connection.presence != Presence::Gone;
        let awaits = connection.standing.readiness == Readiness::Awaiting;
        let mark = match (is_present && is_ready, is_present && awaits) {
            (true, false) => COVERS,
            (false, true) => AWAITS,
            (true, true) => COVERS | AWAITS,
            (false, false) => 0,
        };
        if self.is_first && mark == 0 {
            return Ok(());
        }
        self.sorter.push(connection.facts.tenant.0.as_u128(), &[mark])
    }

    /// Settles what is covered in these tenants.
    pub(super) async fn settle(self, writer: &mut ScanWriter) -> Result<(), Error> {
        let mut groups = Groups::of(self.sorter.finish()?)?;
        let mut tenants = Vec::with_capacity(TENANTS);
        while let Some((tenant, marks)) = groups.next_group()? {
            let all = marks.iter().flatten().fold(0, |all, mark| all | mark);
            if self.is_first && all != COVERS | AWAITS {
                continue;
            }
            tenants.push(TenantId(uuid::Uuid::from_u128(tenant)));
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
