//! Messages: the templates with the longest and oddest data, the link's secret, and the ways
//! that messages go, as far as can be gone without one.

use std::collections::BTreeSet;

use crate::delivery::templates::TemplateProblem;
use crate::jobs::messages::{Signing, Unready, links, occasions, renderer};
use crate::jobs::prompting::Ways;

use super::{Checking, Checks};

impl Checking<'_> {
    pub(super) async fn messages(&self, checks: &mut Checks) {
        self.templates(checks);
        self.link_secret(checks);
        self.ways(checks).await;
    }

    fn templates(&self, checks: &mut Checks) {
        const GROUP: &str = "templates";
        let occasions = occasions(self.config, self.clock.now());
        let problems = match renderer(self.config, Signing::Cut, self.env) {
            Ok(renderer) => renderer.try_templates(&occasions),
            Err(Unready::Templates(problems)) => problems,
            Err(unready) => {
                let (text, remedy) = (unready.to_string(), unready.remedy());
                checks.lacking(self.prompts(), GROUP, "messages", text, remedy);
                return;
            }
        };
        if problems.is_empty() {
            let text =
                format!("{} messages tried with the longest and oddest data", occasions.len());
            checks.fine(GROUP, "messages", text);
        }
        for TemplateProblem { file, line, what, remedy } in problems {
            let place = match line {
                Some(line) => format!("{file}:{line}"),
                None => file,
            };
            checks.lacking(self.prompts(), GROUP, place, what, remedy);
        }
    }

    fn link_secret(&self, checks: &mut Checks) {
        match links(self.config, Signing::Real, self.env) {
            Ok(_) => checks.fine("link", "[link] secrets", "links can be signed"),
            Err(unready) => {
                let what = match unready {
                    Unready::NoReconnectUrl => "[app] reconnect_url",
                    _ => "[link] secrets",
                };
                checks.lacking(self.prompts(), "link", what, unready.to_string(), unready.remedy());
            }
        }
    }

    async fn ways(&self, checks: &mut Checks) {
        let stages = self.config.campaign.stages.iter().flat_map(|stage| &stage.channels);
        let channels: BTreeSet<String> = stages.map(ToString::to_string).collect();
        let ways = Ways::open(self.config, &channels, self.env, None);
        for channel in &channels {
            let (group, what) = match channel.split_once(':') {
                Some((_, name)) => ("webhooks", format!("webhook {name}")),
                None if channel == "file" => ("email", "[file]".to_owned()),
                None => ("email", "[email]".to_owned()),
            };
            if let Some(why) = ways.unusable.get(channel) {
                checks.lacking(self.prompts(), group, what, why.to_string(), why.remedy());
                continue;
            }
            let Some(way) = ways.get(channel) else { continue };
            if channel == "file" {
                checks.fine(group, what, "messages are written to a folder: nobody gets them");
                continue;
            }
            if self.offline {
                checks.fine(group, what, "its secrets are there; not asked, for this is --offline");
                continue;
            }
            if group == "email" {
                let tried = way.try_out().await;
                let fine = "reached and logged in; no message was sent";
                self.tell(
                    tried,
                    (group, what),
                    fine,
                    "compare [email] with what your mail provider says",
                    checks,
                );
            } else if self.webhooks {
                let now = self.clock.now();
                let id = format!("check-{}", now.timestamp());
                let body = format!(
                    r#"{{"type":"check","timestamp":"{}","data":{{}}}}"#,
                    now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
                );
                let tried = way.test_event(&id, body.as_bytes(), now).await;
                let fine = "took a signed test event of the type `check`";
                let remedy = "does the address verify the signature and answer 2xx to types that it does not know? (docs/webhooks.md)";
                self.tell(tried, (group, what), fine, remedy, checks);
            } else {
                checks.fine(
                    group,
                    what,
                    "its secrets are there; `worker check --webhooks` sends it a test event",
                );
            }
        }
    }

    fn tell(
        &self,
        tried: Result<(), String>,
        (group, what): (&'static str, String),
        fine: &str,
        remedy: &str,
        checks: &mut Checks,
    ) {
        match tried {
            Ok(()) => checks.fine(group, what, fine),
            Err(why) => checks.lacking(self.prompts(), group, what, why, remedy),
        }
    }
}
