//! `worker checklist`: what people do for the connections that the program leaves alone.

use std::collections::HashMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use crate::config::Config;
use crate::domain::checklist::{Step, step_names, steps};
use crate::domain::connection::Connection;
use crate::domain::grant::GrantId;
use crate::jobs::exit::Exit;
use crate::report::pseudonym::Naming;
use crate::store::checklist::DoneStep;
use crate::store::settings::Keys;
use crate::store::{self, ScopeSets, Store};

use super::context::{Context, Trouble, not_blank, shows_addresses};
use super::explain::lookup;
use super::format::Format;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What is to be done for custom and OAuth 1.0a connections, and what is done
    List {
        /// A connection, tenant, person, account or address; without it, all of them
        id: Option<String>,
        /// Show addresses also where standard output is no terminal
        #[arg(long)]
        show_addresses: bool,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Note that a step was taken
    Done(Ticked),
    /// Open a step again
    Reopen(Ticked),
}

#[derive(Debug, clap::Args)]
pub(super) struct Ticked {
    id: String,
    #[arg(value_parser = names())]
    step: String,
    #[arg(long, value_name = "NAME")]
    by: String,
}

fn names() -> PossibleValuesParser {
    step_names().into()
}

/// One connection with what is to be done for it.
#[derive(Serialize)]
pub(super) struct Checklist {
    connection_id: Option<String>,
    connection_key: String,
    tenant_name: Option<String>,
    flow: &'static str,
    ready: bool,
    /// Who gets Xero's mail, as far as the host knows.
    people: Vec<String>,
    pub steps: Vec<Listed>,
}

#[derive(Serialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    step: Step,
    done_at: Option<DateTime<Utc>>,
    done_by: Option<String>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, keys) = context.existing(config).await?;
    let sets = store.scope_sets().await?;
    match command {
        Command::List { id, show_addresses, format } => {
            let found = match id {
                Some(id) => lookup(&store, &keys, &id, &sets).await?,
                None => store.manual_connections(&sets).await?,
            };
            let naming = match shows_addresses(show_addresses) {
                true => Naming::Addresses,
                false => Naming::Pseudonyms(&keys.pseudonym),
            };
            let lists = checklists(&store, &sets, config, naming, &found).await?;
            say(format, &lists)?;
        }
        Command::Done(ticked) => tick(context, config, (&store, &keys), ticked, true).await?,
        Command::Reopen(ticked) => tick(context, config, (&store, &keys), ticked, false).await?,
    }
    store.close().await;
    Ok(Exit::Done)
}

/// Those of them that are left to people.
pub(super) async fn checklists(
    store: &Store,
    sets: &ScopeSets,
    config: &Config,
    naming: Naming<'_>,
    found: &[Connection],
) -> Result<Vec<Checklist>, store::Error> {
    let manual: Vec<&Connection> =
        found.iter().filter(|connection| connection.standing.manual).collect();
    let keys: Vec<_> = manual.iter().map(|connection| connection.key).collect();
    let mut done: HashMap<(uuid::Uuid, String), DoneStep> = HashMap::new();
    for step in store.done_steps(&keys).await? {
        done.insert((step.connection_key, step.step.clone()), step);
    }
    let grants: Vec<GrantId> = manual.iter().map(|connection| connection.facts.grant).collect();
    let settled = store.settled_scopes(&grants, sets).await?;
    let of = |connection: &&Connection| {
        let facts = &connection.facts;
        let held = settled.get(&facts.grant).copied().unwrap_or_default();
        let required = facts.required.unwrap_or(config.campaign.required);
        let flow = facts.flow.unwrap_or(config.app.flow);
        let listed = steps(flow, held, required).into_iter().map(|step| {
            let done = done.get(&(connection.key.0, step.name.to_owned()));
            Listed {
                done_at: done.map(|done| done.done_at),
                done_by: done.map(|done| done.by_name.clone()),
                step,
            }
        });
        let addresses = connection.people.iter().filter_map(|person| person.person.email.as_ref());
        Checklist {
            connection_id: facts.id.map(|id| id.to_string()),
            connection_key: connection.key.to_string(),
            tenant_name: facts.tenant_name.clone(),
            flow: flow.as_str(),
            ready: connection.standing.readiness == crate::domain::grant::Readiness::Ready,
            people: addresses.map(|address| naming.name(address.key())).collect(),
            steps: listed.collect(),
        }
    };
    Ok(manual.iter().map(of).collect())
}

fn say(format: Format, lists: &[Checklist]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(lists)?),
        Format::Text if lists.is_empty() => writeln!(out, "Nothing is left to people."),
        Format::Text => {
            for list in lists {
                let id = list.connection_id.as_ref().unwrap_or(&list.connection_key);
                let name = list.tenant_name.as_deref().unwrap_or("no name");
                let ready = if list.ready { ", ready" } else { "" };
                writeln!(out, "{id} ({name:?}), {}{ready}", list.flow)?;
                if !list.people.is_empty() {
                    writeln!(out, "  people: {}", list.people.join(" "))?;
                }
                write_steps(&list.steps, &mut out)?;
            }
            Ok(())
        }
    }
}

/// One line for each step, and one for what is for good.
pub(super) fn write_steps(steps: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    for Listed { step, done_at, done_by } in steps {
        let mark = if done_at.is_some() { "x" } else { " " };
        write!(out, "  [{mark}] {:<10} {}", step.name, step.text)?;
        match (done_at, done_by) {
            (Some(at), Some(by)) => writeln!(out, " (done {} by {by})", at.format("%Y-%m-%d"))?,
            _ => writeln!(out)?,
        }
        if let Some(for_good) = step.for_good {
            writeln!(out, "                 For good: {for_good}.")?;
        }
    }
    Ok(())
}

async fn tick(
    context: &Context,
    config: &Config,
    (store, keys): (&Store, &Keys),
    Ticked { id, step, by }: Ticked,
    is_done: bool,
) -> Result<(), Trouble> {
    not_blank(&[("ID", &id), ("--by", &by)])?;
    let sets = &store.scope_sets().await?;
    let found = lookup(store, keys, &id, sets).await?;
    let [connection] = &found[..] else {
        return Err(Trouble::Usage(
            format!("{id:?} names {} connections", found.len()),
            "name one: `worker checklist list` shows their ids".to_owned(),
        ));
    };
    let naming = Naming::Addresses;
    let lists = checklists(store, sets, config, naming, &found).await?;
    let has_step =
        lists.first().is_some_and(|list| list.steps.iter().any(|listed| listed.step.name == step));
    if !has_step {
        return Err(Trouble::Usage(
            format!("{step:?} is no step of this connection's"),
            format!("`worker checklist list {id}` shows them"),
        ));
    }
    let mut out = io::stdout().lock();
    let taken = DoneStep {
        connection_key: connection.key.0,
        step: step.clone(),
        by_name: by,
        done_at: context.now(),
    };
    let text = match (is_done, is_done && store.tick(&taken).await?) {
        (true, true) => format!("Done: {step}."),
        (true, false) => format!("{step} was done before."),
        (false, _) if store.untick(&taken).await? => format!("Open again: {step}."),
        (false, _) => format!("{step} was open."),
    };
    writeln!(out, "{text}")?;
    Ok(())
}
