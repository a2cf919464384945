//! Results, as documents and for people.

pub mod advice;
pub mod metrics;
pub mod plan;
pub mod plan_text;
pub mod progress;
pub mod pseudonym;
