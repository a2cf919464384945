//! Before anybody is written to: does Xero accept what the link will ask for, and does the
//! address behind the link answer? One refused scope breaks the consent for everybody.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use reqwest::Client;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::domain::reason::Code;
use crate::domain::row::Flow;
use crate::domain::scopes::{Scope, ScopeSet};
use crate::store::preflights::PreflightRecord;
use crate::store::{self, Store};
use crate::web;
use crate::xero::authorise::{App, Verdict};

use super::outside::Asked;

/// How long Xero or the host's page may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

const SCOPES: &str = "scopes";
const RECONNECT: &str = "reconnect";

/// Something that does not work and that messages would rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub text: String,
    pub remedy: String,
}

/// The checks of one run.
pub struct Preflight<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    pub now: DateTime<Utc>,
    /// `None` asks nobody and only tells what failed the last time.
    pub asked: Option<&'a Asked>,
}

/// The client that the checks use; `roots` are trusted beside the system's.
///
/// # Errors
/// The roots of trust cannot be read.
pub fn client(roots: Option<&Path>) -> Result<Client, Finding> {
    let roots = roots.map(web::roots).transpose().map_err(|error| {
        failed(error.to_string(), "name a PEM file as `roots` under [xero], or leave it out")
    })?;
    web::client(PATIENCE, roots.unwrap_or_default()).map_err(|error| {
        let text = format!("nothing can be asked over HTTPS: {}", web::trouble(error));
        failed(text, "install the root certificates (ca-certificates)")
    })
}

fn failed(text: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { code: Code::PreflightFailed, text: text.into(), remedy: remedy.into() }
}

impl Preflight<'_> {
    /// Everything that is wrong; nothing when messages may go out. `own` are the required
    /// scopes that rows bring along.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn check(&self, own: &[ScopeSet]) -> Result<Vec<Finding>, store::Error> {
        let mut findings = Vec::new();
        findings.extend(self.scopes(own).await?);
        findings.extend(self.reconnect().await?);
        Ok(findings)
    }

    /// Whether Xero accepts every required scope: asked once for a configuration and day,
    /// after a failure anew with each run.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn scopes(&self, own: &[ScopeSet]) -> Result<Option<Finding>, store::Error> {
        let app = &self.config.app;
        if app.flow == Flow::Custom {
            return Ok(None);
        }
        let Some(redirect_uri) = &app.redirect_uri else {
            return Ok(Some(failed(
                "whether Xero accepts the required scopes cannot be asked without [app] redirect_uri",
                "write the app's redirect address as `redirect_uri` under [app]",
            )));
        };
        let xero = App {
            login: self.config.xero.login.clone(),
            client_id: app.client_id.clone(),
            redirect_uri: redirect_uri.clone(),
            pkce: app.flow == Flow::Pkce,
        };
        let consents = consents(self.config.campaign.required, own);
        let mut asked = vec![
            xero.login.to_string(),
            xero.client_id.clone(),
            xero.redirect_uri.to_string(),
            xero.pkce.to_string(),
        ];
        asked.extend(consents.iter().map(|scopes| scopes.canonical()));
        let configuration = hash(&asked);
        if let Some(last) = self.last(SCOPES, &configuration).await? {
            if last.passed && last.day == self.today() {
                return Ok(None);
            }
            if self.asked.is_none() {
                return Ok(stored(last));
            }
        }
        let Some(whom) = self.asked else { return Ok(None) };
        let mut finding = None;
        for scopes in consents {
            finding = of_verdict(whom.about_scopes(&xero, scopes).await, scopes);
            if finding.is_some() {
                break;
            }
        }
        self.note(SCOPES, configuration, finding.as_ref()).await?;
        Ok(finding)
    }

    /// Whether the address behind the links answers: asked each time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn reconnect(&self) -> Result<Option<Finding>, store::Error> {
        let Some(address) = &self.config.app.reconnect_url else {
            return Ok(Some(failed(
                "there is nothing that a link could lead to: [app] reconnect_url is not written",
                "write the address of your page as `reconnect_url` under [app]",
            )));
        };
        let configuration = hash(&[address.with_token("{token}")]);
        let Some(asked) = self.asked else {
            return Ok(self.last(RECONNECT, &configuration).await?.and_then(stored));
        };
        let answered = asked.about_reconnecting(|token| address.with_token(token)).await;
        let finding = answered.err().map(|why| {
            failed(
                format!("the address of [app] reconnect_url does not answer: {why}"),
                "bring the page up, or correct the address: nothing is sent until it answers",
            )
        });
        self.note(RECONNECT, configuration, finding.as_ref()).await?;
        Ok(finding)
    }

    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.config.campaign.zone).date_naive()
    }

    /// The last result, if it was of this configuration.
    async fn last(
        &self,
        subject: &str,
        configuration: &str,
    ) -> Result<Option<PreflightRecord>, store::Error> {
        let last = self.store.preflight(subject).await?;
        Ok(last.filter(|last| last.configuration == configuration))
    }

    async fn note(
        &self,
        subject: &str,
        configuration: String,
        finding: Option<&Finding>,
    ) -> Result<(), store::Error> {
        let record = PreflightRecord {
            subject: subject.to_owned(),
            configuration,
            day: self.today(),
            passed: finding.is_none(),
            detail: finding.map(|finding| finding.text.clone()).unwrap_or_default(),
            checked_at: self.now,
        };
        self.store.note_preflight(&record).await
    }
}

/// What a dry run tells of the last check.
fn stored(last: PreflightRecord) -> Option<Finding> {
    let at = last.checked_at.format("%Y-%m-%d %H:%M UTC");
    (!last.passed)
        .then(|| failed(format!("{} (at {at})", last.detail), "the next real run looks again"))
}

fn of_verdict(verdict: Verdict, scopes: ScopeSet) -> Option<Finding> {
    match verdict {
        Verdict::Accepted => None,
        Verdict::Refused { scopes: refused } if refused.is_empty() => Some(failed(
            format!("Xero refuses these scopes together, though none of them alone: {scopes}"),
            "see docs/xero.md, \"Authorising\", for scopes that cannot share a consent",
        )),
        Verdict::Refused { scopes: refused } => {
            let names: Vec<&str> = refused.into_iter().map(Scope::name).collect();
            Some(failed(
                format!("Xero refuses to ask a user for: {}", names.join(", ")),
                "may the app have it, and is [app] redirect_uri registered for it? correct \
                 `required_scopes` or the app's settings at developer.xero.com",
            ))
        }
        Verdict::Unclear { why } => Some(failed(
            format!("whether Xero accepts the required scopes could not be told: {why}"),
            "is [xero] login reachable from here? the next run asks again",
        )),
    }
}

/// The consents that will be asked for: all in one, but for the family that Xero allows in no
/// consent with others (docs/xero.md, "Authorising").
fn consents(campaign: ScopeSet, own: &[ScopeSet]) -> Vec<ScopeSet> {
    let is_practice =
        |set: &ScopeSet| set.iter().any(|one| one.name().starts_with("practicemanager"));
    let mut with = ScopeSet::EMPTY;
    let mut without = ScopeSet::EMPTY;
    for set in own.iter().chain([&campaign]) {
        let kind = if is_practice(set) { &mut with } else { &mut without };
        *kind = kind.union(*set);
    }
    [without, with].into_iter().filter(|set| !set.is_empty()).collect()
}

fn hash(parts: &[String]) -> String {
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::ScopeText;

    #[test]
    fn families_that_cannot_share_a_consent_are_asked_for_apart() {
        let set = |text: &str| ScopeText::read(text).set;
        let campaign = set("offline_access accounting.invoices");
        let own = [
            set("offline_access accounting.contacts"),
            set("offline_access practicemanager.client.read"),
        ];
        let asked: Vec<String> =
            consents(campaign, &own).into_iter().map(ScopeSet::canonical).collect();
        assert_eq!(asked[0], "accounting.contacts accounting.invoices offline_access");
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(consents(campaign, &[]), [campaign]);
    }
}
