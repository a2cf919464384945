//! What a run would do: every awaiting grant is decided about by itself, then the caps go
//! over all candidates, most urgent first. Both are pure; here they meet the store, in
//! bounded memory.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::budget::{Budget, Used};
use crate::domain::connection::Connection;
use crate::domain::decide::{Action, Candidate, HeldBack, PromptLine, Rules, Told};
use crate::domain::grant::{ConnectionKey, GrantId, Readiness};
use crate::domain::reason::{Code, Reason};
use crate::domain::recipient::responsible;
use crate::domain::scopes::ScopeSet;
use crate::jobs::progress::Watcher;
use crate::jobs::scan::Error;
use crate::jobs::sorter::{Groups, Sorter};
use crate::report::plan::{HeldBackEntry, Plan, PromptEntry, RemovalEntry};
use crate::report::pseudonym::Naming;
use crate::store::awaiting::Walk;
use crate::store::{ScopeSets, Store};

/// What planning is done by.
pub struct Planning<'a> {
    pub store: &'a Store,
    pub rules: Rules<'a>,
    /// Whether the run has a step that prompts, and one that removes.
    pub prompts: bool,
    pub removals: bool,
    /// Present connections, for caps that are a share of them.
    pub present: u64,
    pub naming: Naming<'a>,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// A plan, and what was counted on the way.
#[derive(Debug, Default)]
pub struct Planned {
    pub plan: Plan,
    /// Awaiting connections that are exempt now.
    pub exempt: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    stage: usize,
    channel: String,
    recipient: String,
    connection: Shown,
    missing: ScopeSet,
    last_used: Option<i64>,
}

/// A connection that a prompt shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Shown {
    key: u128,
    /// The key is Xero's id.
    is_id: bool,
}

/// One prompt with all the connections that it would show.
#[derive(Serialize, Deserialize)]
struct Prompt {
    stage: usize,
    channel: String,
    recipient: String,
    connections: Vec<Shown>,
    missing: ScopeSet,
}

#[derive(Serialize, Deserialize)]
struct Removal {
    connection: Uuid,
    entry: RemovalEntry,
}

#[derive(Serialize, Deserialize)]
struct Held {
    is_removal: bool,
    /// Xero's id; only those who have one know it.
    id: Option<Uuid>,
    /// Positions in [`Code::ALL`].
    reasons: Vec<(usize, String)>,
}

/// Candidates laid out for the caps.
#[derive(Default)]
struct Candidates {
    lines: Sorter,
    removals: Sorter,
    held: Sorter,
    buffer: Vec<u8>,
}

fn encode<T: Serialize>(record: &T, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    postcard::to_io(record, buffer).map_err(io::Error::other)?;
    Ok(())
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(io::Error::other)
}

impl Planning<'_> {
    /// Plans.
    ///
    /// # Errors
    /// The database or the temporary directory cannot be used, or the run was interrupted.
    pub async fn run(&self) -> Result<Planned, Error> {
        let mut planned = Planned::default();
        let due = self.rules.something_may_be_due() && (self.prompts || self.removals);
        if !due && self.rules.exemptions.is_empty() {
            return Ok(planned);
        }
        let mut candidates = Candidates::default();
        let sets = self.store.scope_sets().await?;
        let mut walk = Walk::default();
        let mut done = 0;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let page = self.store.next_awaiting(&mut walk, &sets).await?;
            if page.is_empty() {
                break;
            }
            done += page.len() as u64;
            self.page(page, due, &sets, &mut candidates, &mut planned).await?;
            self.watcher.deciding(done);
        }
        self.watcher.done();
        let Candidates { lines, removals, mut held, mut buffer } = candidates;
        self.cap_prompts(lines, &mut held, &mut buffer, &mut planned.plan)?;
        self.cap_removals(removals, &mut held, &mut buffer, &mut planned.plan)?;
        list_held_back(held, &mut planned.plan)?;
        Ok(planned)
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
        for connections in page {
            let Some(grant) = connections.first().map(|connection| connection.facts.grant) else {
                continue;
            };
            if !self.rules.exemptions.is_empty() {
                let parties = responsible(&connections);
                let is_exempt = |connection: &&Connection| {
                    connection.standing.readiness == Readiness::Awaiting
                        && self.rules.exemptions.of(connection, &parties).is_some()
                };
                planned.exempt += connections.iter().filter(is_exempt).count() as u64;
            }
            if !due {
                continue;
            }
            let held = settled.get(&grant).copied().unwrap_or_default();
            // No prompt has been sent by this version, so nobody has been told anything.
            let decision = self.rules.decide(&connections, held, |_| Told::default());
            if self.prompts {
                for line in &decision.prompts {
                    let is_id = id_of(&connections, line.connection).is_some();
                    self.add_line(line, is_id, candidates)?;
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

    fn add_line(
        &self,
        line: &PromptLine<'_>,
        is_id: bool,
        candidates: &mut Candidates,
    ) -> io::Result<()> {
        let stages = &self.rules.campaign.stages;
        let stage = stages.iter().position(|stage| stage == line.stage).unwrap_or_default();
        let record = Line {
            stage,
            channel: line.channel.to_string(),
            recipient: line.party.recipient.key(),
            connection: Shown { key: line.connection.0.as_u128(), is_id },
            missing: line.missing,
            last_used: line.last_used_at.map(|at| at.timestamp_micros()),
        };
        encode(&record, &mut candidates.buffer)?;
        let name = format!("{stage}\0{}\0{}", record.channel, record.recipient);
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
            entry: RemovalEntry {
                connection_id: candidate.connection.to_string(),
                tenant_id: connection.facts.tenant.to_string(),
                grant: connection.facts.grant.to_string(),
                not_before: rfc3339(candidate.not_before),
                reason: candidate.reason.clone(),
            },
        };
        encode(&record, &mut candidates.buffer)?;
        // Least used first; never used, as far as is known, before all others.
        let used =
            candidate.last_used_at.map_or(0, |at| at.timestamp_micros().max(0).unsigned_abs() + 1);
        let key = u128::from(used) << 64 | candidate.connection.0.as_u128() >> 64;
        candidates.removals.push(key, &candidates.buffer)
    }

    fn cap_prompts(
        &self,
        lines: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> io::Result<()> {
        let mut by_urgency = Sorter::default();
        let mut groups = Groups::of(lines.finish()?)?;
        while let Some((name, records)) = groups.next_group()? {
            let lines: Vec<Line> =
                records.iter().map(|record| decode(record)).collect::<io::Result<_>>()?;
            let last_used = lines.iter().filter_map(|line| line.last_used).max();
            let missing = lines.iter().fold(ScopeSet::EMPTY, |all, line| all.union(line.missing));
            let connections = lines.iter().map(|line| line.connection).collect();
            let Some(first) = lines.into_iter().next() else { continue };
            let prompt = Prompt {
                stage: first.stage,
                channel: first.channel,
                recipient: first.recipient,
                connections,
                missing,
            };
            encode(&prompt, buffer)?;
            by_urgency.push(self.urgency(prompt.stage, last_used, name), buffer)?;
        }
        let mut budget = Budget::of_prompts(self.rules.prompts, Used::default());
        let mut sorted = by_urgency.finish()?;
        let mut record = Vec::new();
        while sorted.next(&mut record)?.is_some() {
            let prompt: Prompt = decode(&record)?;
            let is_mail = matches!(prompt.channel.as_str(), "email" | "file");
            let spent = if is_mail && self.rules.prompts.max_per_address_per_day == 0 {
                Err(vec![Code::MaxPerAddressPerDay.into()])
            } else {
                budget.take()
            };
            match spent {
                Ok(()) => plan.prompts.push(&self.entry(prompt))?,
                Err(reasons) => {
                    for shown in prompt.connections {
                        let key = Uuid::from_u128(shown.key);
                        let connection = ConnectionKey(key);
                        let reasons = reasons.clone();
                        let back = HeldBack { connection, action: Action::Prompt, reasons };
                        hold(held, buffer, back, shown.is_id.then_some(key))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Later stages first, then those who used the product last: they have most to lose.
    fn urgency(&self, stage: usize, last_used: Option<i64>, name: u128) -> u128 {
        let rank = self.rules.campaign.stages.len().saturating_sub(stage) as u128;
        let unused = u64::MAX - last_used.map_or(0, |micros| micros.max(0).unsigned_abs());
        rank << 120 | u128::from(unused) << 56 | name >> 72
    }

    fn entry(&self, prompt: Prompt) -> PromptEntry {
        let stage = &self.rules.campaign.stages[prompt.stage];
        let since = self.rules.campaign.opens(stage).with_timezone(&self.rules.campaign.zone);
        let count = prompt.connections.len();
        let mut connections: Vec<String> =
            prompt.connections.iter().map(|shown| Uuid::from_u128(shown.key).to_string()).collect();
        connections.sort_unstable();
        PromptEntry {
            stage: stage.name.clone(),
            recipient: self.naming.name(&prompt.recipient),
            channel: prompt.channel,
            connections,
            message_sha256: None,
            reason: format!(
                "stage {} is due since {}; {count} connection{} await{} {}",
                stage.name,
                since.format("%Y-%m-%d"),
                if count == 1 { "" } else { "s" },
                if count == 1 { "s" } else { "" },
                prompt.missing
            ),
        }
    }

    fn cap_removals(
        &self,
        removals: Sorter,
        held: &mut Sorter,
        buffer: &mut Vec<u8>,
        plan: &mut Plan,
    ) -> io::Result<()> {
        let Some(policy) = self.rules.removal else { return Ok(()) };
        let mut budget = Budget::of_removals(policy, self.present, Used::default());
        let mut sorted = removals.finish()?;
        let mut record = Vec::new();
        while sorted.next(&mut record)?.is_some() {
            let removal: Removal = decode(&record)?;
            match budget.take() {
                Ok(()) => plan.removals.push(&removal.entry)?,
                Err(reasons) => {
                    let connection = ConnectionKey(removal.connection);
                    let back = HeldBack { connection, action: Action::Remove, reasons };
                    hold(held, buffer, back, Some(removal.connection))?;
                }
            }
        }
        Ok(())
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn id_of(connections: &[Connection], key: ConnectionKey) -> Option<Uuid> {
    connections.iter().find(|connection| connection.key == key)?.facts.id.map(|id| id.0)
}

fn hold(
    sorter: &mut Sorter,
    buffer: &mut Vec<u8>,
    held: HeldBack,
    id: Option<Uuid>,
) -> io::Result<()> {
    let position = |code: Code| Code::ALL.iter().position(|known| *known == code);
    let reasons = held
        .reasons
        .into_iter()
        .filter_map(|reason| Some((position(reason.code)?, reason.text)))
        .collect();
    let record = Held { is_removal: held.action == Action::Remove, id, reasons };
    encode(&record, buffer)?;
    sorter.push(held.connection.0.as_u128(), buffer)
}

/// One entry for each connection and action, with every reason once.
fn list_held_back(held: Sorter, plan: &mut Plan) -> io::Result<()> {
    let mut groups = Groups::of(held.finish()?)?;
    while let Some((key, records)) = groups.next_group()? {
        let records: Vec<Held> =
            records.iter().map(|record| decode(record)).collect::<io::Result<_>>()?;
        for (action, is_removal) in [(Action::Prompt, false), (Action::Remove, true)] {
            let mut reasons: Vec<Reason> = Vec::new();
            let of_action = records.iter().filter(|held| held.is_removal == is_removal);
            for (position, text) in of_action.flat_map(|held| &held.reasons) {
                let Some(code) = Code::ALL.get(*position) else { continue };
                if reasons.iter().all(|known| known.code != *code) {
                    reasons.push(code.because(text.clone()));
                }
            }
            if !reasons.is_empty() {
                plan.held_back.push(&HeldBackEntry {
                    connection_id: records.iter().find_map(|held| held.id).map(|id| id.to_string()),
                    connection_key: Uuid::from_u128(key).to_string(),
                    action,
                    reasons,
                })?;
            }
        }
    }
    Ok(())
}
