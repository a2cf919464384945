//! `worker approve` and `worker plans`

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Config;
use crate::domain::campaign::RemovalPolicy;
use crate::jobs::exit::Exit;
use crate::jobs::removing::{Signed, Standing, is_same, made_by, read_plan_id};
use crate::report::plan_text::counted;
use crate::store::Store;
use crate::store::plans::Approval;

use super::context::{Context, Trouble, environment, not_blank};
use super::format::Format;

#[derive(Debug, clap::Args)]
pub(super) struct ApproveArguments {
    /// The plan: its id, the beginning of it, or the file that `worker plan --out` wrote
    plan: String,
    /// Who signs it off: one of [removal] approvers
    #[arg(long, value_name = "NAME")]
    by: String,
    /// What was looked at
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlansArguments {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The policy that plans are made under, and every plan as it stands under it.
async fn plans<'c>(
    context: &Context,
    config: &'c Config,
    store: &Store,
) -> Result<(&'c RemovalPolicy, Vec<Signed>), Trouble> {
    let policy = config.removal.as_ref().ok_or_else(|| {
        Trouble::Usage(
            "there is no [removal] in the configuration".to_owned(),
            "docs/configuration.md has its keys".to_owned(),
        )
    })?;
    let made_by = made_by(config).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        Trouble::Usage(
            format!("the templates cannot be used: {first}"),
            "mend the file and try again".to_owned(),
        )
    })?;
    Ok((policy, Signed::all(store, policy, &made_by, context.now()).await?))
}

pub(super) async fn approve(
    context: &Context,
    arguments: ApproveArguments,
) -> Result<Exit, Trouble> {
    let ApproveArguments { plan, by, note, format } = arguments;
    not_blank(&[("--by", &by)])?;
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, keys) = context.existing(config).await?;
    let (policy, all) = plans(context, config, &store).await?;
    if !policy.approvers.contains(&by) {
        return Err(Trouble::Usage(
            format!("{by:?} is none of those who may sign a plan off"),
            format!("[removal] approvers has: {}", policy.approvers.join(", ")),
        ));
    }
    let id = named(&store, &keys.pseudonym, &plan).await?;
    let mut found = all.iter().filter(|signed| signed.plan.id.starts_with(&id));
    let (Some(signed), None) = (found.next(), found.next()) else {
        return Err(Trouble::Usage(
            format!("{plan:?} names no plan of this database, or more than one"),
            "worker plans lists them all".to_owned(),
        ));
    };
    if let Some((what, remedy)) = refusal(&signed.standing) {
        let short = short(&signed.plan.id);
        return Err(Trouble::Usage(format!("plan {short} {what}"), remedy.to_owned()));
    }
    let approval = Approval {
        by,
        approved_at: context.now(),
        host: host(),
        os_user: os_user(),
        note: note.filter(|note| !note.trim().is_empty()),
    };
    store.approve(&signed.plan, &approval).await?;
    let (_, all) = plans(context, config, &store).await?;
    let signed = all.iter().find(|other| other.plan.id == signed.plan.id).unwrap_or(signed);
    store.close().await;
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", json(signed))?,
        Format::Text => {
            let Approval { by, host, os_user, .. } = &approval;
            let short = short(&signed.plan.id);
            writeln!(out, "{by} signed plan {short} off, as {os_user} on {host}.")?;
            writeln!(out, "{}", outlook(signed, policy))?;
        }
    }
    Ok(Exit::Done)
}

/// What the next run does with it.
fn outlook(signed: &Signed, policy: &RemovalPolicy) -> String {
    let count = counted(signed.plan.removals, "removal");
    match &signed.standing {
        Standing::Waiting { missing } => {
            format!("It waits for {}.", counted(*missing as u64, "more name"))
        }
        Standing::Approved if policy.enabled => format!("Runs apply it from now on: {count}."),
        Standing::Approved => {
            format!("It may be applied, once [removal] is enabled: {count}.")
        }
        other => format!("It is {}.", other.as_str()),
    }
}

/// Why a plan cannot be signed any more.
fn refusal(standing: &Standing) -> Option<(String, &'static str)> {
    const ANEW: &str = "draw up a new one: worker plan";
    match standing {
        Standing::Waiting { .. } | Standing::Approved => None,
        Standing::Applied => Some(("is applied: nothing of it is left".to_owned(), ANEW)),
        Standing::Expired => Some(("is past its time".to_owned(), ANEW)),
        Standing::Outdated { changed } => Some((
            format!("was made for another configuration; changed since: {}", changed.join(", ")),
            ANEW,
        )),
        Standing::Superseded { by } => Some((
            format!("is not the newest: that is {}", short(by)),
            "look at the newest one, and sign that",
        )),
    }
}

/// The beginning of an id, as typed or as a file says. A file has to say what the plan says.
async fn named(store: &Store, key: &[u8; 32], plan: &str) -> Result<String, Trouble> {
    const SHORTEST: usize = 6;
    let is_id = plan.len() >= SHORTEST && plan.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        return Ok(plan.to_ascii_lowercase());
    }
    let path = Path::new(plan);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Trouble::Usage(
            format!("{plan:?} is neither the id of a plan nor a file with one: {error}"),
            format!("give at least {SHORTEST} digits of the id, or the file of worker plan --out"),
        )
    })?;
    let (id, removals) = match read_plan_id(&text, key) {
        Ok(read) => read,
        Err(_) => match id_in_text(&text) {
            Some(id) => return Ok(id),
            None => {
                return Err(Trouble::Usage(
                    format!("the file {plan} is no plan"),
                    "give the file that worker plan --out wrote".to_owned(),
                ));
            }
        },
    };
    let kept = store.plan_entries(&id).await?;
    if !is_same(&removals, &kept) {
        return Err(Trouble::Usage(
            format!("the file {plan} does not say what plan {} says", short(&id)),
            "was it changed? write it anew: worker plan --out FILE".to_owned(),
        ));
    }
    Ok(id)
}

/// The id in a plan that was written for reading.
fn id_in_text(text: &str) -> Option<String> {
    let rest = text.strip_prefix("Plan ")?;
    let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    (id.len() == 64).then_some(id)
}

pub(super) async fn list(context: &Context, arguments: PlansArguments) -> Result<Exit, Trouble> {
    let configured = context.configured()?;
    let config = &configured.config;
    let (store, _) = context.existing(config).await?;
    let (_, all) = plans(context, config, &store).await?;
    store.close().await;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Json => {
            let all: Vec<serde_json::Value> = all.iter().map(json).collect();
            writeln!(out, "{}", serde_json::Value::Array(all))?;
        }
        Format::Text if all.is_empty() => writeln!(out, "No plan has been drawn up.")?,
        Format::Text => {
            for signed in &all {
                line(signed, config, &mut out)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn line(signed: &Signed, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let zone = config.campaign.zone;
    let minute = |at: chrono::DateTime<chrono::Utc>| {
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
    };
    let plan = &signed.plan;
    let names: Vec<&str> = signed.approvals.iter().map(|approval| approval.by.as_str()).collect();
    let signed_by = match names.is_empty() {
        true => "signed by nobody".to_owned(),
        false => format!("signed by {}", names.join(", ")),
    };
    writeln!(
        out,
        "{}  {:<10}  {}, {} settled, made {}, valid until {}, {signed_by}",
        short(&plan.id),
        signed.standing.as_str(),
        counted(plan.removals, "removal"),
        signed.settled(),
        minute(plan.made_at),
        minute(plan.valid_until),
    )
}

fn json(signed: &Signed) -> serde_json::Value {
    let plan = &signed.plan;
    let states: serde_json::Map<String, serde_json::Value> = signed
        .states
        .iter()
        .map(|(state, count)| (state.as_str().to_owned(), (*count).into()))
        .collect();
    serde_json::json!({
        "plan_id": plan.id,
        "standing": signed.standing,
        "removals": plan.removals,
        "settled": signed.settled(),
        "states": states,
        "made_at": plan.made_at,
        "valid_until": plan.valid_until,
        "approvals": signed.approvals,
    })
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// The machine that this runs on.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let from_environment = || Some(environment("HOSTNAME")?.to_string_lossy().into_owned());
    name.or_else(from_environment).unwrap_or_else(|| "unknown".to_owned())
}

/// The account that this runs under: its number cannot be chosen by whoever runs it.
fn os_user() -> String {
    let number = std::fs::metadata("/proc/self").map(|process| process.uid()).ok();
    let name = ["USER", "LOGNAME"].into_iter().find_map(environment);
    match (name.map(|name| name.to_string_lossy().into_owned()), number) {
        (Some(name), Some(number)) => format!("{name} (uid {number})"),
        (Some(name), None) => name,
        (None, Some(number)) => format!("uid {number}"),
        (None, None) => "unknown".to_owned(),
    }
}
