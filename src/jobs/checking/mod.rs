//! Goes through everything that a campaign needs, and says of each thing: fine, doubtful or
//! wrong, why, and what to do (docs/check.md). One file for each group of things. What a run
//! relies on is asked by the same code as in a run.

mod configuration;
mod confirmations;
mod database;
mod fitting;
mod inventory;
mod messages;
mod schedules;
mod scopes;
mod xero;

use std::ffi::OsString;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::store::settings::Keys;

use super::exit::Exit;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Fine,
    /// It may be meant so.
    Doubtful,
    /// It does not work, or something that is switched on would not.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub group: &'static str,
    pub what: String,
    pub verdict: Verdict,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All that was looked at, in the order in which it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Checks(pub Vec<Check>);

/// What is checked, and how far.
pub struct Checking<'a> {
    pub config: &'a Config,
    /// The configuration is the embedded example.
    pub is_builtin: bool,
    pub clock: &'a (dyn Clock + 'a),
    pub env: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
    /// Keys for where there are none yet.
    pub keys: &'a Keys,
    /// Nobody is asked anything over the network, but for the database and the inventory.
    pub offline: bool,
    /// Webhooks get a test event.
    pub webhooks: bool,
}

impl Checks {
    fn push(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        verdict: Verdict,
        text: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.0.push(Check { group, what: what.into(), verdict, text: text.into(), remedy });
    }

    fn fine(&mut self, group: &'static str, what: impl Into<String>, text: impl Into<String>) {
        self.push(group, what, Verdict::Fine, text, None);
    }

    fn doubtful(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(group, what, Verdict::Doubtful, text, Some(remedy.into()));
    }

    fn wrong(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(group, what, Verdict::Wrong, text, Some(remedy.into()));
    }

    /// Wrong where something that is switched on needs it, else doubtful.
    fn lacking(
        &mut self,
        is_needed: bool,
        group: &'static str,
        what: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let verdict = if is_needed { Verdict::Wrong } else { Verdict::Doubtful };
        self.push(group, what, verdict, text, Some(remedy.into()));
    }

    /// A configuration that cannot be read: each of its problems is wrong.
    #[must_use]
    pub fn of_errors(errors: &ConfigErrors) -> Self {
        let mut checks = Self::default();
        for problem in errors.problems() {
            let what = format!("{}:{}:{}", errors.origin(), problem.line, problem.column);
            checks.wrong("configuration", what, &problem.message, &problem.help);
        }
        checks
    }

    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|check| check.verdict == verdict).count()
    }

    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.count(Verdict::Wrong) {
            0 => Exit::Done,
            _ => Exit::Configuration,
        }
    }
}

impl Checking<'_> {
    /// Looks at everything.
    pub async fn run(&self) -> Checks {
        let mut checks = Checks::default();
        self.configuration(&mut checks);
        self.schedules(&mut checks);
        let workplace = self.database(&mut checks).await;
        let sample = match &workplace {
            Some(workplace) => self.inventory(workplace, &mut checks).await,
            None => None,
        };
        self.messages(&mut checks).await;
        self.scopes(workplace.as_ref(), &mut checks).await;
        self.xero(workplace.as_ref(), sample.as_ref(), &mut checks).await;
        if let Some(workplace) = &workplace {
            self.confirmations(&workplace.store, &mut checks).await;
            self.fitting(&workplace.store, sample.as_ref(), &mut checks).await;
        }
        if let Some(workplace) = workplace {
            workplace.close().await;
        }
        checks
    }

    fn prompts(&self) -> bool {
        self.config.prompts.enabled
    }

    fn removes(&self) -> bool {
        self.config.removal.as_ref().is_some_and(|removal| removal.enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_thing_is_exit_2_and_doubtful_ones_are_not() {
        let mut checks = Checks::default();
        checks.fine("a", "b", "c");
        checks.doubtful("a", "b", "c", "d");
        checks.lacking(false, "a", "b", "c", "d");
        assert_eq!(checks.exit(), Exit::Done);
        checks.lacking(true, "a", "b", "c", "d");
        assert_eq!(checks.exit(), Exit::Configuration);
        assert_eq!(checks.count(Verdict::Doubtful), 2);
    }
}
