//! What only a person can see, and has to have said.

use crate::domain::confirmation::Subject;
use crate::jobs::confirming;
use crate::store::{self, Store};

use super::{Checking, Checks};

const GROUP: &str = "confirmations";

impl Checking<'_> {
    pub(super) async fn confirmations(&self, store: &Store, checks: &mut Checks) {
        for (subject, is_needed) in [
            (Subject::Link, self.prompts() || self.removes()),
            (Subject::Rehearsal, self.removes()),
        ] {
            match self.lacks(store, subject).await {
                Ok(None) => checks.fine(GROUP, subject.as_str(), "given, for this configuration"),
                Ok(Some(lacks)) => {
                    // The command is the remedy here, and not the end of the sentence.
                    let text = lacks.split(": `").next().unwrap_or_default();
                    let remedy = format!("worker confirm {subject} --by NAME --note TEXT");
                    checks.lacking(is_needed, GROUP, subject.as_str(), text, remedy);
                }
                Err(error) => {
                    let remedy = error.remedy().to_string();
                    checks.wrong(GROUP, subject.as_str(), error.to_string(), remedy);
                }
            }
        }
    }

    async fn lacks(&self, store: &Store, subject: Subject) -> Result<Option<String>, store::Error> {
        let word = match subject {
            Subject::Rehearsal => confirming::rehearsal_word(store, self.config).await?,
            Subject::Link | Subject::Database => confirming::link_word(store, self.config).await?,
        };
        Ok(word.lacks(subject))
    }
}
