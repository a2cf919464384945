//! What can be said of a story when all is over.

use std::collections::BTreeSet;

use super::judge::Broken;
use super::perform::Telling;
use crate::clock::Clock;
use crate::domain::audit::Kind;
use crate::domain::grant::ConnectionKey;
use crate::domain::removal::RemovalState;
use crate::jobs::Failure;
use crate::simulation::witness::{Handed, Witness};

impl Telling {
    /// The record is whole, and says what happened.
    pub(super) async fn ends_well(&self) -> Result<Option<Broken>, Failure> {
        let store = &self.workplace.store;
        let at = self.clock.now();
        let broken = |what: String| Broken { promise: "every decision can be explained", at, what };
        if let Err(fault) = store.verify_audit(None).await? {
            return Ok(Some(broken(format!("the record is not whole at entry {}", fault.number))));
        }
        let entries = store.audit_after(0).await?;
        let of = |kind: Kind| {
            let of_kind = entries.iter().filter(move |entry| entry.kind == kind.as_str());
            of_kind.filter_map(|entry| entry.subject.clone()).collect::<BTreeSet<_>>()
        };
        let (begun, sent) = (of(Kind::PromptSending), of(Kind::PromptSent));
        let Some(witness) = self.shared.world().witness.clone() else { return Ok(None) };
        let taken = |is_it: &dyn Fn(&Handed) -> bool| -> BTreeSet<String> {
            let taken = witness.handed.iter().filter(|it| it.is_taken && is_it(it));
            taken.map(|it| it.prompt.to_string()).collect()
        };
        // News tells of no stage, nor does the repeat of a prompt, which is sent as it was.
        let told = taken(&|it| !it.tells.stage.is_empty());
        let taken = taken(&|_| true);
        if let Some(prompt) = told.difference(&begun).next() {
            return Ok(Some(broken(format!(
                "prompt {prompt} went out and was never written down"
            ))));
        }
        if let Some(prompt) = sent.difference(&taken).next() {
            return Ok(Some(broken(format!("prompt {prompt} is called sent and nobody got it"))));
        }
        let intended = of(Kind::RemovalIntended);
        let removed = witness.taken.iter().map(|it| it.key.to_string());
        let silent = removed.into_iter().find(|key| !intended.contains(key));
        if let Some(key) = silent {
            return Ok(Some(broken(format!("{key} was removed and never written down"))));
        }
        self.removed_as_written(&witness).await
    }

    /// Every connection that was removed has a row that says so.
    async fn removed_as_written(&self, witness: &Witness) -> Result<Option<Broken>, Failure> {
        let at = self.clock.now();
        let keys: Vec<ConnectionKey> = witness.taken.iter().map(|it| it.key).collect();
        // What went without an answer and was not settled any more may still be open.
        let may_be = [RemovalState::Removed, RemovalState::Unknown, RemovalState::Deleting];
        let records = self.workplace.store.removals_of(&keys).await?;
        let known = |key: &ConnectionKey| {
            records.iter().any(|it| it.connection == *key && may_be.contains(&it.state))
        };
        let lost = keys.iter().find(|key| !known(key));
        Ok(lost.map(|key| Broken {
            promise: "once",
            at,
            what: format!("{key} was removed, and its row says otherwise"),
        }))
    }
}
