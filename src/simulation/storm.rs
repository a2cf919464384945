//! What goes wrong for the worker beside what customers and Xero do: its process dies, its
//! inventory flaps, the host's page is down.

use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::forecast::Chance;
use crate::inventory::KeptRow;

use super::chance::{Seed, happens};
use super::xero::{Call, Fault};

/// How long it is until a message comes back whose server accepted it.
const COMES_BACK: TimeDelta = TimeDelta::minutes(40);
/// Some servers try for days before they give up.
const MOST_DAYS: f64 = 9.0;
/// Of the removals without an answer, so many never reached Xero.
const WITHOUT_EFFECT: f64 = 0.4;
/// What a 429 says to wait.
const LIMITED_SECONDS: u32 = 5;

/// When the worker's process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Effects that it gets through before.
    pub after: u64,
    /// The last one takes effect, and it never learns of it.
    pub is_done: bool,
}

/// What Xero does from the first removal on that it is asked for, up to the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It does what it is asked for, and answers nothing any more.
    Mute,
    /// It wants to be asked later.
    Later,
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
    pub silence: Option<Silence>,
    /// A removal was asked for since.
    is_silent: bool,
    /// Of removals without an answer, some had no effect.
    pub is_unsure: bool,
    /// Some mail comes back after days.
    pub is_late: bool,
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

    /// Lets pass what lasts no longer than a run. Whether nothing of it is left.
    pub fn passes(&mut self) -> bool {
        self.left_out = 0;
        self.is_page_down = false;
        self.is_list_empty = false;
        if std::mem::take(&mut self.is_silent) {
            self.silence = None;
        }
        self.silence.is_none()
    }

    /// What becomes of a call while Xero is silent.
    pub fn hush(&mut self, call: Call) -> Option<Fault> {
        let silence = self.silence?;
        self.is_silent |= call == Call::Delete;
        self.is_silent.then_some(match (silence, call) {
            (Silence::Mute, Call::Delete) => Fault::Lost,
            (Silence::Mute, _) => Fault::Reset,
            (Silence::Later, _) => {
                Fault::Limit { problem: Some("minute"), after: Some(LIMITED_SECONDS) }
            }
        })
    }

    /// What becomes of a removal that is not answered.
    pub fn lost(&self, chance: &mut Chance) -> Fault {
        match self.is_unsure && happens(chance, WITHOUT_EFFECT) {
            true => Fault::Reset,
            false => Fault::Lost,
        }
    }

    /// How long it is until a message comes back.
    pub fn comes_back(&self, seed: Seed, prompt: Uuid) -> TimeDelta {
        let mut chance = seed.about("comes back", &prompt.to_string());
        if !self.is_late || happens(&mut chance, 0.5) {
            return COMES_BACK;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a few hours")]
        let hours = (chance.even() * MOST_DAYS * 24.0) as i64;
        COMES_BACK + TimeDelta::hours(hours)
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
