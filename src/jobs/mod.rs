//! One run: scan, plan, report; and what its parts share.

mod announcing;
mod aside;
pub mod bearings;
pub mod calling;
pub mod checking;
pub mod confirming;
pub mod drawing_up;
pub mod due;
pub mod erasing;
pub mod exit;
mod failure;
mod gates;
pub mod messages;
pub mod outcomes;
pub mod planning;
pub mod preflight;
pub mod progress;
mod prompt_gates;
mod prompt_step;
pub mod prompting;
pub mod reconciling;
mod remove_gates;
mod remove_step;
pub mod removing;
mod returning;
pub mod run;
pub mod scan;
pub mod shown;
pub mod signals;
pub mod sorter;
mod tomorrow;
pub mod workplace;

pub use failure::Failure;
