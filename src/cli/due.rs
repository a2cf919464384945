//! `worker due`

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::domain::decide::{Rules, Told};
use crate::domain::scopes::{Scope, ScopeSet};
use crate::jobs::exit::Exit;
use crate::jobs::run::exemptions_in_force;
use crate::report::pseudonym::Naming;
use crate::store::awaiting::Walk;

use super::context::{Context, Trouble, moment, shows_addresses};

/// In which form the due people are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum DueFormat {
    Text,
    /// One JSON object a line.
    Jsonl,
    /// The same as jsonl.
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As if it were this day or time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Show addresses also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: DueFormat,
}

/// One person due at one stage, for one grant.
#[derive(Serialize)]
struct Due<'a> {
    stage: &'a str,
    recipient: String,
    name: Option<String>,
    locale: Option<String>,
    time_zone: Option<&'static str>,
    channels: Vec<String>,
    deadline: chrono::DateTime<chrono::Utc>,
    grant: String,
    required: Vec<&'static str>,
    connections: Vec<DueConnection>,
}

#[derive(Serialize)]
struct DueConnection {
    connection_id: Option<String>,
    connection_key: String,
    tenant_id: String,
    tenant_name: Option<String>,
    account_id: Option<String>,
    missing: Vec<&'static str>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, keys) = context.existing(config).await?;
    let now = match &arguments.at {
        Some(at) => moment("--at", at, config)?,
        None => context.now(),
    };
    let exemptions = exemptions_in_force(&store, &context.clock).await?;
    let rules = Rules {
        campaign: &config.campaign,
        prompts: &config.prompts,
        removal: None,
        exemptions: &exemptions,
        founded_at: store.founded_at().await?.unwrap_or(now),
        now,
    };
    let naming = match shows_addresses(arguments.show_addresses) {
        true => Naming::Addresses,
        false => Naming::Pseudonyms(&keys.pseudonym),
    };
    let sets = store.scope_sets().await?;
    let mut walk = Walk::default();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut people: u64 = 0;
    if rules.something_may_be_due() {
        loop {
            let page = store.next_awaiting(&mut walk, &sets).await?;
            if page.is_empty() {
                break;
            }
            let ids: Vec<_> =
                page.iter().filter_map(|grant| Some(grant.first()?.facts.grant)).collect();
            let settled = store.settled_scopes(&ids, &sets).await?;
            for connections in page {
                let Some(grant) = connections.first().map(|connection| connection.facts.grant)
                else {
                    continue;
                };
                let held = settled.get(&grant).copied().unwrap_or_default();
                let decision = rules.decide(&connections, held, |_| Told::default());
                let mut by_person: BTreeMap<String, Due<'_>> = BTreeMap::new();
                for line in &decision.prompts {
                    let recipient = line.party.recipient.key();
                    let due = by_person.entry(recipient.clone()).or_insert_with(|| Due {
                        stage: &line.stage.name,
                        recipient: naming.name(&recipient),
                        name: line.party.name.clone(),
                        locale: line.party.locale.clone(),
                        time_zone: line.party.zone.map(|zone| zone.name()),
                        channels: Vec::new(),
                        deadline: config.campaign.deadline,
                        grant: grant.to_string(),
                        required: names(config.campaign.required),
                        connections: Vec::new(),
                    });
                    let channel = line.channel.to_string();
                    if !due.channels.contains(&channel) {
                        due.channels.push(channel);
                    }
                    let key = line.connection.to_string();
                    if due.connections.iter().any(|known| known.connection_key == key) {
                        continue;
                    }
                    let Some(connection) =
                        connections.iter().find(|connection| connection.key == line.connection)
                    else {
                        continue;
                    };
                    due.connections.push(DueConnection {
                        connection_id: connection.facts.id.map(|id| id.to_string()),
                        connection_key: key,
                        tenant_id: connection.facts.tenant.to_string(),
                        tenant_name: connection.facts.tenant_name.clone(),
                        account_id: connection.facts.account.clone(),
                        missing: names(line.missing),
                    });
                }
                for due in by_person.values() {
                    people += 1;
                    print(due, arguments.format, &mut out)?;
                }
            }
        }
    }
    store.close().await;
    if arguments.format == DueFormat::Text && people == 0 {
        writeln!(out, "Nobody is due now.")?;
        if let Some(stage) = config.campaign.next_stage(now) {
            let opens = config.campaign.opens(stage).with_timezone(&config.campaign.zone);
            writeln!(
                out,
                "The next stage, {}, opens on {}.",
                stage.name,
                opens.format("%Y-%m-%d")
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn names(scopes: ScopeSet) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

fn print(due: &Due<'_>, format: DueFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        DueFormat::Jsonl | DueFormat::Json => {
            writeln!(out, "{}", serde_json::to_string(due)?)
        }
        DueFormat::Text => {
            let count = due.connections.len();
            let unit = if count == 1 { "connection" } else { "connections" };
            writeln!(out, "{:<16} {:<32} {count} {unit}", due.stage, due.recipient)
        }
    }
}
