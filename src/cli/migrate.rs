//! `worker migrate`

use std::io::{self, Write};

use crate::jobs::exit::Exit;
use crate::jobs::workplace::database;
use crate::store::{SCHEMA_VERSION, SchemaState};

use super::context::{Context, Trouble};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let store = database(&configured.config)?.open().await?;
    let before = match store.migrate().await? {
        SchemaState::Empty => 0,
        SchemaState::Version(version) => version,
    };
    store.close().await;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Json => {
            writeln!(out, "{}", serde_json::json!({"before": before, "after": SCHEMA_VERSION}))?
        }
        Format::Text if before == SCHEMA_VERSION => {
            writeln!(out, "The schema is up to date: version {SCHEMA_VERSION}.")?;
        }
        Format::Text => {
            writeln!(out, "Migrated the schema from version {before} to {SCHEMA_VERSION}.")?
        }
    }
    Ok(Exit::Done)
}
