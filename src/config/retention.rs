//! `[retention]`: how long people's data is kept.

use super::table::Table;
use super::value::Days;

/// A year for questions about what was sent and removed.
const DEFAULT_DAYS: u32 = 365;

#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub days_after_deadline: u32,
}

impl Retention {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("retention");
        let days_after_deadline =
            table.get("days_after_deadline").map_or(DEFAULT_DAYS, |Days(days)| days);
        table.finish();
        Self { days_after_deadline }
    }
}
