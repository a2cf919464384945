//! Who is due for which stage now: one entry for each person and stage, whatever number of
//! grants and connections stands behind it, for hosts that send with their own means.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::delivery::link::Links;
use crate::domain::connection::Connection;
use crate::domain::consent::scopes_to_ask;
use crate::domain::decide::{PromptLine, Rules};
use crate::domain::grant::GrantId;
use crate::domain::scopes::{Scope, ScopeSet};
use crate::report::pseudonym::Naming;
use crate::store::Store;
use crate::store::awaiting::Walk;

use super::Failure;
use super::sorter::{Groups, Sorter};
use super::winning_back::Away;

/// Grants with removed connections that are looked at together.
const GRANTS: usize = 500;

/// One person due at one stage.
#[derive(Debug, Serialize)]
pub struct Due<'a> {
    pub stage: &'a str,
    pub recipient: String,
    /// Only shown together with addresses.
    pub name: Option<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
    pub channels: Vec<String>,
    pub deadline: DateTime<Utc>,
    /// One consent, and so one link, for each.
    pub grants: Vec<DueGrant>,
}

/// One of a person's grants.
#[derive(Debug, Serialize)]
pub struct DueGrant {
    pub grant: String,
    /// Where this person begins the consent; only together with addresses, and where links
    /// can be signed.
    pub link: Option<String>,
    /// What its consent has to ask for.
    pub required: Vec<&'static str>,
    pub connections: Vec<DueConnection>,
}

/// An awaiting connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueConnection {
    pub connection_id: Option<String>,
    pub connection_key: String,
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    pub account_id: Option<String>,
    pub missing: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    stage: usize,
    recipient: String,
    channel: String,
    name: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    grant: u128,
    required: ScopeSet,
    connection: DueConnection,
}

fn names(scopes: ScopeSet) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

/// Passes on everyone who is due, in an order that depends on nothing but who they are.
///
/// # Errors
/// The database or the temporary directory cannot be used, or `each` fails.
pub async fn due(
    store: &Store,
    rules: &Rules<'_>,
    edition: i64,
    naming: Naming<'_>,
    links: Option<&Links>,
    mut each: impl FnMut(&Due<'_>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut lines = Sorter::default();
    if rules.something_may_be_due() {
        let sets = store.scope_sets().await?;
        let mut walk = Walk::default();
        let mut buffer = Vec::new();
        loop {
            let page = store.next_awaiting(&mut walk, &sets).await?;
            if page.is_empty() {
                break;
            }
            let grants: Vec<GrantId> =
                page.iter().filter_map(|grant| Some(grant.first()?.facts.grant)).collect();
            let settled = store.settled_scopes(&grants, &sets).await?;
            let past = store.past(edition, &page).await?;
            for connections in page {
                let Some(first) = connections.first() else { continue };
                let held = settled.get(&first.facts.grant).copied().unwrap_or_default();
                let decision = rules.decide(&connections, held, &past);
                for line in &decision.prompts {
                    add(line, &connections, rules, &mut lines, &mut buffer)?;
                }
            }
        }
    }
    removals(store, rules, edition, &mut lines).await?;
    let mut groups = Groups::of(lines.finish()?)?;
    while let Some((_, records)) = groups.next_group()? {
        let lines: Vec<Line> = records
            .iter()
            .map(|record| postcard::from_bytes(record).map_err(io::Error::other))
            .collect::<io::Result<_>>()?;
        if let Some(due) = person(lines, rules, naming, links) {
            each(&due)?;
        }
    }
    Ok(())
}

/// Adds who is to be told of removals.
async fn removals(
    store: &Store,
    rules: &Rules<'_>,
    edition: i64,
    lines: &mut Sorter,
) -> Result<(), Failure> {
    let sets = store.scope_sets().await?;
    let mut buffer = Vec::new();
    for ids in Away::ids(store).await?.chunks(GRANTS) {
        let Away { grants, here } = Away::of(store, ids, &sets).await?;
        let settled = store.settled_scopes(ids, &sets).await?;
        let past = store.past(edition, &grants).await?;
        for connections in grants {
            let Some(first) = connections.first() else { continue };
            let held = settled.get(&first.facts.grant).copied().unwrap_or_default();
            for line in &rules.win_back(&connections, &here, held, &past).prompts {
                add(line, &connections, rules, lines, &mut buffer)?;
            }
        }
    }
    Ok(())
}

fn add(
    line: &PromptLine<'_>,
    connections: &[Connection],
    rules: &Rules<'_>,
    lines: &mut Sorter,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    let Some(connection) = connections.iter().find(|one| one.key == line.connection) else {
        return Ok(());
    };
    let facts = &connection.facts;
    let record = Line {
        stage: rules.place(line.stage),
        recipient: line.party.recipient.key(),
        channel: line.channel.to_string(),
        name: line.party.name.clone(),
        locale: line.party.locale.clone(),
        time_zone: line.party.zone.map(|zone| zone.name().to_owned()),
        grant: facts.grant.0.as_u128(),
        required: facts.required.unwrap_or(rules.campaign.required),
        connection: DueConnection {
            connection_id: facts.id.map(|id| id.to_string()),
            connection_key: connection.key.to_string(),
            tenant_id: facts.tenant.to_string(),
            tenant_name: facts.tenant_name.clone(),
            account_id: facts.account.clone(),
            missing: names(line.missing).into_iter().map(str::to_owned).collect(),
        },
    };
    buffer.clear();
    postcard::to_io(&record, &mut *buffer).map_err(io::Error::other)?;
    let name = format!("{}\0{}", record.stage, record.recipient);
    lines.push(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u128(), buffer)
}

fn person<'a>(
    lines: Vec<Line>,
    rules: &Rules<'a>,
    naming: Naming<'_>,
    links: Option<&Links>,
) -> Option<Due<'a>> {
    let first = lines.first()?;
    let stage = rules.stage_name(first.stage);
    let shows_names = matches!(naming, Naming::Addresses);
    let links = links.filter(|_| shows_names);
    let recipient = first.recipient.clone();
    let mut due = Due {
        stage,
        recipient: naming.name(&first.recipient),
        name: first.name.clone().filter(|_| shows_names),
        locale: first.locale.clone(),
        time_zone: first.time_zone.clone(),
        channels: Vec::new(),
        deadline: rules.campaign.deadline,
        grants: Vec::new(),
    };
    let mut grants: Vec<(u128, ScopeSet, Vec<DueConnection>)> = Vec::new();
    for line in lines {
        if !due.channels.contains(&line.channel) {
            due.channels.push(line.channel);
        }
        match grants.iter_mut().find(|(grant, _, _)| *grant == line.grant) {
            Some((_, required, connections)) => {
                *required = required.union(line.required);
                if !connections.contains(&line.connection) {
                    connections.push(line.connection);
                }
            }
            None => grants.push((line.grant, line.required, vec![line.connection])),
        }
    }
    due.grants = grants
        .into_iter()
        .map(|(grant, required, connections)| {
            let grant = GrantId(Uuid::from_u128(grant));
            let scopes = scopes_to_ask(rules.campaign.required, [Some(required)]);
            let tenant = connections
                .first()
                .filter(|one| one.connection_key == grant.to_string())
                .and_then(|one| one.tenant_id.parse().ok());
            let until = rules.links_until(stage, rules.now);
            let named = ["host", stage, &recipient];
            DueGrant {
                grant: grant.to_string(),
                link: links
                    .map(|links| links.own(grant, tenant, scopes.canonical(), until, &named)),
                required: names(scopes),
                connections,
            }
        })
        .collect();
    Some(due)
}
