//! `[link]`: what signs the links in messages.

use super::secret::SecretRef;
use super::table::Table;

#[derive(Clone, Debug)]
pub struct Link {
    /// The first signs, all verify.
    pub secrets: Vec<SecretRef>,
}

impl Link {
    /// Reads the table; without one nothing can be signed.
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("link");
        let secrets = table.items("secrets");
        table.finish();
        Self { secrets }
    }
}
