//! What a worker that removes has in hand, and how far it is.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::jobs::Failure;
use crate::store::removals::{Ended, Leased, Wanted};

use super::act::AT_ONCE;
use super::stop::Stop;
use super::verdict::released;

/// What became of a run's removals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub done: usize,
    /// Attempts that failed, or of which nobody knows.
    pub failures: usize,
    /// Held back only when it was their turn.
    pub held_back: usize,
    /// Not any more what was planned.
    pub dropped: usize,
}

/// A removal that may go.
pub(super) struct Ready {
    pub leased: Leased,
    pub looked_at: DateTime<Utc>,
    /// How often it was looked at.
    pub looks: u32,
}

/// What is in hand.
#[derive(Default)]
pub(super) struct State {
    pub works: VecDeque<Wanted>,
    pub ready: VecDeque<Ready>,
    /// When the first of them has its turn.
    pub next_turn: Option<DateTime<Utc>>,
    /// Have to be looked at again, after so many times.
    pub again: Vec<(Leased, u32)>,
    pub ended: Vec<Ended>,
    pub flying: BTreeMap<Uuid, Leased>,
    /// How many were begun.
    pub begun: u64,
    pub lost_in_a_row: usize,
    pub totals: Totals,
    pub stop: Option<Stop>,
    pub cap: Option<String>,
    pub failure: Option<Failure>,
    pub is_filling: bool,
}

impl State {
    pub fn in_hand(&self) -> u64 {
        (self.ready.len() + self.again.len()) as u64
    }

    pub fn is_done(&self) -> bool {
        let is_over = self.stop.is_some() || (self.works.is_empty() && self.again.is_empty());
        let is_empty = self.ready.is_empty() && self.again.is_empty() && self.ended.is_empty();
        is_over && is_empty && self.flying.is_empty() && !self.is_filling
    }

    pub fn wants_more(&self, batch: usize) -> bool {
        self.stop.is_none()
            && !self.is_filling
            && self.ready.len() < AT_ONCE.min(batch)
            && !(self.works.is_empty() && self.again.is_empty())
    }

    /// Puts what has not gone back where it came from.
    pub fn give_back(&mut self, now: DateTime<Utc>) {
        let ready = std::mem::take(&mut self.ready).into_iter().map(|ready| ready.leased);
        let again = std::mem::take(&mut self.again).into_iter().map(|(leased, _)| leased);
        let all = ready.chain(again);
        self.ended.extend(all.map(|leased| released(&leased, None, now)));
    }
}
