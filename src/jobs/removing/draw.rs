//! Drawing up a plan: every holdout whose date comes while the plan is valid, with all that
//! its removal touches. Nothing in it depends on the moment but which dates those are.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::domain::confirmation::Facts;
use crate::domain::connection::Connection;
use crate::domain::decide::{Candidate, HeldBack, Rules};
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::recipient::{Party, responsible};
use crate::domain::scopes::{Scope, ScopeSet};
use crate::domain::told::{History, Past};
use crate::jobs::planning::removal_entry;
use crate::jobs::progress::Watcher;
use crate::jobs::scan::Error;
use crate::report::plan::{HeldBackEntry, List};
use crate::store::awaiting::Walk;
use crate::store::plans::{PlanEntry, PlanRecord};
use crate::store::prompts::PromptStory;
use crate::store::{ScopeSets, Store};

use super::document::{OTHERS, Other, Read, Shown, Told, plan_id};
use super::planned::Naming;

/// What a plan is drawn up by.
pub struct Drawing<'a> {
    pub store: &'a Store,
    pub rules: Rules<'a>,
    /// The present edition of the deadline.
    pub edition: i64,
    pub naming: Naming<'a>,
    pub made_by: &'a Facts,
    pub valid_until: DateTime<Utc>,
    pub watcher: &'a dyn Watcher,
    pub cancel: &'a CancellationToken,
}

/// A plan that was drawn up, and what it leaves out.
#[derive(Debug)]
pub struct Drawn {
    pub plan: PlanRecord,
    /// Least used first.
    pub entries: Vec<PlanEntry>,
    pub held_back: List,
}

impl Drawing<'_> {
    /// # Errors
    /// The database or the temporary directory cannot be used, or it was interrupted.
    pub async fn draw(&self) -> Result<Drawn, Error> {
        let mut drawn: Vec<(Option<DateTime<Utc>>, PlanEntry)> = Vec::new();
        let mut held_back = List::default();
        let sets = self.store.scope_sets().await?;
        let mut walk = Walk::default();
        let mut done = 0;
        while self.rules.removal_window_opens_by(self.valid_until) {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let page = self.store.next_awaiting(&mut walk, &sets).await?;
            if page.is_empty() {
                break;
            }
            done += page.len() as u64;
            self.page(&page, &sets, &mut drawn, &mut held_back).await?;
            self.watcher.deciding(done);
        }
        self.watcher.done();
        drawn.sort_by_key(|(used, entry)| (*used, entry.connection));
        let entries: Vec<PlanEntry> = drawn.into_iter().map(|(_, entry)| entry).collect();
        let plan = PlanRecord {
            id: plan_id(self.made_by, &entries),
            configuration: self.made_by.clone(),
            removals: entries.len() as u64,
            made_at: self.rules.now,
            valid_until: self.valid_until,
        };
        Ok(Drawn { plan, entries, held_back })
    }

    async fn page(
        &self,
        page: &[Vec<Connection>],
        sets: &ScopeSets,
        drawn: &mut Vec<(Option<DateTime<Utc>>, PlanEntry)>,
        held_back: &mut List,
    ) -> Result<(), Error> {
        let ids: Vec<GrantId> =
            page.iter().filter_map(|grant| Some(grant.first()?.facts.grant)).collect();
        let settled = self.store.settled_scopes(&ids, sets).await?;
        let past = self.store.past(self.edition, page).await?;
        let mut candidates: Vec<(Candidate, &[Connection])> = Vec::new();
        for connections in page {
            let decision = self.rules.removals_by(connections, &past, self.valid_until);
            candidates.extend(decision.removals.into_iter().map(|one| (one, &connections[..])));
            for held in decision.held_back {
                held_back.push(&entry(held, connections))?;
            }
        }
        let keys: Vec<ConnectionKey> =
            candidates.iter().map(|(candidate, _)| candidate.connection).collect();
        let stories = self.store.prompt_stories(&keys).await?;
        for (candidate, connections) in candidates {
            let held = connections.first().and_then(|one| settled.get(&one.facts.grant));
            let held = held.copied().unwrap_or_default();
            let told = stories.iter().filter(|one| one.connection_key == candidate.connection.0);
            let told: Vec<&PromptStory> = told.collect();
            drawn.extend(self.entry(&candidate, connections, held, &past, &told));
        }
        Ok(())
    }

    /// The entry of a candidate, with when it was used last.
    fn entry(
        &self,
        candidate: &Candidate,
        connections: &[Connection],
        held: ScopeSet,
        past: &Past,
        stories: &[&PromptStory],
    ) -> Option<(Option<DateTime<Utc>>, PlanEntry)> {
        let connection = connections.iter().find(|one| one.key == candidate.connection)?;
        let parties = responsible(connections);
        let in_xero = past.in_xero(connection);
        let planned = self.naming.planned(&self.rules, connection, &parties, held, in_xero)?;
        let shown = self.shown(candidate, connection, connections, &parties, held, stories);
        let shown = Shown {
            xero_created_at: planned.xero_created_at,
            xero_updated_at: planned.xero_updated_at,
            ..shown
        };
        let entry = PlanEntry {
            connection: connection.key,
            not_before: candidate.not_before,
            planned,
            entry: serde_json::to_string(&shown.hidden(self.naming.0)).ok()?,
        };
        Some((candidate.last_used_at, entry))
    }

    fn shown(
        &self,
        candidate: &Candidate,
        connection: &Connection,
        connections: &[Connection],
        parties: &[Party],
        held: ScopeSet,
        stories: &[&PromptStory],
    ) -> Shown {
        let facts = &connection.facts;
        let names = |scopes: ScopeSet| scopes.iter().map(Scope::name).map(str::to_owned).collect();
        // Not the times of tokens: those move with every refresh.
        let mut evidence: Vec<Read> = facts
            .evidence
            .iter()
            .map(|reading| Read {
                source: reading.source.as_str().to_owned(),
                scopes: reading.scopes.canonical(),
            })
            .collect();
        evidence.sort();
        evidence.dedup();
        let mut others: Vec<&Connection> =
            connections.iter().filter(|one| one.key != connection.key).collect();
        others.sort_by_key(|one| one.key);
        Shown {
            removal: removal_entry(candidate, connection),
            tenant_name: facts.tenant_name.clone(),
            account_id: facts.account.clone(),
            class: connection.standing.class,
            holds: names(held),
            missing: names(self.rules.missing(connection, held)),
            evidence,
            people: parties.iter().map(|party| party.recipient.key()).collect(),
            others_not_shown: others.len().saturating_sub(OTHERS),
            others: others.into_iter().take(OTHERS).map(other).collect(),
            told: stories.iter().filter_map(|story| told(story)).collect(),
            xero_created_at: None,
            xero_updated_at: None,
        }
    }
}

fn other(connection: &Connection) -> Other {
    Other {
        connection_key: connection.key.to_string(),
        tenant_id: connection.facts.tenant.to_string(),
        tenant_name: connection.facts.tenant_name.clone(),
        readiness: connection.standing.readiness.as_str().to_owned(),
    }
}

fn told(story: &PromptStory) -> Option<Told> {
    let at = story.sent_at.filter(|_| story.state == "sent" && story.bounced_at.is_none())?;
    Some(Told {
        recipient: story.recipient.clone(),
        stage: story.stage.clone(),
        channel: story.channel.clone(),
        at,
        promised: story.removal_from,
    })
}

fn entry(held: HeldBack, connections: &[Connection]) -> HeldBackEntry {
    let connection = connections.iter().find(|one| one.key == held.connection);
    HeldBackEntry {
        connection_id: connection.and_then(|one| one.facts.id).map(|id| id.to_string()),
        connection_key: held.connection.to_string(),
        action: held.action,
        reasons: held.reasons,
    }
}
