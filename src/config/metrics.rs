//! `[metrics]`: where `run-once` leaves its metrics for a node exporter.

use std::path::PathBuf;

use super::table::Table;

#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Written after each run.
    pub textfile: Option<PathBuf>,
}

impl Metrics {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("metrics");
        let textfile = table.get::<String>("textfile");
        let textfile = textfile.map(|path| table.reading().resolve(&path));
        table.finish();
        Self { textfile }
    }
}
