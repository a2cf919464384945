//! `worker exempt`

use std::io::{self, Write};

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::config::Config;
use crate::domain::calendar::midnight;
use crate::domain::recipient::exemption_id;
use crate::jobs::exit::Exit;
use crate::jobs::workplace::Workplace;
use crate::report::plan_text::counted;
use crate::store::exemptions::Exemption;

use super::context::{Context, Trouble, fresh_keys, moment, not_forgotten};
use super::format::Format;
use super::table::table;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// No prompts and no removals for a while; replaces an exemption of the same id
    Add {
        /// A connection, tenant, person, account or address
        id: String,
        /// To the end of this day in the campaign's zone, or to a time
        #[arg(long, value_name = "DATE")]
        until: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[arg(long, value_name = "NAME")]
        by: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// All exemptions, ended ones included
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// End an exemption
    Remove {
        id: String,
        #[arg(long, value_name = "NAME", default_value = "operator")]
        by: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let keys = fresh_keys(&mut context.random()?);
    let (store, keys) = match &command {
        Command::List { .. } => context.existing(&configured.config).await?,
        Command::Add { .. } | Command::Remove { .. } => {
            let Workplace { store, keys, .. } = Workplace::real(&configured.config, &keys).await?;
            (store, keys)
        }
    };
    let mut out = io::stdout();
    match command {
        Command::Add { id, until, reason, by, format } => {
            for (name, value) in [("ID", &id), ("--reason", &reason), ("--by", &by)] {
                if value.trim().is_empty() {
                    return Err(Trouble::Usage(
                        format!("{name} is empty"),
                        "say whom, why and who says so".into(),
                    ));
                }
            }
            let exemption = Exemption {
                id: exemption_id(&id),
                until: end_of(&until, &configured.config)?,
                reason,
                by,
                added_at: context.now(),
            };
            if exemption.until <= context.now() {
                return Err(Trouble::Usage(
                    format!("--until {until} has passed"),
                    "name a day to come".to_owned(),
                ));
            }
            not_forgotten(&store, &keys, &exemption.id).await?;
            store.add_exemption(&exemption).await?;
            let sets = store.scope_sets().await?;
            let known = find(&store, &keys, &exemption.id, &sets).await?;
            match format {
                Format::Json => writeln!(out, "{}", as_json(&exemption, Some(known)))?,
                Format::Text => {
                    let zone = configured.config.campaign.zone;
                    let until = exemption.until.with_timezone(&zone).format("%Y-%m-%d %H:%M");
                    writeln!(
                        out,
                        "Exempt until {until} ({}): {}.",
                        zone.name(),
                        counted(known as u64, "known connection")
                    )?;
                    if known == 0 {
                        writeln!(
                            out,
                            "Nothing known has this id yet; it will count as soon as something does."
                        )?;
                    }
                }
            }
        }
        Command::List { format } => {
            let exemptions = store.exemptions().await?;
            match format {
                Format::Json => {
                    let list: Vec<serde_json::Value> =
                        exemptions.iter().map(|exemption| as_json(exemption, None)).collect();
                    writeln!(out, "{}", serde_json::Value::Array(list))?;
                }
                Format::Text if exemptions.is_empty() => writeln!(out, "No exemptions.")?,
                Format::Text => {
                    let mut table = table(&["id", "until", "by", "reason"]);
                    for exemption in &exemptions {
                        let until = exemption.until.with_timezone(&configured.config.campaign.zone);
                        let ended = if exemption.until <= context.now() { " (ended)" } else { "" };
                        table.add_row([
                            exemption.id.clone(),
                            format!("{}{ended}", until.format("%Y-%m-%d %H:%M")),
                            exemption.by.clone(),
                            exemption.reason.clone(),
                        ]);
                    }
                    writeln!(out, "{}", table.trim_fmt())?;
                }
            }
        }
        Command::Remove { id, by, format } => {
            let id = exemption_id(&id);
            if !store.remove_exemption(&id, &by, context.now()).await? {
                return Err(Trouble::Usage(
                    "there is no such exemption".to_owned(),
                    "`worker exempt list` shows all".to_owned(),
                ));
            }
            match format {
                Format::Json => writeln!(out, "{}", serde_json::json!({"removed": id}))?,
                Format::Text => writeln!(out, "The exemption has ended.")?,
            }
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

/// A day counts to its end, so that nobody is written to on the last day of their exemption.
fn end_of(text: &str, config: &Config) -> Result<DateTime<Utc>, Trouble> {
    match text.parse::<NaiveDate>() {
        Ok(day) => {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            Ok(midnight(config.campaign.zone, next))
        }
        Err(_) => moment("--until", text, config),
    }
}

async fn find(
    store: &crate::store::Store,
    keys: &crate::store::settings::Keys,
    id: &str,
    sets: &crate::store::ScopeSets,
) -> Result<usize, Trouble> {
    Ok(super::explain::lookup(store, keys, id, sets).await?.len())
}

fn as_json(exemption: &Exemption, known: Option<usize>) -> serde_json::Value {
    let mut value = serde_json::json!({
        "id": exemption.id,
        "until": exemption.until,
        "reason": exemption.reason,
        "by": exemption.by,
        "added_at": exemption.added_at,
    });
    if let (Some(known), Some(object)) = (known, value.as_object_mut()) {
        object.insert("known_connections".to_owned(), known.into());
    }
    value
}
