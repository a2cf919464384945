//! `worker confirm`

use std::io::{self, Write};

use crate::config::Config;
use crate::domain::confirmation::{Confirmation, Facts, Subject};
use crate::jobs::confirming;
use crate::jobs::exit::Exit;
use crate::jobs::workplace::Workplace;

use super::context::{Context, Trouble, fresh_keys, not_blank};
use super::format::Format;

const EXAMPLES: &str = "\
Examples:
  worker confirm link --by ann --note \"went through it with our own organisation\"
  worker confirm database --by ann --note \"restored from the backup of last night; nothing was sent since\"";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What is vouched for
    #[arg(value_enum)]
    what: What,
    /// Who vouches for it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// What was looked at
    #[arg(long, value_name = "TEXT")]
    note: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// The host's page asks for exactly the required scopes
    Link,
    /// An own organisation was removed, reconnected, and seen ready
    Rehearsal,
    /// This database, where it is now, is the one to go on with
    Database,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { what, by, note, format } = arguments;
    not_blank(&[("--by", &by), ("--note", &note)])?;
    let configured = context.configured()?;
    let config = &configured.config;
    if let What::Link = what {
        require_link(config)?;
    }
    let keys = fresh_keys(&mut context.random()?);
    let workplace = Workplace::real(config, &keys).await?;
    let word = Confirmation { by, note, confirmed_at: context.now() };
    let store = &workplace.store;
    let (subject, facts) = match what {
        What::Link => (Subject::Link, confirming::link(config)),
        What::Rehearsal => (Subject::Rehearsal, confirming::rehearsal(config)),
        What::Database => {
            let home = workplace.home().await?.ok_or_else(|| {
                Trouble::CannotRun(
                    "the database has gone".to_owned(),
                    "is its volume mounted? run the command again".to_owned(),
                )
            })?;
            for unknown in home.unknown() {
                tracing::warn!("the database does not tell {unknown}: this cannot be compared");
            }
            store.settle_home(&home, &word).await?;
            (Subject::Database, home.facts)
        }
    };
    if !matches!(what, What::Database) {
        store.confirm(subject, &facts, &word).await?;
    }
    workplace.close().await;
    say(format, subject, &facts, &word)?;
    Ok(Exit::Done)
}

fn require_link(config: &Config) -> Result<(), Trouble> {
    let app = &config.app;
    let missing = match (&app.reconnect_url, &app.redirect_uri) {
        (None, _) => "reconnect_url",
        (_, None) => "redirect_uri",
        _ => return Ok(()),
    };
    Err(Trouble::Usage(
        format!("there is no link to vouch for: [app] {missing} is not written"),
        format!("write `{missing}` under [app]"),
    ))
}

fn say(format: Format, subject: Subject, facts: &Facts, word: &Confirmation) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "confirmed": subject,
                "configuration": facts,
                "by": word.by,
                "note": word.note,
                "confirmed_at": word.confirmed_at,
            });
            writeln!(out, "{document}")
        }
        Format::Text => {
            writeln!(out, "Confirmed by {}: {subject}, as long as none of this changes:", word.by)?;
            for name in facts.names() {
                writeln!(out, "  {name} {}", facts.get(name).unwrap_or_default())?;
            }
            Ok(())
        }
    }
}
