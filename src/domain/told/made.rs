//! When a connection was made: a notice counts for no other one.

use chrono::{DateTime, Utc};

use super::Telling;
use crate::domain::connection::Connection;
use crate::domain::removal::InXero;

/// When a connection was made, by the host and by Xero's own list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    by_host: Option<DateTime<Utc>>,
    by_xero: Option<DateTime<Utc>>,
}

impl Made {
    #[must_use]
    pub fn of(connection: &Connection, in_xero: InXero) -> Self {
        Self {
            by_host: connection.facts.connected_at,
            by_xero: in_xero.listed().and_then(|listed| listed.created_at),
        }
    }

    /// What a prompt is told for: what the host says, else Xero's date.
    #[must_use]
    pub fn at(self) -> Option<DateTime<Utc>> {
        self.by_host.or(self.by_xero)
    }

    /// Whether it is still the connection that was told of. A date that became known since is
    /// no other one, if it is from before the telling.
    pub(super) fn is_as_told(self, telling: &Telling) -> bool {
        let is_before = |at: DateTime<Utc>| at <= telling.sent_at;
        match telling.connected_at {
            Some(told) if self.by_xero == Some(told) => true,
            Some(told) => self.by_host == Some(told) && self.by_xero.is_none_or(is_before),
            None => [self.by_host, self.by_xero].into_iter().flatten().all(is_before),
        }
    }
}
