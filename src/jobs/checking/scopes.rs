//! The scopes that are required, and the address that links lead to: what is known without
//! asking, and what Xero and the host's page say.

use crate::domain::advice::Warning;
use crate::domain::row::Flow;
use crate::domain::scopes::{ScopeSet, catalogue};
use crate::jobs::outside::Asked;
use crate::jobs::preflight::{self, Finding, Preflight};
use crate::jobs::workplace::Workplace;
use crate::store;

use super::{Checking, Checks};

const GROUP: &str = "scopes";

impl Checking<'_> {
    pub(super) async fn scopes(&self, workplace: Option<&Workplace>, checks: &mut Checks) {
        let required = self.config.campaign.required;
        for warning in Warning::of(required) {
            let text = format!("{}: {}", warning.scopes.join(" "), warning.text);
            match warning.code {
                // What it says is a hint for whoever chooses, not for whoever has chosen.
                "often_confused" => {}
                _ => checks.doubtful(
                    GROUP,
                    warning.code,
                    text,
                    "may your app have it? docs/xero.md, \"Scopes\"",
                ),
            }
        }
        if catalogue().find("offline_access").is_some_and(|offline| !required.contains(offline)) {
            let text = "without offline_access the app gets no refresh token: access would end after 30 minutes";
            checks.doubtful(
                GROUP,
                "offline_access",
                text,
                "write \"offline_access\" among `required_scopes`",
            );
        }
        if self.offline {
            checks.fine(
                GROUP,
                "required_scopes",
                "all of them exist and may be requested; Xero was not asked",
            );
            return;
        }
        let asked = match preflight::client(self.config.xero.roots.as_deref()).map(Asked::Web) {
            Ok(asked) => asked,
            Err(Finding { text, remedy, .. }) => {
                checks.wrong(GROUP, "https", text, remedy);
                return;
            }
        };
        let Some(workplace) = workplace else { return };
        let preflight = Preflight {
            store: &workplace.store,
            config: self.config,
            now: self.clock.now(),
            asked: Some(&asked),
        };
        if let Err(error) = self.ask(&preflight, &workplace.store, checks).await {
            let remedy = error.remedy().to_string();
            checks.wrong(GROUP, "required_scopes", error.to_string(), remedy);
        }
    }

    /// As a run does before its prompts, and remembered in the same place.
    async fn ask(
        &self,
        preflight: &Preflight<'_>,
        store: &store::Store,
        checks: &mut Checks,
    ) -> Result<(), store::Error> {
        let own: Vec<ScopeSet> = store.own_required_sets().await?;
        match preflight.scopes(&own).await? {
            Some(Finding { text, remedy, .. }) => {
                checks.lacking(self.prompts(), GROUP, "required_scopes", text, remedy);
            }
            None if self.config.app.flow == Flow::Custom => {
                let text = "a custom connection has no consent to ask for: they are set in Xero's developer portal";
                checks.fine(GROUP, "required_scopes", text);
            }
            None => {
                let sets = own.len() + 1;
                checks.fine(
                    GROUP,
                    "required_scopes",
                    format!("Xero accepts them, {sets} sets in all"),
                );
            }
        }
        match preflight.reconnect().await? {
            Some(Finding { text, remedy, .. }) => {
                checks.lacking(self.prompts(), "link", "[app] reconnect_url", text, remedy);
            }
            None => checks.fine("link", "[app] reconnect_url", "the page answers"),
        }
        Ok(())
    }
}
