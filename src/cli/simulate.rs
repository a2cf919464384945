//! `worker simulate`

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, JoinHandle};

use crate::config::Config;
use crate::inventory::KeptRow;
use crate::jobs::Failure;
use crate::jobs::exit::Exit;
use crate::jobs::progress::Watcher as _;
use crate::jobs::workplace::Workplace;
use crate::report::calendar::Simulated;
use crate::report::publish::{publish, try_place};
use crate::simulation::assume::Assumptions;
use crate::simulation::{Asked, Begun, Elapsed, begins, end, from_history, keys, simulate};

use super::context::{Context, Trouble, environment, moment, read, shows_addresses};
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  worker --config builtin simulate                       an invented company's campaign
  worker simulate --seed 7 --format html --out 7.html    other customers, as a page
  worker simulate --against fewer-stages.toml            the same customers, told otherwise
  worker simulate --assume history                       customers as they were so far
  worker simulate --until 2027-03-01                     the first months only";

/// Longer than any campaign lasts.
const FARTHEST: TimeDelta = TimeDelta::days(3650);

/// How often it is looked how far a simulation is.
const LOOKS: Duration = Duration::from_millis(100);

/// What stands in the place of a file for the campaign's own history.
const HISTORY: &str = "history";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Play up to this day or time, in place of the end of the campaign
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Whose customers: the same number gives the same ones on every machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How customers behave: docs/simulation.md has a file to copy. `history` makes it from how
    /// they behaved so far; a file of that name is ./history
    #[arg(long, value_name = "FILE|history")]
    assume: Option<PathBuf>,
    /// Play the same customers under this configuration too, and tell what differs
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// html is one page for a browser; with --out, what its ending says
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Write it there, whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show addresses also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
    Html,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = configured.config;
    let is_history = arguments.assume.as_deref() == Some(Path::new(HISTORY));
    let written = match &arguments.assume {
        Some(path) if !is_history => Assumptions::read(path)
            .map_err(|error| Trouble::Usage(error.to_string(), error.remedy().to_owned()))?,
        _ => Assumptions::default(),
    };
    let against = match &arguments.against {
        Some(path) => Some((read(path)?, path.display().to_string())),
        None => None,
    };
    let now = context.now();
    let until = match &arguments.until {
        Some(text) => Some(later("--until", text, now, &config)?),
        None => None,
    };
    may_begin(&config, until, now)?;
    if let Some(path) = &arguments.out {
        try_place(path).map_err(Failure::from)?;
    }
    let seed = arguments.seed;
    let workplace = Workplace::copy(&config, &keys(seed)).await?;
    let (assumptions, grounds) = match is_history {
        true => from_history(&config, &workplace.store).await.map_err(Failure::from)?,
        false => (written, Vec::new()),
    };
    let mut reader = workplace.inventory(&config, configured.is_builtin, &environment).await?;
    let mut rows = Vec::new();
    while let Some(batch) = reader.next().await.map_err(Failure::from)? {
        rows.extend(batch.rows().map(|raw| KeptRow::of(&raw)));
        reader.recycle(batch);
    }
    workplace.close().await;
    let is_shown = shows_addresses(arguments.show_addresses);
    let zone = config.campaign.zone;
    let elapsed = Arc::new(Elapsed::default());
    let so_far = Arc::clone(&elapsed);
    let played = tokio::task::spawn_blocking(move || {
        // What each of thousands of runs would log is nobody's reading.
        let _silent =
            tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let against = against.as_ref().map(|(config, name)| (config, name.clone()));
        let begun = Begun { config: &config, against, rows: &rows, now };
        let (assumptions, grounds) = (&assumptions, &grounds);
        let elapsed = &*elapsed;
        let asked = Asked { seed, assumptions, grounds, until, is_shown, skips: true, elapsed };
        runtime.block_on(simulate(&begun, &asked))
    });
    let played = watched(played, &so_far, &Watch::new(context.terminal.clone())).await;
    let simulated = played.map_err(|error| io::Error::other(error.to_string()))??;
    match &arguments.out {
        Some(path) => {
            let form = arguments.format.unwrap_or_else(|| of_ending(path));
            publish(path, |out| write(form, &simulated, zone, out)).map_err(Failure::from)?;
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            write(arguments.format.unwrap_or(Form::Text), &simulated, zone, &mut out)?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}

/// Waits for a simulation, and says meanwhile how far it is.
async fn watched<T>(
    mut played: JoinHandle<T>,
    elapsed: &Elapsed,
    watch: &Watch,
) -> Result<T, JoinError> {
    let mut interval = tokio::time::interval(LOOKS);
    let played = loop {
        tokio::select! {
            played = &mut played => break played,
            _ = interval.tick() => {
                if let Some((days, total)) = elapsed.days() {
                    watch.simulating(days, total);
                }
            }
        }
    };
    watch.done();
    played
}

/// There has to be something to play.
fn may_begin(
    config: &Config,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Trouble> {
    let day = |at: DateTime<Utc>| at.with_timezone(&config.campaign.zone).format("%Y-%m-%d %H:%M");
    let last = until.unwrap_or_else(|| end(config));
    if last <= now {
        return Err(Trouble::Usage(
            format!("the campaign is over since {}: there is nothing left to play", day(last)),
            "write a deadline under [campaign] that is still to come, or name a day with --until"
                .to_owned(),
        ));
    }
    match begins(config, now) {
        Some(first) if first <= last => Ok(()),
        Some(first) => Err(Trouble::Usage(
            format!("no job begins by {}: the first does at {}", day(last), day(first)),
            "name a later time with --until".to_owned(),
        )),
        None => Err(Trouble::Usage(
            "no job ever begins by its schedule".to_owned(),
            "write a `schedule` under [[jobs]] that comes about".to_owned(),
        )),
    }
}

/// A time that is still to come.
fn later(
    option: &str,
    text: &str,
    now: DateTime<Utc>,
    config: &Config,
) -> Result<DateTime<Utc>, Trouble> {
    let at = moment(option, text, config)?;
    if at - now > FARTHEST {
        return Err(Trouble::Usage(
            format!("{option} {text} is more than {} years away", FARTHEST.num_days() / 365),
            "name an earlier day, or leave it out to play to the end of the campaign".to_owned(),
        ));
    }
    if at > now {
        return Ok(at);
    }
    Err(Trouble::Usage(
        format!("{option} {text} has passed: a simulation begins now"),
        "name a later day, or leave it out to play to the end of the campaign".to_owned(),
    ))
}

fn of_ending(path: &Path) -> Form {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Form::Json,
        Some("txt") => Form::Text,
        _ => Form::Html,
    }
}

fn write(
    form: Form,
    simulated: &Simulated,
    zone: chrono_tz::Tz,
    out: &mut dyn Write,
) -> io::Result<()> {
    match form {
        Form::Text => crate::report::calendar_text::write(simulated, zone, out),
        Form::Json => {
            serde_json::to_writer(&mut *out, simulated)?;
            writeln!(out)
        }
        Form::Html => crate::report::calendar_html(simulated, zone, out),
    }
}
