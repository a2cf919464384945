//! `[file]`: the folder that the channel `file` writes messages to.

use std::path::PathBuf;

use super::table::Table;

/// Beside jobs.toml.
const DEFAULT_FOLDER: &str = "outbox";

#[derive(Clone, Debug)]
pub struct MailFolder {
    pub folder: PathBuf,
}

impl MailFolder {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("file");
        let folder = table.get::<String>("folder");
        let folder = table.reading().resolve(folder.as_deref().unwrap_or(DEFAULT_FOLDER));
        table.finish();
        Self { folder }
    }
}
