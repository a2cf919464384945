//! `worker settle`

use std::io::{self, Write};

use crate::domain::digest::{named_prompt, reference};
use crate::jobs::exit::Exit;
use crate::store::settling::Became;

use super::context::{Context, Trouble, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The prompt's id, or its short reference, such as XC-1A2B3-4C5D6
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
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { prompt, became, by, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let configured = context.configured()?;
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
    let (became, word, state) = match became {
        As::Sent => (Became::Sent, "sent", "sent"),
        As::NotSent => (Became::NotSent, "not-sent", "queued"),
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
