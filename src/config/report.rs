//! `[report]`: what the campaign is measured by.

use super::table::Table;
use super::value::Percent;

/// Nine in ten follow where a campaign goes well; the last of them take most of the work.
const DEFAULT_TARGET: f64 = 95.0;

#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The share that is to be ready at the deadline.
    pub target_percent: f64,
}

impl Report {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("report");
        let target = table.get("target_percent").map(|Percent(percent)| percent);
        table.finish();
        Self { target_percent: target.unwrap_or(DEFAULT_TARGET) }
    }
}
