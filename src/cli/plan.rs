//! `worker plan`

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::jobs::drawing_up::DrawnUp;
use crate::jobs::exit::Exit;
use crate::jobs::removing::{Document, Shown};
use crate::jobs::run::Setting;
use crate::jobs::workplace::Workplace;
use crate::report::plan_text::counted;
use crate::store::Store;

use super::context::{Context, Trouble, environment, fresh_keys, shows_addresses};
use super::format::Format;
use super::watch::Watch;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the document to this file as well, whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show addresses also where standard output is no terminal
    #[arg(long)]
    show_addresses: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    // A plan rests on what earlier runs know.
    context.existing(config).await?.0.close().await;
    let mut random = context.random()?;
    let keys = fresh_keys(&mut random);
    let workplace = Workplace::real(config, &keys).await?;
    let cancel = CancellationToken::new();
    let watch = Watch::new(context.terminal.clone());
    let show_addresses = shows_addresses(arguments.show_addresses);
    let setting = Setting {
        config,
        is_builtin: configured.is_builtin,
        dry_run: true,
        clock: &context.clock,
        env: &environment,
        watcher: &watch,
        cancel: &cancel,
        show_addresses,
        looks_ahead: true,
        until: None,
    };
    let mut drawn = match setting.draw_up(&workplace, &mut random).await? {
        Ok(drawn) => drawn,
        Err(none) => return Err(Trouble::CannotRun(none.to_string(), none.remedy().to_owned())),
    };
    let mut removals = Vec::with_capacity(drawn.entries.len());
    for entry in &drawn.entries {
        removals.push(serde_json::from_str::<Shown>(&entry.entry).map_err(io::Error::from)?);
    }
    if show_addresses {
        let names = names(&workplace.store, &workplace.keys.pseudonym, &drawn).await?;
        let name = |person: &str| names.get(person).cloned().unwrap_or_else(|| person.to_owned());
        removals = removals.into_iter().map(|shown| shown.named(name)).collect();
    }
    workplace.close().await;
    if let Some(file) = &arguments.out {
        write_whole(file, |out| write(config, &mut drawn, &removals, arguments.format, out))?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    write(config, &mut drawn, &removals, arguments.format, &mut out)?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Whom each pseudonym of the plan stands for.
async fn names(
    store: &Store,
    key: &[u8; 32],
    drawn: &DrawnUp,
) -> Result<BTreeMap<String, String>, Trouble> {
    use crate::domain::pseudonym::pseudonym;
    use crate::domain::recipient::responsible;
    let sets = store.scope_sets().await?;
    let mut names = BTreeMap::new();
    for page in drawn.entries.chunks(500) {
        let grants: Vec<_> = page.iter().map(|entry| entry.planned.grant).collect();
        let connections = store.connections_of_grants(&grants, &sets).await?;
        for party in responsible(&connections) {
            let recipient = party.recipient.key();
            names.insert(pseudonym(key, &recipient), recipient);
        }
    }
    Ok(names)
}

/// Writes beside the file, and puts it into its place when it is whole.
fn write_whole(
    file: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Trouble> {
    let failed = |error: io::Error| {
        Trouble::CannotRun(
            format!("the plan cannot be written to {}: {error}", file.display()),
            "name a file in a folder that this user may write to".to_owned(),
        )
    };
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = BufWriter::new(temporary);
    write(&mut out).map_err(failed)?;
    let temporary = out.into_inner().map_err(|error| failed(error.into_error()))?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

fn write(
    config: &Config,
    drawn: &mut DrawnUp,
    removals: &[Shown],
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Json => {
            let DrawnUp { progress, blocked_by, plan, held_back, .. } = drawn;
            Document { plan, progress, blocked_by, removals, held_back }.write_json(out)
        }
        Format::Text => text(config, drawn, removals, out),
    }
}

fn text(
    config: &Config,
    drawn: &mut DrawnUp,
    removals: &[Shown],
    out: &mut dyn Write,
) -> io::Result<()> {
    let zone = config.campaign.zone;
    let held_back = drawn.held_back.len();
    if removals.is_empty() {
        writeln!(out, "Nothing is to be removed in the time that a plan is valid for.")?;
    } else {
        let count = counted(removals.len() as u64, "removal");
        writeln!(out, "Plan {}: {count}", drawn.plan.id)?;
        let until = minute(drawn.plan.valid_until, zone);
        writeln!(out, "  valid until {until} ({}), not a moment before each date", zone.name())?;
    }
    for gate in &drawn.blocked_by {
        writeln!(out, "  blocked: {} ({})", gate.text, gate.code.as_str())?;
    }
    for shown in removals {
        removal(shown, zone, out)?;
    }
    if held_back > 0 {
        writeln!(out, "Held back: {held_back} (--format json lists them with their reasons)")?;
    }
    if !removals.is_empty() {
        let short: String = drawn.plan.id.chars().take(12).collect();
        writeln!(out, "To sign it off: worker approve {short} --by NAME")?;
    }
    Ok(())
}

fn removal(shown: &Shown, zone: Tz, out: &mut dyn Write) -> io::Result<()> {
    let entry = &shown.removal;
    let name = shown.tenant_name.as_deref().unwrap_or("no name");
    let account = shown.account_id.as_deref().unwrap_or("-");
    let not_before = entry.not_before.parse::<DateTime<Utc>>();
    let not_before = not_before.map_or_else(|_| entry.not_before.clone(), |at| minute(at, zone));
    writeln!(out, "  {} not before {not_before}", entry.connection_id)?;
    writeln!(out, "    tenant   {name:?} {}, account {account}", entry.tenant_id)?;
    writeln!(out, "    grant    {}, {}", entry.grant, shown.class)?;
    writeln!(out, "    holds    {}", shown.holds.join(" "))?;
    writeln!(out, "    missing  {}", shown.missing.join(" "))?;
    writeln!(out, "    people   {}", shown.people.join(" "))?;
    for told in &shown.told {
        let promised = match told.promised {
            Some(promised) => format!(", no removal before {}", minute(promised, zone)),
            None => String::new(),
        };
        let at = minute(told.at, zone);
        let (stage, channel, recipient) = (&told.stage, &told.channel, &told.recipient);
        writeln!(out, "    told     {at} {stage} by {channel} to {recipient}{promised}")?;
    }
    for other in &shown.others {
        let name = other.tenant_name.as_deref().unwrap_or("no name");
        writeln!(out, "    also     {name:?} {}, {}", other.tenant_id, other.readiness)?;
    }
    if shown.others_not_shown > 0 {
        writeln!(out, "    also     {} more of the same person", shown.others_not_shown)?;
    }
    Ok(())
}

fn minute(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}
