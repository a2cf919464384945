//! `worker report`

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use chrono::NaiveDate;

use crate::config::Config;
use crate::domain::forecast::Scenario;
use crate::jobs::exit::Exit;
use crate::jobs::reporting::{About, gather};
use crate::report::document::Document;
use crate::report::form::Form;
use crate::report::publish::publish;
use crate::report::together::Together;

use super::context::{Context, Trouble};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// csv is the campaign day by day, html one page for a browser; with --out, what its ending says
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Write it there, whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compare with this day instead of a week ago
    #[arg(long, value_name = "DAY")]
    since: Option<NaiveDate>,
    /// What would come of stage.NAME=DAYS_BEFORE, max_per_day=N, max_per_run=N, ramp=none or
    /// opens_days_before=DAYS; several with commas; may be given again
    #[arg(long, value_name = "CHANGES")]
    what_if: Vec<String>,
    /// Show names and addresses
    #[arg(long)]
    show_addresses: bool,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let what_if = arguments.what_if.iter().map(|text| {
        let read = text.parse::<Scenario>();
        read.map_err(|error| {
            Trouble::Usage(format!("--what-if: {error}"), error.remedy().to_owned())
        })
    });
    let what_if = what_if.collect::<Result<Vec<_>, _>>()?;
    let about =
        About { is_shown: arguments.show_addresses, since: arguments.since, what_if: &what_if };
    if let Some(configs) = context.several()? {
        let together = Together::new(of_several(context, &configs, &about).await?);
        write(&arguments, &|form, out| together.write(form, out))?;
        return Ok(Exit::Done);
    }
    let config = &context.configured()?.config;
    let document = of_one(context, config, &about).await?;
    write(&arguments, &|form, out| form.write(&document, &config.campaign, out))?;
    Ok(Exit::Done)
}

async fn of_one(
    context: &Context,
    config: &Config,
    about: &About<'_>,
) -> Result<Document, Trouble> {
    let (store, _) = context.existing(config).await?;
    let document = gather(config, &store, context.now(), about).await?;
    store.close().await;
    Ok(document)
}

/// The documents of several apps, in the order of their configurations.
async fn of_several(
    context: &Context,
    configs: &[Config],
    about: &About<'_>,
) -> Result<Vec<Document>, Trouble> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = configs.iter().find(|config| !seen.insert(&config.app.client_id)) {
        return Err(Trouble::Usage(
            format!("two of the configurations are of the app {:?}", twice.app.client_id),
            "name one configuration of each app, so that nothing is counted twice".to_owned(),
        ));
    }
    let mut documents = Vec::new();
    for config in configs {
        documents.push(of_one(context, config, about).await?);
    }
    Ok(documents)
}

type Writing<'a> = &'a dyn Fn(Form, &mut dyn Write) -> io::Result<()>;

/// Writes to where it was asked for.
fn write(arguments: &Arguments, writing: Writing<'_>) -> Result<(), Trouble> {
    match &arguments.out {
        Some(path) => {
            let form = arguments.format.unwrap_or_else(|| Form::of_ending(path));
            publish(path, |out| writing(form, out))
                .map_err(|error| Trouble::CannotRun(error.to_string(), error.remedy().to_owned()))
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            writing(arguments.format.unwrap_or_default(), &mut out)?;
            Ok(out.flush()?)
        }
    }
}
