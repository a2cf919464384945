//! HTTP to Xero. Knows neither the store nor mail.

pub mod answer;
pub mod authorise;
pub mod client;
pub mod connections;
pub mod error;
pub mod limits;
mod list;
mod own;
pub mod token;
