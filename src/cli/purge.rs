//! `worker purge`

use std::io::{self, Write};

use crate::jobs::erasing::kept_until;
use crate::jobs::exit::Exit;
use crate::report::plan_text::counted;
use crate::store::purging::Purged;

use super::context::{Context, Trouble, fresh_keys, moment, not_blank};
use super::forget::NOT_SCRUBBED;
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What is older than this day or time
    #[arg(long, value_name = "DATE")]
    before: String,
    /// At the end of the retention: erase everybody, and destroy the key of the pseudonyms
    #[arg(long)]
    destroy_key: bool,
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { before, destroy_key, by, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let configured = context.configured()?;
    let config = &configured.config;
    let (now, before) = (context.now(), moment("--before", &before, config)?);
    if before > now {
        return Err(Trouble::Usage(
            "--before is yet to come".to_owned(),
            "name a day that has been".to_owned(),
        ));
    }
    let until = kept_until(config);
    if destroy_key && now < until {
        let day = until.with_timezone(&config.campaign.zone).format("%Y-%m-%d");
        return Err(Trouble::Usage(
            format!("people's data is kept until {day}: the key is still needed"),
            "without it nobody could be told from anybody else, and a person who was forgotten \
             might be written to again; see [retention] days_after_deadline"
                .to_owned(),
        ));
    }
    let (store, _) = context.existing(config).await?;
    let purged = match destroy_key {
        true => {
            let fresh = fresh_keys(&mut context.random()?);
            store.close_campaign(&by, now, &fresh).await?
        }
        false => store.purge(before, &by, now).await?,
    };
    let is_scrubbed = store.scrub().await?;
    store.close().await;
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "before": if destroy_key { now } else { before },
                "by": by,
                "erased": purged,
                "key_destroyed": destroy_key,
                "file_rewritten": is_scrubbed,
            });
            writeln!(out, "{document}")?;
        }
        Format::Text => {
            say(&purged, &mut out)?;
            if destroy_key {
                writeln!(
                    out,
                    "The key is destroyed: nothing that is kept names anybody any more, and no run"
                )?;
                writeln!(out, "works on this database again. `worker audit verify` still does.")?;
            }
            if !is_scrubbed {
                writeln!(out, "{NOT_SCRUBBED}")?;
            }
        }
    }
    Ok(Exit::Done)
}

fn say(purged: &Purged, out: &mut dyn Write) -> io::Result<()> {
    let Purged { prompts, people, connections, exemptions, suppressions, texts } = *purged;
    writeln!(out, "Erased; what was sent, promised and decided stays, by pseudonym:")?;
    writeln!(out, "  what was said   {}", counted(prompts, "message"))?;
    writeln!(out, "  who they are    {}", counted(people, "row"))?;
    writeln!(out, "  whose they were {}", counted(connections, "connection"))?;
    let ended = counted(exemptions, "exemption");
    let suppressed = counted(suppressions, "suppression");
    writeln!(out, "  beside it       {ended}, {suppressed}, named in {}", counted(texts, "text"))
}
