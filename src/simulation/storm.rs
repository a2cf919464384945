//! What goes wrong for the worker beside what customers and Xero do: its process dies, its
//! inventory flaps, the host's page is down.

use std::sync::Arc;

use crate::inventory::KeptRow;

/// When the worker's process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Effects that it gets through before.
    pub after: u64,
    /// The last one takes effect, and it never learns of it.
    pub is_done: bool,
}

/// Everything that is wrong at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Storm {
    pub crash: Option<Crash>,
    /// Effects since the crash was set.
    effects: u64,
    /// So many of every ten rows are left out of the inventory.
    pub left_out: usize,
    pub is_page_down: bool,
    pub is_list_empty: bool,
}

impl Storm {
    /// Sets when the process dies.
    pub fn will_crash(&mut self, crash: Crash) {
        (self.crash, self.effects) = (Some(crash), 0);
    }

    /// Whether it dies now, right before an effect, or right after it.
    pub fn crashes(&mut self, is_done: bool) -> bool {
        let Some(crash) = self.crash else { return false };
        let is_it = self.effects == crash.after && is_done == crash.is_done;
        if is_done {
            self.effects += 1;
        }
        if is_it {
            self.crash = None;
        }
        is_it
    }

    /// What is to be had of an inventory.
    pub fn spoil(&self, rows: Vec<Arc<KeptRow>>) -> Vec<Arc<KeptRow>> {
        if self.left_out == 0 {
            return rows;
        }
        let is_there = |(at, _): &(usize, Arc<KeptRow>)| at % 10 >= self.left_out;
        rows.into_iter().enumerate().filter(is_there).map(|(_, row)| row).collect()
    }
}
