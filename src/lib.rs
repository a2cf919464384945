//! Moves an app's Xero connections from broad to granular OAuth scopes.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod inventory;
pub mod jobs;
pub mod report;
pub mod schedule;
pub mod store;
pub mod telemetry;
