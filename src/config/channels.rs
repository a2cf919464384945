//! `channels` of a stage: by which ways it reaches people, and whether there are such ways.

use super::nearest::nearest;
use super::problem::{Kind, Wrong};
use super::table::Table;
use super::value::{FromToml, Value};
use super::webhooks::Webhook;
use crate::domain::campaign::Channel;

/// The ways that the rest of the file provides.
pub(super) struct Means<'a> {
    /// `None` when they cannot be read, which has been said.
    pub webhooks: Option<&'a [Webhook]>,
    /// E-mail would be sent, and there is no `[email]` to send it by.
    pub lacks_email: bool,
}

/// Reads a stage's channels: e-mail, where none are written.
pub(super) fn read(stage: &Table<'_>, means: &Means<'_>) -> Option<Vec<Channel>> {
    let Some(value) = stage.value("channels") else {
        if means.lacks_email {
            let Wrong { message, help } = no_email();
            stage.wrong(message, help);
        }
        return Some(vec![Channel::Email]);
    };
    let channels = stage.list::<Channel>("channels")?;
    if value.len() == Some(0) {
        value.wrong(Wrong::new(
            "`channels` is empty: this stage would tell nobody",
            "write `channels = [\"email\"]`, or take the stage out",
        ));
    }
    let mut seen = Vec::new();
    for channel in channels {
        let span = channel.span();
        let channel = channel.into_inner();
        if let Some(wrong) = unusable(&channel, means, &seen) {
            stage.reading().report(span, Kind::Wrong, wrong);
        }
        seen.push(channel);
    }
    Some(seen)
}

fn unusable(channel: &Channel, means: &Means<'_>, seen: &[Channel]) -> Option<Wrong> {
    if seen.contains(channel) {
        let message = format!("`{channel}` stands twice in `channels`");
        return Some(Wrong::new(message, "write it once"));
    }
    match channel {
        Channel::Email => means.lacks_email.then(no_email),
        Channel::Webhook(name) => unknown_webhook(name, means.webhooks?),
        Channel::File => None,
    }
}

fn no_email() -> Wrong {
    Wrong::new(
        "this stage sends e-mail, prompts are enabled, and there is no [email]",
        "write an `[email]` table, another channel, or `enabled = false` below [prompts]",
    )
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
        Self::parse(text).ok_or_else(|| {
            Wrong::new(
                format!("{} is \"{text}\", which is no channel", value.label()),
                "write \"email\", \"file\", or \"webhook:\" with the name of a [[webhooks]] table",
            )
        })
    }
}
