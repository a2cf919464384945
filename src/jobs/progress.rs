//! Watching a long step from outside: a progress bar on a terminal, events elsewhere.

use crate::inventory::Progress;

/// Is told how far a run is. Called often; what it does with it must be cheap.
pub trait Watcher: Send + Sync {
    /// Rows of the inventory read so far.
    fn reading(&self, rows: u64, progress: Progress);
    /// Connections judged so far, of those that are new or changed.
    fn settling(&self, connections: u64);
    /// Awaiting grants decided about so far.
    fn deciding(&self, grants: u64);
    /// Prompts in hand so far, of those planned.
    fn sending(&self, _prompts: u64, _total: u64) {}
    /// So many of the planned removals were begun.
    fn removing(&self, _removals: u64, _total: u64) {}
    /// The step is over.
    fn done(&self);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn reading(&self, _: u64, _: Progress) {}
    fn settling(&self, _: u64) {}
    fn deciding(&self, _: u64) {}
    fn done(&self) {}
}
