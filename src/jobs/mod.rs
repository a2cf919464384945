//! One run: scan, plan, report; and what its parts share.

pub mod due;
pub mod exit;
mod failure;
pub mod messages;
pub mod planning;
pub mod progress;
pub mod run;
pub mod scan;
pub mod shown;
pub mod sorter;
pub mod workplace;

pub use failure::Failure;
