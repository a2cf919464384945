//! What a run would do: every awaiting grant is decided about by itself, then the caps go
//! over all candidates, most urgent first. Both are pure; here they meet the store, in
//! bounded memory.

mod away;
mod caps;
mod record;
mod resting;

use std::collections::{HashMap, HashSet};
use std::io;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::connection::Connection;
use crate::domain::decide::{Action, Candidate, Decision, PromptLine, Rules};
use crate::domain::grant::{ConnectionKey, GrantId, Readiness};
use crate::domain::recipient::responsible;
use crate::domain::told::Past;
use crate::jobs::progress::Watcher;
use crate::jobs::scan::Error;
use crate::jobs::sorter::Sorter;
use crate::report::plan::{List, Plan, RemovalEntry};
use crate::store::awaiting::Walk;
use crate::store::restless::Restless;
use crate::store::{ScopeSets, Store};

use caps::list_held_back;
pub use record::Work;
use record::{Line, Removal, Shown, encode, hold};

/// What planning is done by.
pub struct Planning<'a> {
    pub store: &'a Store,
    pub rules: Rules<'a>,
    /// The present edition of the deadline.
    pub edition: i64,
    /// Whether the run has a step that prompts, and one that removes.
    pub prompts: bool,
    pub removals: bool,
    /// Present connections, for caps that are a share of them.
    pub present: u64,
    /// Whether it keeps in mind for the next plan what it need not look at, and goes by what the
    /// last one kept.
    pub remembers: bool,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// A plan, and what was counted on the way.
#[derive(Debug, Default)]
pub struct Planned {
    pub plan: Plan,
    /// Awaiting connections that are exempt now.
    pub exempt: u64,
    /// The zones in which somebody would be prompted now if anybody were at work there.
    pub waits_in: HashSet<Tz>,
    /// The prompts within the caps, most urgent first: [`Work`] items.
    pub work: List,
}

/// Candidates laid out for the caps.
#[derive(Default)]
struct Candidates {
    lines: Sorter,
    removals: Sorter,
    held: Sorter,
    restless: Restless,
    buffer: Vec<u8>,
}

impl Planning<'_> {
    /// Plans.
    ///
    /// # Errors
    /// The database or the temporary directory cannot be used, or the run was interrupted.
    pub async fn run(&self) -> Result<Planned, Error> {
        let mut planned = Planned::default();
        let due = self.rules.something_may_be_due() && (self.prompts || self.removals);
        let mut candidates = Candidates::default();
        let sets = self.store.scope_sets().await?;
        if self.prompts && !self.rules.win_back.is_empty() {
            self.plan_win_back(&sets, &mut candidates, &mut planned.waits_in).await?;
        }
        if due || !self.rules.exemptions.is_empty() {
            self.walk(due, &sets, &mut candidates, &mut planned).await?;
        }
        self.watcher.done();
        let Candidates { lines, removals, mut held, mut buffer, .. } = candidates;
        self.cap_prompts(lines, &mut held, &mut buffer, &mut planned.work).await?;
        self.cap_removals(removals, &mut held, &mut buffer, &mut planned.plan).await?;
        list_held_back(held, &mut planned.plan)?;
        Ok(planned)
    }

    /// Decides about all grants that are not ready.
    async fn walk(
        &self,
        due: bool,
        sets: &ScopeSets,
        candidates: &mut Candidates,
        planned: &mut Planned,
    ) -> Result<(), Error> {
        let made_by = if due && self.remembers { self.made_by().await? } else { None };
        let known = match &made_by {
            Some((made_by, _)) => self.store.restless(made_by).await?,
            None => None,
        };
        let mut walk =
            known.as_ref().map_or_else(Walk::default, |known| Walk::over(known.iter().copied()));
        let mut done = 0;
        let mut page = self.store.next_awaiting(&mut walk, sets).await?;
        while !page.is_empty() {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            done += page.len() as u64;
            // The database looks for the next page while this one is decided about.
            let next = async { Ok(self.store.next_awaiting(&mut walk, sets).await?) };
            let deciding = self.page(page, due, sets, candidates, planned);
            (page, ()) = tokio::try_join!(next, deciding)?;
            self.watcher.deciding(done);
        }
        let restless = std::mem::take(&mut candidates.restless);
        let Some((made_by, footing)) = made_by else { return Ok(()) };
        if known.as_ref() != restless.grants() {
            self.store.keep_restless(&made_by, footing, &restless).await?;
        }
        Ok(())
    }

    async fn page(
        &self,
        page: Vec<Vec<Connection>>,
        due: bool,
        sets: &ScopeSets,
        candidates: &mut Candidates,
        planned: &mut Planned,
    ) -> Result<(), Error> {
        let ids: Vec<GrantId> =
            page.iter().filter_map(|grant| Some(grant.first()?.facts.grant)).collect();
        let settled = self.store.settled_scopes(&ids, sets).await?;
        // Most of a campaign nothing can be removed, and much of a walk would go into what only
        // removals are decided by.
        let past = match due {
            true if self.removals && self.rules.removal_window_is_open() => {
                self.store.past(self.edition, &page).await?
            }
            true => self.store.past_prompts(self.edition, &page).await?,
            false => Past::new(self.edition),
        };
        let signals = match due && self.prompts {
            true => self.store.signals(&ids).await?,
            false => HashMap::new(),
        };
        for connections in page {
            let Some(grant) = connections.first().map(|connection| connection.facts.grant) else {
                continue;
            };
            let exempt = match self.rules.exemptions.is_empty() {
                true => 0,
                false => self.exempt(&connections),
            };
            planned.exempt += exempt;
            if !due {
                continue;
            }
            let held = settled.get(&grant).copied().unwrap_or_default();
            let decision = self.rules.decide(&connections, held, &past);
            if exempt > 0 || decision != Decision::default() {
                candidates.restless.add(grant);
            }
            if self.prompts {
                planned.waits_in.extend(&decision.waits_in);
                for line in &decision.prompts {
                    let is_id = id_of(&connections, line.connection).is_some();
                    let mails = past.mails_on(&line.party.recipient.key(), self.today());
                    let signalled = signals.contains_key(&grant);
                    self.add_line(line, (grant, is_id, mails, signalled), candidates)?;
                }
            }
            for candidate in decision.removals.iter().filter(|_| self.removals) {
                self.add_removal(candidate, &connections, candidates)?;
            }
            for held in decision.held_back {
                let wanted = match held.action {
                    Action::Prompt => self.prompts,
                    Action::Remove => self.removals,
                };
                if wanted {
                    let id = id_of(&connections, held.connection);
                    hold(&mut candidates.held, &mut candidates.buffer, held, id)?;
                }
            }
        }
        Ok(())
    }

    /// Of a grant's awaiting connections.
    fn exempt(&self, connections: &[Connection]) -> u64 {
        let parties = responsible(connections);
        let is_exempt = |connection: &&Connection| {
            connection.presence.counts()
                && connection.standing.readiness == Readiness::Awaiting
                && self.rules.exemptions.of(connection, &parties).is_some()
        };
        connections.iter().filter(is_exempt).count() as u64
    }

    /// The campaign's day.
    fn today(&self) -> NaiveDate {
        self.rules.now.with_timezone(&self.rules.campaign.zone).date_naive()
    }

    fn add_line(
        &self,
        line: &PromptLine<'_>,
        (grant, is_id, mails, signalled): (GrantId, bool, u64, bool),
        candidates: &mut Candidates,
    ) -> io::Result<()> {
        let stage = self.rules.place(line.stage);
        let record = Line {
            stage,
            wave: line.wave,
            grant: grant.0.as_u128(),
            mails,
            channel: line.channel.to_string(),
            recipient: line.party.recipient.key(),
            connection: Shown { key: line.connection.0.as_u128(), is_id },
            missing: line.missing,
            last_used: line.last_used_at.map(|at| at.timestamp_micros()),
            signalled,
        };
        encode(&record, &mut candidates.buffer)?;
        let name = format!("{stage}\0{}\0{}\0{}", line.wave, record.channel, record.recipient);
        let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u128();
        candidates.lines.push(key, &candidates.buffer)
    }

    fn add_removal(
        &self,
        candidate: &Candidate,
        connections: &[Connection],
        candidates: &mut Candidates,
    ) -> io::Result<()> {
        let Some(connection) =
            connections.iter().find(|connection| connection.key == candidate.connection)
        else {
            return Ok(());
        };
        let record = Removal {
            connection: candidate.connection.0,
            entry: removal_entry(candidate, connection),
        };
        encode(&record, &mut candidates.buffer)?;
        // Least used first; never used, as far as is known, before all others.
        let used =
            candidate.last_used_at.map_or(0, |at| at.timestamp_micros().max(0).unsigned_abs() + 1);
        let key = u128::from(used) << 64 | candidate.connection.0.as_u128() >> 64;
        candidates.removals.push(key, &candidates.buffer)
    }
}

/// A removal as every plan document names it.
#[must_use]
pub fn removal_entry(candidate: &Candidate, connection: &Connection) -> RemovalEntry {
    RemovalEntry {
        connection_id: candidate.connection.to_string(),
        tenant_id: connection.facts.tenant.to_string(),
        grant: connection.facts.grant.to_string(),
        not_before: rfc3339(candidate.not_before),
        reason: candidate.reason.clone(),
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn id_of(connections: &[Connection], key: ConnectionKey) -> Option<Uuid> {
    connections.iter().find(|connection| connection.key == key)?.facts.id.map(|id| id.0)
}
