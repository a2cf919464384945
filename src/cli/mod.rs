//! The commands: parse, call, print.

pub mod format;
pub mod scopes;
