//! One run: scan, plan, report; and what its parts share.

pub mod confirming;
pub mod due;
pub mod exit;
mod failure;
pub mod outcomes;
pub mod planning;
pub mod preflight;
pub mod progress;
pub mod run;
pub mod scan;
pub mod sorter;
pub mod workplace;

pub use failure::Failure;
