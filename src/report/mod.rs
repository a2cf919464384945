//! Results, as documents and for people.

pub mod plan;
pub mod progress;
pub mod pseudonym;
