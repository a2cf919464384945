//! What became of removals, and Xero's own list with the room under the app's cap: what
//! `status` and `report` say of both.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

/// How many connections stay, and what became of those that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removals {
    /// Present, and ready.
    pub retained: u64,
    pub removed: u64,
    /// A ready grant was seen again.
    pub returned: u64,
    /// Connected again, and still not with what is required.
    pub back_broad: u64,
    /// Their last message was due and they have not come back.
    pub lost: u64,
    /// Neither yet.
    pub awaited: u64,
    /// Of all of them: consented too late to be seen before the removal.
    pub crossed: u64,
}

/// A reading of Xero's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListRead {
    pub read_at: DateTime<Utc>,
    pub outcome: String,
    pub detail: Option<String>,
    pub connections: u64,
    pub tenants: u64,
    pub not_in_inventory: u64,
    pub gone: u64,
    pub unresolved: u64,
}

/// Xero's own list as it was last put to use, and how near the app is to its cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtXero {
    #[serde(flatten)]
    pub list: ListRead,
    /// `None` for a tier without one.
    pub cap: Option<u32>,
    /// Removed tenants that need a place to come back to.
    pub away: u64,
    /// Places that are neither taken nor kept.
    pub left: Option<u64>,
    /// What there is against the last reading, where it was not put to use.
    pub objection: Option<ListRead>,
}

impl Removals {
    /// Nothing where nothing was removed.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        let Self { retained, removed, returned, back_broad, lost, awaited, crossed } = self;
        if *removed == 0 {
            return Ok(());
        }
        writeln!(
            out,
            "{indent}retained {retained} · removed {removed} · returned {returned} · lost {lost}"
        )?;
        writeln!(
            out,
            "{indent}  still awaited {awaited} · back with broad scopes {back_broad} · \
             of all: crossed a consent {crossed}"
        )
    }
}

impl AtXero {
    /// How many tenants there are, of how many, in words.
    #[must_use]
    pub fn room(&self) -> String {
        let tenants = self.list.tenants;
        match (self.cap, self.left) {
            (Some(cap), Some(left)) => {
                format!("{tenants} tenants of at most {cap}, {left} places left")
            }
            _ => format!("{tenants} tenants"),
        }
    }

    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, indent: &str, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
        let ListRead { read_at, connections, not_in_inventory, gone, unresolved, .. } = &self.list;
        let day = |at: &DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
        writeln!(
            out,
            "{indent}Xero's list of {}: {connections} connections, {}",
            day(read_at),
            self.room()
        )?;
        writeln!(
            out,
            "{indent}  not in the inventory {not_in_inventory} · gone there {gone} · \
             without an id and not resolved {unresolved}"
        )?;
        if let Some(ListRead { read_at, outcome, detail, .. }) = &self.objection {
            let why = detail.as_deref().unwrap_or_default();
            writeln!(out, "{indent}  that of {} changed nothing ({outcome}): {why}", day(read_at))?;
        }
        Ok(())
    }
}
