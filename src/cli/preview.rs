//! `worker preview`

use std::io::{self, Write};

use crate::config::Config;
use crate::delivery::message::{Mailbox, Message};
use crate::delivery::render::RenderError;
use crate::delivery::sample::{CORRECTION, Occasion};
use crate::domain::digest::Digest;
use crate::domain::grant::Readiness;
use crate::domain::win_back::STAGES;
use crate::jobs::exit::Exit;
use crate::jobs::messages::{
    Signing, Unready, correction, follow_up_occasion, renderer, stage_occasion,
};
use crate::jobs::shown::digest_about;

use super::context::{Context, Trouble, environment};

/// In which form a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    /// For a browser.
    Html,
    /// Its bytes, for a mail program.
    Eml,
}

const EXAMPLES: &str = "\
Examples:
  worker preview invitation                          with sample data
  worker preview final-notice --format html > notice.html
  worker preview reminder --connection ID            as that person would get it";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A stage of the campaign, `correction`, or what follows a removal: `crossed`, `removed`,
    /// `removed-reminder`, `removed-last`
    stage: String,
    /// About this connection, to the person responsible for it; otherwise with sample data
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// With links that work, for whoever has them
    #[arg(long)]
    live_link: bool,
}

impl From<Unready> for Trouble {
    fn from(unready: Unready) -> Self {
        let mut what = unready.to_string();
        if let Unready::Templates(problems) = &unready {
            for problem in problems.iter().skip(1) {
                what.push_str(&format!("\n{problem}"));
            }
        }
        Self::Usage(what, unready.remedy())
    }
}

impl From<RenderError> for Trouble {
    fn from(error: RenderError) -> Self {
        Self::Usage(error.to_string(), error.remedy())
    }
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let occasion = occasion(context, config, &arguments.stage)?;
    let signing = if arguments.live_link { Signing::Real } else { Signing::Cut };
    let renderer = renderer(config, signing, &environment)?;
    let digest = match &arguments.connection {
        Some(id) => stored(context, config, &occasion, id).await?,
        None => occasion.sample(),
    };
    let message = renderer.render(&digest)?;
    let mut out = io::stdout().lock();
    match arguments.format {
        Form::Html => out.write_all(message.html.as_bytes())?,
        Form::Eml => out.write_all(&message.to_bytes().map_err(RenderError::from)?)?,
        Form::Text => text(&message, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn occasion(context: &Context, config: &Config, name: &str) -> Result<Occasion, Trouble> {
    if let Some(stage) = config.campaign.stages.iter().find(|stage| stage.name == name) {
        return Ok(stage_occasion(config, stage, context.now()));
    }
    if name == CORRECTION {
        return Ok(correction(config, context.now()));
    }
    if let Some(follow_up) = config.win_back.iter().find(|one| one.stage.name == name) {
        return Ok(follow_up_occasion(config, follow_up, context.now()));
    }
    let stages = config.campaign.stages.iter().map(|stage| stage.name.as_str());
    let names: Vec<&str> = stages.chain([CORRECTION]).chain(STAGES).collect();
    Err(Trouble::Usage(
        format!("the campaign has no stage {name:?}"),
        format!("name one of {}", names.join(", ")),
    ))
}

async fn stored(
    context: &Context,
    config: &Config,
    occasion: &Occasion,
    id: &str,
) -> Result<Digest, Trouble> {
    let (store, keys) = context.existing(config).await?;
    let sets = store.scope_sets().await?;
    let found = super::explain::lookup(&store, &keys, id, &sets).await?;
    // Of several, as for a tenant or an account, one that awaits something.
    let waits =
        found.iter().find(|connection| connection.standing.readiness == Readiness::Awaiting);
    let Some(connection) = waits.or(found.first()) else {
        return Err(Trouble::Usage(
            "nothing is known of that connection".to_owned(),
            "`worker explain ID` finds connections by tenant, person, account or address"
                .to_owned(),
        ));
    };
    if connection.standing.readiness != Readiness::Awaiting {
        tracing::warn!(
            readiness = connection.standing.readiness.as_str(),
            "nobody would be told of this connection: it awaits nothing"
        );
    }
    let digest = digest_about(&store, config, occasion, connection, &sets).await?;
    store.close().await;
    digest.ok_or_else(|| Trouble::from(RenderError::NoAddress))
}

fn text(message: &Message, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "From:     {}", shown(&message.from))?;
    writeln!(out, "To:       {}", shown(&message.to))?;
    if let Some(reply_to) = &message.reply_to {
        writeln!(out, "Reply-To: {}", shown(reply_to))?;
    }
    writeln!(out, "Date:     {}", message.date.to_rfc2822())?;
    writeln!(out, "Subject:  {}\n", message.subject)?;
    write!(out, "{}", message.text)
}

fn shown(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) => format!("{name} <{}>", mailbox.address),
        None => mailbox.address.to_string(),
    }
}
