//! The database: is it there, does it fit, may it be used, is it the right one?

use crate::jobs::workplace::{Workplace, database};
use crate::store;
use crate::store::rights::Layers;

use super::{Checking, Checks};

const GROUP: &str = "database";

impl Checking<'_> {
    /// Opens it as it is. `None` where nothing that needs it can be looked at.
    pub(super) async fn database(&self, checks: &mut Checks) -> Option<Workplace> {
        if let Ok(store::Database::Sqlite(path)) = database(self.config)
            && let Some(directory) = path.parent()
            && !directory.as_os_str().is_empty()
            && !directory.is_dir()
        {
            let text = format!("the directory {} is not there", directory.display());
            checks.wrong(GROUP, "[database] url", text, "make it, or name another place");
            return None;
        }
        let workplace = match Workplace::as_it_is(self.config, self.keys).await {
            Ok(workplace) => workplace,
            Err(error) => {
                let remedy = error.remedy().to_string();
                checks.wrong(GROUP, "[database] url", error.to_string(), remedy);
                return None;
            }
        };
        if workplace.is_private() {
            checks.fine(
                GROUP,
                "[database] url",
                "there is none yet: the first `worker run-once` makes it",
            );
            return Some(workplace);
        }
        if let Err(error) = self.in_use(&workplace, checks).await {
            let remedy = error.remedy().to_string();
            checks.wrong(GROUP, "tables", error.to_string(), remedy);
        }
        Some(workplace)
    }

    async fn in_use(&self, workplace: &Workplace, checks: &mut Checks) -> Result<(), store::Error> {
        let store = &workplace.store;
        let missing =
            store.missing_rights(Layers { sends: self.prompts(), removes: self.removes() }).await?;
        if missing.is_empty() {
            // Dropped at once: nothing is written.
            drop(store.begin().await?);
            checks.fine(
                GROUP,
                "[database] url",
                "there, of the right schema, and may be written to",
            );
        } else {
            let text = format!("this user lacks rights: {}", missing.join(", "));
            checks.wrong(
                GROUP,
                "rights",
                text,
                "grant them: docs/database.md, \"Rights\", has the statements",
            );
        }
        match workplace.home_moved().await? {
            Some(moved) => {
                let remedy = "if nothing was sent from another since: worker confirm database --by NAME --note TEXT";
                let effects = self.prompts() || self.removes();
                checks.lacking(effects, GROUP, "home", moved.text, remedy);
            }
            None => checks.fine(GROUP, "home", "the one that was used before"),
        }
        if let Some(pause) = store.pause_in_force().await? {
            let text = format!("everything is paused by {}: {}", pause.by, pause.reason);
            checks.doubtful(
                GROUP,
                "pause",
                text,
                "worker resume --by NAME, when the reason is gone",
            );
        }
        match store.last_complete_scan().await? {
            Some(last) => {
                let at = last.finished_at.with_timezone(&self.config.campaign.zone);
                checks.fine(
                    GROUP,
                    "scans",
                    format!("the last complete one of {}", at.format("%Y-%m-%d %H:%M")),
                );
            }
            None => {
                let text =
                    "no complete scan yet: the next run scans and reports and does nothing else";
                checks.doubtful(GROUP, "scans", text, "worker run-once");
            }
        }
        Ok(())
    }
}
