//! `worker suppress`

use std::io::{self, Write};

use crate::jobs::exit::Exit;
use crate::jobs::workplace::Workplace;
use crate::store::suppressions::Suppression;

use super::context::{Context, Trouble, address as parsed, fresh_keys, not_forgotten};
use super::format::Format;
use super::table::table;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Never write to this address
    Add {
        address: String,
        #[arg(long, value_name = "TEXT", default_value = "asked for")]
        reason: String,
        #[arg(long, value_name = "NAME", default_value = "operator")]
        by: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// All suppressed addresses, those that mail servers refused included
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write to this address again
    Remove {
        address: String,
        #[arg(long, value_name = "NAME", default_value = "operator")]
        by: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let (store, keys) = match &command {
        Command::List { .. } => context.existing(&configured.config).await?,
        Command::Add { .. } | Command::Remove { .. } => {
            let keys = fresh_keys(&mut context.random()?);
            let Workplace { store, keys, .. } = Workplace::real(&configured.config, &keys).await?;
            (store, keys)
        }
    };
    let mut out = io::stdout();
    match command {
        Command::Add { address, reason, by, format } => {
            let key = parsed(&address)?.key().to_owned();
            not_forgotten(&store, &keys, &key).await?;
            let suppression = Suppression { recipient: key, reason, by, added_at: context.now() };
            let added = store.suppress(std::slice::from_ref(&suppression)).await? > 0;
            match format {
                Format::Json => {
                    let address = &suppression.recipient;
                    writeln!(out, "{}", serde_json::json!({"address": address, "added": added}))?;
                }
                Format::Text if added => writeln!(out, "Nothing is sent to it any more.")?,
                Format::Text => writeln!(out, "It was suppressed already; that stays as it is.")?,
            }
        }
        Command::List { format } => {
            let suppressions = store.suppressions().await?;
            match format {
                Format::Json => writeln!(out, "{}", serde_json::json!(suppressions))?,
                Format::Text if suppressions.is_empty() => {
                    writeln!(out, "No address is suppressed.")?;
                }
                Format::Text => {
                    let zone = configured.config.campaign.zone;
                    let mut table = table(&["address", "since", "by", "reason"]);
                    for Suppression { recipient, reason, by, added_at } in suppressions {
                        let since = added_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
                        table.add_row([recipient, since.to_string(), by, reason]);
                    }
                    writeln!(out, "{}", table.trim_fmt())?;
                }
            }
        }
        Command::Remove { address, by, format } => {
            let address = parsed(&address)?.key().to_owned();
            if !store.unsuppress(&address, &by, context.now()).await? {
                return Err(Trouble::Usage(
                    "this address is not suppressed".to_owned(),
                    "`worker suppress list` shows all that are".to_owned(),
                ));
            }
            match format {
                Format::Json => writeln!(out, "{}", serde_json::json!({"removed": address}))?,
                Format::Text => writeln!(out, "It may be written to again.")?,
            }
        }
    }
    store.close().await;
    Ok(Exit::Done)
}
