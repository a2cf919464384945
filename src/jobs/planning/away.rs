//! Planning what people are told of removals.

use std::collections::HashSet;

use chrono_tz::Tz;

use crate::jobs::scan::Error;
use crate::jobs::winning_back::Away;
use crate::store::ScopeSets;

use super::record::hold;
use super::{Candidates, Planning, id_of};

/// Grants decided about together.
const GRANTS: usize = 500;

impl Planning<'_> {
    pub(super) async fn plan_win_back(
        &self,
        sets: &ScopeSets,
        candidates: &mut Candidates,
        waits_in: &mut HashSet<Tz>,
    ) -> Result<(), Error> {
        for ids in Away::ids(self.store).await?.chunks(GRANTS) {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let Away { grants, here } = Away::of(self.store, ids, sets).await?;
            let settled = self.store.settled_scopes(ids, sets).await?;
            let past = self.store.past_prompts(self.edition, &grants).await?;
            for connections in grants {
                let Some(first) = connections.first() else { continue };
                let grant = first.facts.grant;
                let held = settled.get(&grant).copied().unwrap_or_default();
                let decision = self.rules.win_back(&connections, &here, held, &past);
                waits_in.extend(&decision.waits_in);
                for line in &decision.prompts {
                    let is_id = id_of(&connections, line.connection).is_some();
                    let mails = past.mails_on(&line.party.recipient.key(), self.today());
                    self.add_line(line, (grant, is_id, mails, false), candidates)?;
                }
                for held in decision.held_back {
                    let id = id_of(&connections, held.connection);
                    hold(&mut candidates.held, &mut candidates.buffer, held, id)?;
                }
            }
        }
        Ok(())
    }
}
