//! `worker pause` and `worker resume`

use std::io::{self, Write};

use crate::jobs::exit::Exit;
use crate::jobs::workplace::Workplace;
use crate::store::pauses::Pause;

use super::context::{Context, Trouble, fresh_keys, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct PauseArguments {
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[arg(long, value_name = "NAME")]
    by: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResumeArguments {
    #[arg(long, value_name = "NAME")]
    by: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A pause may come before the first run, so it makes the database if need be.
async fn workplace(context: &Context) -> Result<(Workplace, chrono_tz::Tz), Trouble> {
    let configured = context.configured()?;
    let keys = fresh_keys(&mut context.random()?);
    let workplace = Workplace::real(&configured.config, &keys).await?;
    Ok((workplace, configured.config.campaign.zone))
}

pub(super) async fn pause(context: &Context, arguments: PauseArguments) -> Result<Exit, Trouble> {
    let PauseArguments { reason, by, format } = arguments;
    not_blank(&[("--reason", &reason), ("--by", &by)])?;
    let (workplace, zone) = workplace(context).await?;
    let pause = Pause { paused_at: context.now(), reason, by };
    let before = workplace.store.pause(&pause).await?;
    workplace.close().await;
    let mut out = io::stdout().lock();
    match (format, &before) {
        (Format::Json, _) => {
            let in_force = before.as_ref().unwrap_or(&pause);
            let was_paused = before.is_some();
            writeln!(out, "{}", serde_json::json!({"paused": in_force, "was_paused": was_paused}))?;
        }
        (Format::Text, None) => {
            writeln!(out, "Paused: no replica sends or removes anything until `worker resume`.")?;
            writeln!(out, "What is on its way at this moment still arrives.")?;
        }
        (Format::Text, Some(before)) => {
            let since = before.paused_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
            let Pause { by, reason, .. } = before;
            writeln!(out, "Paused already, since {since} ({}) by {by}: {reason}", zone.name())?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn resume(context: &Context, arguments: ResumeArguments) -> Result<Exit, Trouble> {
    let ResumeArguments { by, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let (workplace, zone) = workplace(context).await?;
    let ended = workplace.store.resume(&by, context.now()).await?;
    workplace.close().await;
    let mut out = io::stdout().lock();
    match (format, &ended) {
        (Format::Json, _) => writeln!(out, "{}", serde_json::json!({"resumed": ended}))?,
        (Format::Text, None) => writeln!(out, "Nothing was paused.")?,
        (Format::Text, Some(pause)) => {
            let since = pause.paused_at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
            let Pause { by, reason, .. } = pause;
            writeln!(
                out,
                "Resumed. It was paused since {since} ({}) by {by}: {reason}",
                zone.name()
            )?;
        }
    }
    Ok(Exit::Done)
}
