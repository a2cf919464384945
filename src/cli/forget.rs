//! `worker forget`

use std::io::{self, Write};

use crate::domain::pseudonym::pseudonym;
use crate::jobs::erasing;
use crate::jobs::exit::Exit;
use crate::report::plan_text::counted;
use crate::store::forgotten::{Erased, Forgetting};

use super::context::{Context, Trouble, address, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The person, by address
    address: String,
    /// Who decided it
    #[arg(long, value_name = "NAME")]
    by: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { address: typed, by, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let address = address(&typed)?;
    let configured = context.configured()?;
    let (store, keys) = context.existing(&configured.config).await?;
    let erased = match erasing::forget(&store, &context.clock, &address, &by).await? {
        Forgetting::Done(erased) => erased,
        Forgetting::InFlight => {
            return Err(Trouble::CannotRun(
                "a message to this person is being handed over: nothing was erased".to_owned(),
                "run the command again in a minute, or `worker pause` first".to_owned(),
            ));
        }
    };
    let is_scrubbed = store.scrub().await?;
    store.close().await;
    let name = pseudonym(&keys.pseudonym, address.key());
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "person": name, "by": by, "erased": erased, "file_rewritten": is_scrubbed,
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => say(&erased, &name, is_scrubbed, &mut out)?,
    }
    Ok(Exit::Done)
}

fn say(erased: &Erased, name: &str, is_scrubbed: bool, out: &mut dyn Write) -> io::Result<()> {
    let Erased { people, prompts, withdrawn, suppressions, exemptions, texts } = *erased;
    writeln!(out, "Erased; in what is kept this person is {name} from now on.")?;
    writeln!(out, "  who they are    {}", counted(people, "row"))?;
    writeln!(
        out,
        "  what was said   {}, {withdrawn} of them not sent yet",
        counted(prompts, "message")
    )?;
    if suppressions + exemptions + texts > 0 {
        let kept = counted(texts, "text");
        writeln!(
            out,
            "  beside it       suppressed {suppressions}, exempt {exemptions}, named in {kept}"
        )?;
    }
    writeln!(
        out,
        "Nothing is ever sent to this person again, and none of their connections removed,"
    )?;
    writeln!(
        out,
        "also if your inventory goes on listing them: that is yours to erase, like files of"
    )?;
    writeln!(out, "messages, backups, logs of mail servers, and what webhooks were told.")?;
    if !is_scrubbed {
        writeln!(out, "{NOT_SCRUBBED}")?;
    }
    Ok(())
}

/// What to say when another process kept the file from being written anew.
pub(super) const NOT_SCRUBBED: &str = "Another process reads the database: deleted text is left \
     in worker.db-wal until that ends.";
