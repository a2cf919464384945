//! The grants that a plan need not look at. A decision follows from what is known of a grant,
//! what its people were told, the rules, and the time; where it came to nothing at all, it comes
//! to nothing again until one of those is another. Scans say whose connections they change, acts
//! are in the record, and of the time only what opens and closes counts. Messages on their way
//! are no such acts: they go to those whom a plan was about, and leave less to do about them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::domain::decide::Rules;
use crate::jobs::scan::Error;
use crate::store::restless::Footing;

use super::Planning;

impl Planning<'_> {
    /// What this plan is made by and on, but for what passes with the hours of the day: those
    /// only stop what is to be done. `None` while removals may come due by themselves.
    pub(super) async fn made_by(&self) -> Result<Option<(String, Footing)>, Error> {
        let rules = &self.rules;
        if self.removals && rules.removal_window_is_open() {
            return Ok(None);
        }
        let footing = self.store.footing().await?;
        let due: Vec<&str> =
            rules.campaign.due_stages(rules.now).iter().map(|it| &*it.name).collect();
        let is_over = rules.now >= rules.campaign.deadline;
        let (prompts, removals) = (self.prompts, self.removals);
        let rules = Rules { now: rules.founded_at, ..*rules };
        let mut text = String::from(env!("SOURCES"));
        let _ = write!(text, "{due:?} {is_over} {prompts} {removals} {} ", self.edition);
        let _ = write!(text, "{} {rules:?}", footing.acts);
        let mut digest = String::with_capacity(64);
        for byte in Sha256::digest(text) {
            let _ = write!(digest, "{byte:02x}");
        }
        Ok(Some((digest, footing)))
    }
}
