//! How far a long step is: a bar on a terminal, `progress` events elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::inventory::Progress;
use crate::jobs::progress::Watcher;
use crate::telemetry::Terminal;

/// Time between two events.
const EVERY: Duration = Duration::from_secs(5);
/// Calls between two looks at the clock.
const CALLS: u32 = 8;

/// Watches a run.
pub(super) struct Watch {
    terminal: Terminal,
    state: Mutex<State>,
}

struct State {
    bar: Option<ProgressBar>,
    step: &'static str,
    began: Instant,
    told: Instant,
    calls: u32,
}

impl Watch {
    pub(super) fn new(terminal: Terminal) -> Self {
        let now = Instant::now();
        let state = State { bar: None, step: "", began: now, told: now, calls: 0 };
        Self { terminal, state: Mutex::new(state) }
    }

    /// Days of campaigns that are played, of all that are to be.
    pub(super) fn simulating(&self, days: u64, total: u64) {
        self.tell("simulating", days, Some(total), "days");
    }

    fn tell(&self, step: &'static str, done: u64, total: Option<u64>, unit: &'static str) {
        let Ok(mut state) = self.state.lock() else { return };
        let now = Instant::now();
        if state.step != step {
            if let Some(bar) = state.bar.take() {
                bar.finish_and_clear();
            }
            (state.step, state.began, state.told, state.calls) = (step, now, now, 0);
        }
        state.calls += 1;
        if !state.calls.is_multiple_of(CALLS) {
            return;
        }
        if self.terminal.is_watched() {
            let terminal = &self.terminal;
            let bar = state.bar.get_or_insert_with(|| terminal.bars().add(new_bar(step, total)));
            bar.set_position(done);
        } else if now.duration_since(state.told) >= EVERY {
            state.told = now;
            let elapsed = now.duration_since(state.began);
            let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let left_ms = total.filter(|_| done > 0).map(|total| {
                u128::from(elapsed_ms) * u128::from(total.saturating_sub(done)) / u128::from(done)
            });
            let members = serde_json::json!({
                "step": step, "done": done, "total": total, "unit": unit,
                "elapsed_ms": elapsed_ms, "left_ms": left_ms,
            });
            tracing::info!(members = members.to_string(), "progress");
        }
    }
}

fn new_bar(step: &'static str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    let template = match total {
        Some(_) => "{prefix:>18} [{bar:32}] {percent:>3}%  {elapsed} gone, {eta} left",
        None => "{prefix:>18} {spinner} {human_pos}  {elapsed} gone",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(step)
}

impl Watcher for Watch {
    fn reading(&self, _rows: u64, progress: Progress) {
        match progress {
            Progress::Bytes { read, total } => self.tell("reading inventory", read, total, "bytes"),
            Progress::Rows { read } => self.tell("reading inventory", read, None, "rows"),
        }
    }

    fn settling(&self, connections: u64) {
        self.tell("classifying", connections, None, "connections");
    }

    fn deciding(&self, grants: u64) {
        self.tell("deciding", grants, None, "grants");
    }

    fn sending(&self, prompts: u64, total: u64) {
        self.tell("prompting", prompts, Some(total), "prompts");
    }

    fn removing(&self, removals: u64, total: u64) {
        self.tell("removing", removals, Some(total), "removals");
    }

    fn done(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        state.step = "";
    }
}
