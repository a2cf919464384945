//! HTTP to Xero. Knows neither the store nor mail.

pub mod authorise;
