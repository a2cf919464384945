//! Everything that reads or writes, in one test binary.

mod documents;
mod inventory_files;
mod inventory_kinds;
mod inventory_sql;
mod read_only;
mod support;
mod transcripts;
