//! What a jobs.toml says that can be read and still be a mistake.

use chrono::NaiveDate;

use crate::config::Source;
use crate::domain::row::Flow;

use super::{Checking, Checks};

const GROUP: &str = "configuration";

/// Apps from this day on never had broad scopes (docs/xero.md, "Dates").
pub(super) const GRANULAR_ONLY: Option<NaiveDate> = NaiveDate::from_ymd_opt(2026, 3, 2);

/// The latest day that Xero has named (docs/xero.md, "Dates").
const LATEST_DEADLINE: Option<NaiveDate> = NaiveDate::from_ymd_opt(2027, 9, 27);

/// The client id of the example.
const PLACEHOLDER: &str = "0123456789ABCDEF0123456789ABCDEF";

impl Checking<'_> {
    pub(super) fn configuration(&self, checks: &mut Checks) {
        let app = &self.config.app;
        if self.is_builtin {
            let text = "this is the embedded example, of a company that does not exist";
            checks.doubtful(GROUP, "jobs.toml", text, "`worker init` writes one to begin with");
        } else {
            checks.fine(GROUP, "jobs.toml", format!("read; for {}", app.name));
        }
        let effects = self.prompts() || self.removes();
        if app.client_id.eq_ignore_ascii_case(PLACEHOLDER) {
            let text = "this is the example's client id";
            let remedy = "write your app's, from developer.xero.com, as `client_id` under [app]";
            checks.doubtful(GROUP, "[app] client_id", text, remedy);
        }
        for (what, host) in [
            ("[app] redirect_uri", app.redirect_uri.as_ref().and_then(|url| url.host_str())),
            (
                "[[webhooks]] url",
                self.config.webhooks.iter().find_map(|webhook| webhook.url.host_str()),
            ),
        ] {
            if host.is_some_and(|host| host.ends_with(".example")) {
                let text = "the address ends in .example, which leads nowhere";
                checks.doubtful(GROUP, what, text, "write your own address");
            }
        }
        self.deadline(effects, checks);
        self.policies(checks);
        if app.flow == Flow::Pkce && self.removes() {
            let text =
                "a PKCE app has no client credentials, and removals need a token of the app's own";
            let remedy = "write `enabled = false` under [removal]: everything else works without (docs/special.md)";
            checks.wrong(GROUP, "[app] flow", text, remedy);
        }
        if app.flow == Flow::Custom && effects {
            let text = "custom connections are edited in Xero's developer portal: nobody is prompted and nothing removed";
            let remedy = "`worker checklist list` tells what a person has to do";
            checks.doubtful(GROUP, "[app] flow", text, remedy);
        }
    }

    fn deadline(&self, effects: bool, checks: &mut Checks) {
        let campaign = &self.config.campaign;
        let day = campaign.deadline_day();
        if campaign.deadline <= self.clock.now() {
            let text =
                format!("the deadline, {day}, has passed: only stages with days_after go out");
            let remedy = "write the day that holds today as `deadline` under [campaign]";
            checks.lacking(effects, GROUP, "[campaign] deadline", text, remedy);
        } else if LATEST_DEADLINE.is_some_and(|latest| day > latest) {
            let text = format!(
                "{day} is later than any day that Xero had named by November 2026 (13 September 2027)"
            );
            let remedy = "has it moved? if so, all is well; else write `deadline = 2027-09-13`";
            checks.doubtful(GROUP, "[campaign] deadline", text, remedy);
        } else {
            checks.fine(GROUP, "[campaign] deadline", format!("{day}"));
        }
    }

    fn policies(&self, checks: &mut Checks) {
        let prompts = &self.config.prompts;
        if prompts.enabled {
            if !prompts.only_to.is_empty() {
                let text = format!("prompts go to nobody but {}", prompts.only_to.join(" "));
                checks.doubtful(
                    GROUP,
                    "[prompts] only_to",
                    text,
                    "empty the list when the trial is over",
                );
            }
            for (key, cap) in
                [("max_per_run", prompts.max_per_run), ("max_per_day", prompts.max_per_day)]
            {
                if cap == Some(0) {
                    let text = "prompts are switched on, and a cap of zero lets none out";
                    checks.wrong(
                        GROUP,
                        format!("[prompts] {key}"),
                        text,
                        format!("write `{key} = 500`, or how many you want"),
                    );
                }
            }
        } else {
            checks.fine(GROUP, "[prompts]", "switched off: nobody is written to");
        }
        let Some(removal) = self.config.removal.as_ref().filter(|removal| removal.enabled) else {
            checks.fine(GROUP, "[removal]", "switched off: nothing is removed");
            return;
        };
        if !matches!(self.config.inventory.source, Source::Sql { .. } | Source::Table) {
            let text = "removals need an inventory that can be looked at again right before: a file may be stale";
            let remedy = "use `kind = \"sql\"` or `\"table\"` under [inventory], or write `enabled = false` under [removal]";
            checks.wrong(GROUP, "[inventory] kind", text, remedy);
        }
        if !prompts.enabled {
            let text =
                "removals are switched on and prompts are not: whoever was not told is not removed";
            let remedy = "write `enabled = true` under [prompts], unless you tell people by your own means (docs/commands.md, \"due\")";
            checks.doubtful(GROUP, "[removal]", text, remedy);
        }
        for (key, cap) in
            [("max_per_run", removal.max_per_run), ("max_per_day", removal.max_per_day)]
        {
            if cap == Some(0) {
                let text = "removals are switched on, and a cap of zero lets none happen";
                checks.wrong(
                    GROUP,
                    format!("[removal] {key}"),
                    text,
                    format!("write `{key} = 50`, or how many you want"),
                );
            }
        }
    }
}
