//! Moves an app's Xero connections from broad to granular OAuth scopes.

pub mod config;
pub mod domain;
pub mod schedule;
