//! `worker explain`

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::class::Class;
use crate::domain::connection::Connection;
use crate::domain::decide::Rules;
use crate::domain::digest::named_prompt;
use crate::domain::grant::{ConnectionKey, GrantId, Readiness, Unsettled};
use crate::domain::next::{Next, NextAction};
use crate::domain::pseudonym::pseudonym;
use crate::domain::recipient::responsible;
use crate::domain::scopes::{Scope, ScopeSet};
use crate::jobs::bearings::Bearings;
use crate::jobs::exit::Exit;
use crate::report::pseudonym::Naming;
use crate::store::lists::Known;
use crate::store::settings::Keys;
use crate::store::signals::Signal;
use crate::store::{ScopeSets, Store};

use super::checklist::{Checklist, checklists, write_steps};
use super::context::{Context, Trouble, shows_addresses};
use super::format::Format;
use super::history::Happened;

const EXAMPLES: &str = "\
Examples:
  worker explain ann@customer.example                why did my customer get this mail?
  worker explain XC-1A2B3-4C5D6                      by the reference at the foot of the message
  worker explain AC-96124 --format json              by your own number for the customer";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A connection, tenant, person, account, address, or the reference of a message
    id: String,
    /// Show addresses also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// All that is known of one connection.
#[derive(Serialize)]
struct Explained {
    connection_id: Option<String>,
    connection_key: String,
    tenant_id: String,
    tenant_name: Option<String>,
    account_id: Option<String>,
    grant: String,
    presence: &'static str,
    class: Class,
    readiness: Readiness,
    covered: bool,
    manual: bool,
    exempt_until: Option<DateTime<Utc>>,
    missing: Vec<&'static str>,
    held: Vec<&'static str>,
    evidence: Vec<Read>,
    /// In Xero's own list.
    xero: Option<InXero>,
    people: Vec<String>,
    /// The last time that Xero was seen to refuse a call of this grant for want of a scope.
    signal: Option<Signal>,
    /// What people have to do, where the program does nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    checklist: Option<Checklist>,
    next: Next,
    history: Vec<Happened>,
}

#[derive(Serialize)]
struct Read {
    source: &'static str,
    at: Option<DateTime<Utc>>,
    scopes: Vec<&'static str>,
}

/// What Xero's own list says of it.
#[derive(Serialize)]
struct InXero {
    connection_id: String,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    /// Since when good lists lack it.
    missing_since: Option<DateTime<Utc>>,
}

impl InXero {
    fn of(known: &Known) -> Self {
        Self {
            connection_id: known.at_xero.id.to_string(),
            created_at: known.at_xero.created_at,
            updated_at: known.at_xero.updated_at,
            missing_since: known.missing_since,
        }
    }
}

/// Connections by whatever somebody has at hand.
pub(super) async fn lookup(
    store: &Store,
    keys: &Keys,
    id: &str,
    sets: &ScopeSets,
) -> Result<Vec<Connection>, Trouble> {
    let id = crate::domain::recipient::exemption_id(id);
    if let Ok(uuid) = id.parse() {
        let found = store.find_by_uuid(uuid, sets).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let found = store.find_by_address(&id, sets).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    let forgotten = store.find_by_address(&pseudonym(&keys.pseudonym, &id), sets).await?;
    if !forgotten.is_empty() {
        return Ok(forgotten);
    }
    if let Some(digits) = named_prompt(&id) {
        let prompts = store.prompts_beginning(&digits).await?;
        let ids: Vec<uuid::Uuid> = prompts.iter().map(|prompt| prompt.prompt_id).collect();
        let keys = store.shown_by(&ids).await?;
        let found = store.connections_by_key(&keys, sets).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(store.find_by_account(&id, sets).await?)
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, keys) = context.existing(config).await?;
    let sets = store.scope_sets().await?;
    let found = lookup(&store, &keys, &arguments.id, &sets).await?;
    let bearings = Bearings::take(&store, context.now()).await?;
    let rules = bearings.rules(config);
    let naming = match shows_addresses(arguments.show_addresses) {
        true => Naming::Addresses,
        false => Naming::Pseudonyms(&keys.pseudonym),
    };
    let lists = checklists(&store, &sets, config, naming, &found).await?;
    let manual = found.iter().filter(|connection| connection.standing.manual);
    let lists = manual.map(|connection| connection.key).zip(lists).collect();
    let explained = explain(&store, &sets, &rules, bearings.edition, naming, found, lists).await?;
    store.close().await;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Json => {
            writeln!(out, "{}", serde_json::to_string(&explained).map_err(io::Error::from)?)?
        }
        Format::Text if explained.is_empty() => {
            writeln!(out, "Nothing is known of {:?}.", arguments.id)?;
        }
        Format::Text => {
            for (number, one) in explained.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                text(one, config.campaign.zone, &mut out)?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn explain(
    store: &Store,
    sets: &ScopeSets,
    rules: &Rules<'_>,
    edition: i64,
    naming: Naming<'_>,
    found: Vec<Connection>,
    mut lists: HashMap<ConnectionKey, Checklist>,
) -> Result<Vec<Explained>, Trouble> {
    let keys: Vec<ConnectionKey> = found.iter().map(|connection| connection.key).collect();
    let mut grants: Vec<GrantId> = found.iter().map(|connection| connection.facts.grant).collect();
    grants.dedup();
    let mut changes: HashMap<uuid::Uuid, Vec<Happened>> = HashMap::new();
    for change in store.changes(&keys).await? {
        let happened =
            Happened::change(change.changed_at, &change.what, change.before, change.after);
        changes.entry(change.connection_key).or_default().push(happened);
    }
    for aftermath in store.aftermaths(&keys).await? {
        let events = aftermath.events().into_iter();
        let happened = events.map(|(what, at)| Happened::change(at, what, None, None));
        changes.entry(aftermath.connection_key).or_default().extend(happened);
    }
    let known = store.known_of(&keys).await?;
    for story in store.prompt_stories(&keys).await? {
        changes.entry(story.connection_key).or_default().extend(Happened::of(&story, naming));
    }
    let settled = store.settled_scopes(&grants, sets).await?;
    let signals = store.signals(&grants).await?;
    let unsettled: HashMap<GrantId, Option<Unsettled>> = store
        .grant_rows(&grants)
        .await?
        .into_iter()
        .map(|row| (GrantId(row.grant_id), row.unsettled.as_deref().and_then(Unsettled::parse)))
        .collect();
    let mut together: BTreeMap<GrantId, Vec<Connection>> = BTreeMap::new();
    for connection in store.connections_of_grants(&grants, sets).await? {
        if connection.is_listed() {
            together.entry(connection.facts.grant).or_default().push(connection);
        }
    }
    let groups: Vec<Vec<Connection>> = together.values().cloned().collect();
    let past = store.past(edition, &groups).await?;
    let mut explained = Vec::with_capacity(found.len());
    for connection in found {
        let grant = connection.facts.grant;
        let own = std::slice::from_ref(&connection);
        let siblings = match connection.is_listed() {
            true => together.get(&grant).map_or(own, Vec::as_slice),
            false => own,
        };
        let held = settled.get(&grant).copied().unwrap_or_default();
        let reason = unsettled.get(&grant).copied().flatten();
        let parties = responsible(siblings);
        let mut history =
            vec![Happened::change(connection.first_seen_at, "first_seen", None, None)];
        history.extend(changes.remove(&connection.key.0).unwrap_or_default());
        let mut about = names_of(&connection);
        about.extend(store.plans_with(connection.key).await?);
        history.extend(store.audit_about(about).await?.iter().map(Happened::entry));
        history.sort_by_key(|happened| happened.at);
        explained.push(Explained {
            connection_id: connection.facts.id.map(|id| id.to_string()),
            connection_key: connection.key.to_string(),
            tenant_id: connection.facts.tenant.to_string(),
            tenant_name: connection.facts.tenant_name.clone(),
            account_id: connection.facts.account.clone(),
            grant: grant.to_string(),
            presence: connection.presence.as_str(),
            class: connection.standing.class,
            readiness: connection.standing.readiness,
            covered: connection.covered,
            manual: connection.standing.manual,
            exempt_until: rules.exemptions.of(&connection, &parties).map(|(until, _)| until),
            missing: names(rules.missing(&connection, held)),
            held: names(held),
            evidence: connection
                .facts
                .evidence
                .iter()
                .map(|reading| Read {
                    source: reading.source.as_str(),
                    at: reading.at,
                    scopes: names(reading.scopes),
                })
                .collect(),
            xero: known.get(&connection.key).map(InXero::of),
            people: parties.iter().map(|party| naming.name(&party.recipient.key())).collect(),
            signal: signals.get(&grant).cloned(),
            checklist: lists.remove(&connection.key),
            next: rules.next(&connection, siblings, held, reason, &past),
            history,
        });
    }
    Ok(explained)
}

/// What an entry of the record may call a connection.
fn names_of(connection: &Connection) -> Vec<String> {
    let facts = &connection.facts;
    let mut names =
        vec![connection.key.to_string(), facts.tenant.to_string(), facts.grant.to_string()];
    names.extend(facts.id.map(|id| id.to_string()));
    names.extend(facts.account.clone());
    names.sort_unstable();
    names.dedup();
    names
}

fn names(scopes: ScopeSet) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

/// Times are the campaign's, as in jobs.toml.
fn text(one: &Explained, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    let id = one.connection_id.as_deref().unwrap_or("(no id of Xero's)");
    writeln!(out, "Connection {id}")?;
    if one.connection_id.is_none() {
        writeln!(out, "  known here as   {}", one.connection_key)?;
    }
    let name = one.tenant_name.as_deref().unwrap_or("no name");
    writeln!(out, "  tenant          {} ({name:?})", one.tenant_id)?;
    if let Some(account) = &one.account_id {
        writeln!(out, "  account         {account}")?;
    }
    writeln!(out, "  grant           {}", one.grant)?;
    writeln!(out, "  people          {}", joined(&one.people))?;
    let standing: Vec<&str> = [
        Some(one.readiness.as_str()),
        Some(one.presence),
        one.covered.then_some("covered by a colleague's grant"),
        one.manual.then_some("manual"),
        one.exempt_until.map(|_| "exempt"),
    ]
    .into_iter()
    .flatten()
    .collect();
    writeln!(out, "  class           {}, {}", one.class, standing.join(", "))?;
    writeln!(out, "  holds           {}", joined(&one.held))?;
    writeln!(out, "  missing         {}", joined(&one.missing))?;
    for read in &one.evidence {
        writeln!(
            out,
            "  evidence        {} of {}: {}",
            read.source,
            when(read.at, zone),
            joined(&read.scopes)
        )?;
    }
    if let Some(xero) = &one.xero {
        let stands = match xero.missing_since {
            Some(since) => format!("missing from its list since {}", when(Some(since), zone)),
            None => format!("created {}", when(xero.created_at, zone)),
        };
        writeln!(out, "  at Xero         {}, {stands}", xero.connection_id)?;
    }
    if let Some(signal) = &one.signal {
        let lacked = if signal.needs.is_empty() { "a scope" } else { &signal.needs };
        let at = when(Some(signal.last_seen_at), zone);
        writeln!(
            out,
            "  refused by Xero {at}: a call for want of {lacked}; prompted before others"
        )?;
    }
    let action = match one.next.action {
        NextAction::Prompt => "a prompt",
        NextAction::Remove => "a removal",
        NextAction::Nothing => "nothing",
    };
    match one.next.at {
        Some(at) => writeln!(out, "  next            {action}, {}", when(Some(at), zone))?,
        None => writeln!(out, "  next            {action}")?,
    }
    for reason in &one.next.reasons {
        writeln!(out, "    {:<22} {}", reason.code.as_str(), reason.text)?;
    }
    if let Some(list) = &one.checklist {
        writeln!(out, "  for a person to do, by `worker checklist done`:")?;
        write_steps(&list.steps, out)?;
    }
    for (number, happened) in one.history.iter().enumerate() {
        let what = match (&happened.before, &happened.after) {
            (Some(before), Some(after)) => format!("{}: {before} → {after}", happened.what),
            _ => happened.what.clone(),
        };
        let what = match (&happened.prompt, &happened.recorded) {
            (Some(prompt), _) => format!("{what} {}", prompt.text(zone)),
            (None, Some(recorded)) => format!("{what} {}", recorded.text()),
            (None, None) => what,
        };
        let title = if number == 0 { "history" } else { "" };
        writeln!(out, "  {title:<15} {} {what}", when(Some(happened.at), zone))?;
    }
    Ok(())
}

fn joined(words: &[impl AsRef<str>]) -> String {
    if words.is_empty() {
        return "-".to_owned();
    }
    words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ")
}

fn when(at: Option<DateTime<Utc>>, zone: Tz) -> String {
    at.map_or_else(
        || "no known time".to_owned(),
        |at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string(),
    )
}
