//! Counts of connections by what is known of them.

use super::class::Class;

/// How many connections there are of each kind. Gone and removed ones stand outside the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub connections: u64,
    pub broad_only: u64,
    pub mixed: u64,
    pub granular: u64,
    pub unaffected: u64,
    pub unknown: u64,
    pub ready: u64,
    pub awaiting: u64,
    pub covered: u64,
    pub manual: u64,
    pub unreachable: u64,
    pub token_behind: u64,
    pub gone: u64,
    /// Connections that the campaign removed, whatever became of them.
    pub removed: u64,
    /// Tenants that lost a connection so, and of which a ready grant was seen afterwards.
    pub returned: u64,
    /// Of the removed ones, those that the host still lists; counted for the guard alone.
    pub removed_listed: u64,
    /// Part of `connections`: those known from earlier whose row is bad now.
    pub row_bad: u64,
}

impl Tally {
    /// Present connections of a class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> u64 {
        match class {
            Class::BroadOnly => self.broad_only,
            Class::Mixed => self.mixed,
            Class::Granular => self.granular,
            Class::Unaffected => self.unaffected,
            Class::Unknown => self.unknown,
        }
    }
}
