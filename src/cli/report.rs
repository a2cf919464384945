//! `worker report`

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use chrono::NaiveDate;

use crate::domain::forecast::Scenario;
use crate::jobs::exit::Exit;
use crate::jobs::reporting::{About, gather};
use crate::report::form::Form;
use crate::report::publish::publish;

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
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, _) = context.existing(config).await?;
    let about =
        About { is_shown: arguments.show_addresses, since: arguments.since, what_if: &what_if };
    let document = gather(config, &store, context.now(), &about).await?;
    store.close().await;
    match &arguments.out {
        Some(path) => {
            let form = arguments.format.unwrap_or_else(|| Form::of_ending(path));
            publish(path, |out| form.write(&document, &config.campaign, out)).map_err(|error| {
                Trouble::CannotRun(error.to_string(), error.remedy().to_owned())
            })?;
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let form = arguments.format.unwrap_or_default();
            form.write(&document, &config.campaign, &mut out)?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}
