//! Everything that reads or writes, in one test binary.

mod bad_databases;
mod bad_files;
mod dry_run;
mod dry_run_postgres;
mod inventory_files;
mod inventory_kinds;
mod inventory_sql;
mod killed;
mod kinds;
mod progress_event;
mod support;
