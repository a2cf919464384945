//! The shipped jobs.toml.
