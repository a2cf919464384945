//! `worker accept-scan`

use std::io::{self, Write};

use crate::jobs::exit::Exit;

use super::context::{Context, Trouble, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the stopped scan printed
    digest: String,
    /// Who takes the responsibility
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why the scan is right
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let digest = arguments.digest.trim().to_ascii_lowercase();
    if digest.len() != 32 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Trouble::Usage(
            format!("{:?} is no digest of a scan", arguments.digest),
            "give the 32 hexadecimal digits that the stopped scan printed".to_owned(),
        ));
    }
    not_blank(&[("--by", &arguments.by), ("--reason", &arguments.reason)])?;
    let (store, _) = context.existing(&configured.config).await?;
    let stopped_at = store.stopped_scan(&digest).await?;
    store.accept_scan(&digest, &arguments.by, &arguments.reason, context.now()).await?;
    store.close().await;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Json => {
            writeln!(out, "{}", serde_json::json!({"digest": digest, "stopped_at": stopped_at}))?;
        }
        Format::Text => {
            writeln!(
                out,
                "The next scan with exactly this effect passes once, by {}.",
                arguments.by
            )?;
            if stopped_at.is_none() {
                writeln!(
                    out,
                    "No scan with this digest was stopped here so far (a dry run leaves no trace)."
                )?;
            }
        }
    }
    Ok(Exit::Done)
}
