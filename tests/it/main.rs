//! Everything that reads or writes, in one test binary.

mod inventory_files;
mod inventory_kinds;
mod inventory_sql;
mod support;
