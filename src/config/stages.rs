//! `[[campaign.stages]]`: who is told what, so many days from the deadline.

use std::collections::BTreeMap;

use toml::Spanned;

use super::nearest::nearest;
use super::problem::{Kind, Wrong};
use super::reader::{Table, Value};
use super::value::{Days, FromToml};
use super::webhooks::Webhook;
use crate::domain::campaign::{Channel, Stage, StageDay};

/// What a stage's channels can refer to.
pub(super) struct Means<'a> {
    /// `None` when something is wrong with them, which has been said.
    pub webhooks: Option<&'a [Webhook]>,
    /// E-mail is used and there is no `[email]` to send it by.
    pub lacks_email: bool,
}

/// Reads all stages, in the order of their days; `None` when something is wrong with them.
pub(super) fn read(campaign: &Table<'_>, means: &Means<'_>) -> Option<Vec<Stage>> {
    let tables = campaign.tables("stages");
    if !campaign.has("stages") || tables.as_ref().is_some_and(Vec::is_empty) {
        campaign.absent(
            "[campaign] has no stages",
            "write `[[campaign.stages]]`, and below it `name` and `days_before`",
        );
    }
    let tables = tables.filter(|tables| !tables.is_empty())?;
    let count = tables.len();
    let mut stages = Vec::new();
    let mut known = Known::default();
    for table in tables {
        stages.extend(read_one(&table, means, &mut known));
        table.finish();
    }
    stages.sort_by_key(|stage| stage.day.offset());
    (stages.len() == count).then_some(stages)
}

/// What the stages above took, of which there can be one each.
#[derive(Default)]
struct Known {
    names: Vec<String>,
    days: BTreeMap<i64, String>,
    last: Option<String>,
}

fn read_one(table: &Table<'_>, means: &Means<'_>, known: &mut Known) -> Option<Stage> {
    let report = |span, wrong| table.reading().report(span, Kind::Wrong, wrong);
    let name = table.require_spanned::<String>("name", "\"reminder\"");
    let day = read_day(table);
    let channels = channels(table, means);
    let template = table.spanned::<String>("template");
    let is_final = table.spanned::<bool>("final");

    if let Some(template) = &template
        && template.get_ref().contains(['/', '\\', '.'])
    {
        report(
            template.span(),
            Wrong::new(
                "`template` is a name, not a path",
                "write the template's name, as `template = \"invitation\"`",
            ),
        );
    }
    let name = name.and_then(|name| {
        if known.names.contains(name.get_ref()) {
            let message = format!("a second stage is called \"{}\"", name.get_ref());
            report(
                name.span(),
                Wrong::new(message, "write a name of its own: each is told once under it"),
            );
            return None;
        }
        known.names.push(name.get_ref().clone());
        Some(name.into_inner())
    })?;
    let day =
        day.and_then(|day| match known.days.insert(day.get_ref().offset(), name.clone()) {
            None => Some(*day.get_ref()),
            Some(other) => {
                let message = format!("\"{name}\" and \"{other}\" fall on one day");
                report(
                    day.span(),
                    Wrong::new(
                        message,
                        "write a day of its own: a stage lasts until the next one's day",
                    ),
                );
                None
            }
        })?;
    if let Some(is_final) = is_final.as_ref().filter(|is_final| *is_final.get_ref()) {
        if let Some(other) = known.last.replace(name.clone()) {
            let message = format!("\"{name}\" and \"{other}\" are both final");
            report(is_final.span(), Wrong::new(message, "write `final = true` at one stage only"));
        }
        if day.offset() >= 0 {
            report(
                is_final.span(),
                Wrong::new(
                    format!(
                        "\"{name}\" is final and not before the deadline, when removals are over"
                    ),
                    "write `final = true` at a stage with `days_before` of 1 or more",
                ),
            );
        }
    }
    let template = template.map_or_else(|| name.clone(), Spanned::into_inner);
    Some(Stage {
        name,
        day,
        channels: channels?,
        template,
        is_final: is_final.is_some_and(Spanned::into_inner),
    })
}

fn read_day(table: &Table<'_>) -> Option<Spanned<StageDay>> {
    let before = table.spanned::<Days>("days_before");
    let after = table.spanned::<Days>("days_after");
    match (table.has("days_before"), table.has("days_after")) {
        (true, false) => {
            before.map(|days| Spanned::new(days.span(), StageDay::Before(days.get_ref().0)))
        }
        (false, true) => {
            after.map(|days| Spanned::new(days.span(), StageDay::After(days.get_ref().0)))
        }
        (true, true) => {
            table.misplaced(
                "days_after",
                "a stage is either before or after the deadline, this says both",
                "take out `days_before` or `days_after`",
            );
            None
        }
        (false, false) => {
            table.absent(
                "`days_before` or `days_after` is missing in [[campaign.stages]]",
                "write `days_before = 60`, or `days_after = 1`, from the deadline on",
            );
            None
        }
    }
}

/// E-mail, where nothing else is written.
fn channels(table: &Table<'_>, means: &Means<'_>) -> Option<Vec<Channel>> {
    let Some(value) = table.value("channels") else {
        if means.lacks_email {
            table.wrong(NO_EMAIL.0, NO_EMAIL.1);
        }
        return Some(vec![Channel::Email]);
    };
    let before = value.len();
    let channels = table.list::<Channel>("channels")?;
    if before == Some(0) {
        value.wrong(Wrong::new(
            "`channels` is empty: this stage would tell nobody",
            "write `channels = [\"email\"]`, or take the stage out",
        ));
    }
    let mut seen = Vec::new();
    for channel in &channels {
        if let Some(wrong) = unusable(channel.get_ref(), means, &seen) {
            table.reading().report(channel.span(), Kind::Wrong, wrong);
        }
        seen.push(channel.get_ref().clone());
    }
    (before == Some(channels.len())).then_some(seen)
}

const NO_EMAIL: (&str, &str) = (
    "this stage sends e-mail, prompts are enabled, and there is no [email]",
    "write an `[email]` table, another channel, or `enabled = false` below [prompts]",
);

fn unusable(channel: &Channel, means: &Means<'_>, seen: &[Channel]) -> Option<Wrong> {
    if seen.contains(channel) {
        return Some(Wrong::new(
            format!("`{channel}` stands twice in `channels`"),
            "write it once",
        ));
    }
    match channel {
        Channel::Email if means.lacks_email => Some(Wrong::new(NO_EMAIL.0, NO_EMAIL.1)),
        Channel::Webhook(name) => unknown_webhook(name, means.webhooks?),
        Channel::Email | Channel::File => None,
    }
}

fn unknown_webhook(name: &str, webhooks: &[Webhook]) -> Option<Wrong> {
    let names = || webhooks.iter().map(|webhook| webhook.name.as_str());
    if names().any(|known| known == name) {
        return None;
    }
    let help = match nearest(name, names()) {
        Some(meant) => format!("write `\"webhook:{meant}\"`"),
        None => format!("write a `[[webhooks]]` table with `name = \"{name}\"`"),
    };
    Some(Wrong::new(format!("no [[webhooks]] is called \"{name}\""), help))
}

impl FromToml for Channel {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        match text.strip_prefix("webhook:") {
            Some(name) if !name.trim().is_empty() => Ok(Self::Webhook(name.to_owned())),
            _ => match text {
                "email" => Ok(Self::Email),
                "file" => Ok(Self::File),
                _ => Err(Wrong::new(
                    format!("{} is \"{text}\", which is no channel", value.label()),
                    "write \"email\", \"file\", or \"webhook:\" with the name of a [[webhooks]] table",
                )),
            },
        }
    }
}
