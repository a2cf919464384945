//! Results, as documents and for people.

pub mod advice;
pub mod aftermath;
pub mod anomalies;
pub mod calendar;
pub mod calendar_text;
pub mod chart;
pub mod csv;
pub mod document;
pub mod form;
mod html;
pub mod metrics;
pub mod plan;
pub mod plan_text;
pub mod progress;
pub mod pseudonym;
pub mod publish;
pub mod text;
pub mod together;

pub use html::simulated::write as calendar_html;
