//! One run: scan, decide, report; and what its parts share.

pub mod progress;
pub mod scan;
pub mod sorter;
