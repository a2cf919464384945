//! `worker settle`

use std::io::{self, Write};

use uuid::Uuid;

use crate::config::Config;
use crate::domain::digest::{named_prompt, reference};
use crate::domain::ids::ConnectionId;
use crate::jobs::exit::Exit;
use crate::store::settling::Became;

use super::context::{Context, Trouble, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The prompt's id, or its short reference, such as XC-1A2B3-4C5D6; with `--as not-removed`
    /// Xero's id of the connection
    prompt: String,
    /// What became of it
    #[arg(long = "as", value_enum)]
    became: As,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum As {
    /// It arrived: the recipient has been told
    Sent,
    /// It never left: it goes out again
    NotSent,
    /// A removal that was set aside: somebody has looked at the connection, and it may be tried
    /// again
    NotRemoved,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { prompt, became, by, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let configured = context.configured()?;
    let (became, word, state) = match became {
        As::Sent => (Became::Sent, "sent", "sent"),
        As::NotSent => (Became::NotSent, "not-sent", "queued"),
        As::NotRemoved => return lift(context, &configured.config, &prompt, &by, format).await,
    };
    let Some(digits) = named_prompt(&prompt) else {
        return Err(Trouble::Usage(
            format!("{prompt:?} names no prompt"),
            "give its id, or the reference of its message, such as XC-1A2B3-4C5D6".to_owned(),
        ));
    };
    let (store, _) = context.existing(&configured.config).await?;
    let found = store.prompts_beginning(&digits).await?;
    let [head] = &found[..] else {
        let what = match found.len() {
            0 => "there is no such prompt in this database".to_owned(),
            _ => format!("{prompt} may be any of several prompts"),
        };
        return Err(Trouble::Usage(what, "give the prompt's whole id".to_owned()));
    };
    let settled = head.state == "unknown"
        && store.settle_prompt(head.prompt_id, became, &by, context.now()).await?;
    if !settled {
        // It may have been settled by somebody else since it was looked up.
        let state = match head.state.as_str() {
            "unknown" => "no longer unknown",
            state => state,
        };
        return Err(Trouble::Usage(
            format!("{} is {state}: there is nothing to settle", reference(head.prompt_id)),
            "only a prompt whose outcome is unknown can be settled".to_owned(),
        ));
    }
    store.close().await;
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "prompt": head.prompt_id,
                "reference": reference(head.prompt_id),
                "settled_as": word,
                "state": state,
                "by": by,
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => {
            let reference = reference(head.prompt_id);
            match became {
                Became::Sent => writeln!(out, "{reference} counts as sent.")?,
                Became::NotSent => writeln!(out, "{reference} is queued, and goes out again.")?,
            }
        }
    }
    Ok(Exit::Done)
}

/// Lets a removal be tried again that was set aside.
async fn lift(
    context: &Context,
    config: &Config,
    connection: &str,
    by: &str,
    format: Format,
) -> Result<Exit, Trouble> {
    let Ok(id) = connection.trim().parse::<Uuid>() else {
        return Err(Trouble::Usage(
            format!("{connection:?} names no connection"),
            "give Xero's id of the connection whose removal was set aside".to_owned(),
        ));
    };
    let (store, _) = context.existing(config).await?;
    let lifted = store.lift_set_aside(ConnectionId(id), by, context.now()).await?;
    store.close().await;
    if lifted == 0 {
        return Err(Trouble::Usage(
            format!("no removal of the connection {id} is set aside"),
            "`worker explain` tells what became of it".to_owned(),
        ));
    }
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "connection": id, "settled_as": "not-removed", "state": "queued", "by": by,
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => writeln!(
            out,
            "{id} may be removed again: by a run, as long as its plan is valid, or by a new plan."
        )?,
    }
    Ok(Exit::Done)
}
