//! Everything that reads or writes, in one test binary.

mod documents;
mod inventory_files;
mod inventory_kinds;
mod inventory_sql;
mod read_only;
mod scan_bad_rows;
mod scan_grants;
mod scan_guard;
mod scan_oracle;
mod scan_presence;
mod scan_stories;
mod scan_together;
mod scan_volume;
mod schema;
mod store_basics;
mod store_connections;
mod store_reads;
mod store_scans;
mod support;
mod transcripts;
