//! HTTP to Xero. Knows neither the store nor mail.

pub mod authorise;
pub mod connections;
pub mod error;
