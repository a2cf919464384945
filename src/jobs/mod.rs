//! One run: scan, plan, report; and what its parts share.

mod announcing;
mod aside;
mod assisting;
pub mod bearings;
pub mod calling;
pub mod confirming;
pub mod due;
pub mod erasing;
pub mod exit;
mod failure;
pub mod firing;
pub mod health;
mod held_run;
pub mod hold;
pub mod holder;
pub mod messages;
pub mod outcomes;
pub mod planning;
pub mod preflight;
pub mod progress;
mod prompt_gates;
mod prompt_step;
pub mod prompting;
pub mod run;
pub mod scan;
mod scan_step;
pub mod scheduler;
pub mod shown;
pub mod shutdown;
pub mod sorter;
pub mod standing;
mod tomorrow;
pub mod weather;
pub mod workplace;

pub use failure::Failure;
pub use held_run::{common_clock, run_span};
