//! From jobs.toml to what makes messages: the look, the links and the templates; and the
//! occasions on which they are needed, for trying them out beforehand.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::config::{Config, Mailbox, SecretError};
use crate::delivery::link::Links;
use crate::delivery::message;
use crate::delivery::render::{Look, Renderer};
use crate::delivery::sample::{CORRECTION, Occasion};
use crate::delivery::templates::{TemplateProblem, Templates};
use crate::domain::campaign::{Channel, Stage, StageDay};
use crate::domain::composing::{LATE_LINK, removal_from};
use crate::domain::consent::scopes_to_ask;
use crate::domain::win_back::FollowUp;

/// Why no messages can be made.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    #[error("[app] has no reconnect_url: a message would have no link")]
    NoReconnectUrl,
    #[error("there is no [email], and so no sender")]
    NoSender,
    #[error("[link] has no secrets: a link could not be signed")]
    NoLinkSecret,
    #[error("the link cannot be signed: {0}")]
    Secret(#[from] SecretError),
    #[error("{} of the templates cannot be used; the first: {}", .0.len(), first(.0))]
    Templates(Vec<TemplateProblem>),
}

fn first(problems: &[TemplateProblem]) -> String {
    problems.first().map(ToString::to_string).unwrap_or_default()
}

impl Unready {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NoReconnectUrl => {
                "write reconnect_url below [app], with {token} in it; docs/link.md tells what it has to do"
                    .to_owned()
            }
            Self::NoSender => "write an [email] table with `from`".to_owned(),
            Self::NoLinkSecret => {
                "write secrets = [{ env = \"LINK_SECRET\" }] below [link]".to_owned()
            }
            Self::Secret(error) => error.remedy(),
            Self::Templates(problems) => {
                problems.first().map(|problem| problem.remedy.clone()).unwrap_or_default()
            }
        }
    }
}

/// Whether links are to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    Real,
    /// For looking at: needs no secret.
    Cut,
}

/// What makes the messages of a configuration; `env` looks a variable up.
///
/// # Errors
/// Something that messages are made from is missing or wrong.
pub fn renderer(
    config: &Config,
    signing: Signing,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Renderer, Unready> {
    let links = links(config, signing, env)?;
    let from = sender(config).ok_or(Unready::NoSender)?;
    let messages = &config.messages;
    let templates = Templates::load(messages.templates.as_deref(), &messages.locale)
        .map_err(Unready::Templates)?;
    let look = Look {
        app: config.app.name.clone(),
        company: messages.company.clone().unwrap_or_else(|| config.app.name.clone()),
        colour: messages.colour.clone(),
        list: list(&config.app.client_id, &from),
        from,
        reply_to: messages.reply_to.as_ref().map(mailbox),
        support_url: messages.support_url.as_ref().map(ToString::to_string),
    };
    Ok(Renderer::new(look, links, templates))
}

/// Whom messages are from. Where all go by webhook, nobody sees it.
fn sender(config: &Config) -> Option<message::Mailbox> {
    let by_webhook = |channel: &Channel| matches!(channel, Channel::Webhook(_));
    let mut channels = config.campaign.stages.iter().flat_map(|stage| &stage.channels);
    match &config.email {
        Some(email) => Some(mailbox(&email.from)),
        None if channels.all(by_webhook) => {
            let address = "nobody@webhooks.invalid".parse().ok()?;
            Some(message::Mailbox { name: None, address })
        }
        None => None,
    }
}

/// The links of a configuration alone, for ways out that need no mail; `env` looks a variable
/// up.
///
/// # Errors
/// There is no address for them, or nothing to sign them with.
pub fn links(
    config: &Config,
    signing: Signing,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Links, Unready> {
    let address = config.app.reconnect_url.clone().ok_or(Unready::NoReconnectUrl)?;
    let client_id = &config.app.client_id;
    Ok(match signing {
        Signing::Cut => Links::cut(address, client_id),
        Signing::Real => {
            let secret = config.link.secrets.first().ok_or(Unready::NoLinkSecret)?;
            Links::signed(address, client_id, secret.resolve(env)?)
        }
    })
}

/// The templates that went well with the oddest data since the process began, each time with
/// what they were needed for. The days that a message names change nothing about that.
#[derive(Debug, Default)]
pub struct Tried(Mutex<BTreeSet<String>>);

impl Tried {
    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As [`renderer`], after every template that the configuration needs has been tried with
/// the oddest data, at least once since the process began.
///
/// # Errors
/// As [`renderer`]; and with every template that fails.
pub fn tried_renderer(
    config: &Config,
    now: DateTime<Utc>,
    env: &dyn Fn(&str) -> Option<OsString>,
    tried: &Tried,
) -> Result<Renderer, Unready> {
    let renderer = renderer(config, Signing::Real, env)?;
    let occasions = occasions(config, now);
    let need = |it: &Occasion| {
        let promises = it.removal_from.is_some();
        format!("{} {} {} {promises} {}", it.stage, it.template, it.is_final, it.zone)
    };
    let needed: Vec<String> = occasions.iter().map(need).collect();
    let all = format!("{} {:?} {needed:?}", renderer.templates_sha256(), renderer.look());
    if tried.known().contains(&all) {
        return Ok(renderer);
    }
    let problems = renderer.try_templates(&occasions);
    if problems.is_empty() {
        tried.known().insert(all);
        Ok(renderer)
    } else {
        Err(Unready::Templates(problems))
    }
}

fn mailbox(from: &Mailbox) -> message::Mailbox {
    message::Mailbox { name: from.name.clone(), address: from.address.clone() }
}

/// One list for each app and sender: `xero-connections.0123456789abcdef….books.example`.
fn list(client_id: &str, from: &message::Mailbox) -> String {
    let app: String = client_id.chars().filter(char::is_ascii_alphanumeric).collect();
    let key = from.address.key();
    let domain = key.rsplit_once('@').map_or(key, |(_, domain)| domain);
    format!("xero-connections.{}.{domain}", app.to_ascii_lowercase())
}

/// Every message that the campaign may send.
#[must_use]
pub fn occasions(config: &Config, now: DateTime<Utc>) -> Vec<Occasion> {
    let campaign = &config.campaign;
    let stages = campaign.stages.iter().map(|stage| stage_occasion(config, stage, now));
    let follow_ups = config.win_back.iter().filter(|_| config.removal.is_some());
    let follow_ups = follow_ups.map(|follow_up| follow_up_occasion(config, follow_up, now));
    stages.chain([correction(config, now)]).chain(follow_ups).collect()
}

/// What is told after a removal.
#[must_use]
pub fn follow_up_occasion(config: &Config, follow_up: &FollowUp, now: DateTime<Utc>) -> Occasion {
    let told = correction(config, now);
    Occasion {
        stage: follow_up.stage.name.clone(),
        template: follow_up.stage.template.clone(),
        links_until: told.dated + LATE_LINK,
        ..told
    }
}

/// A stage's message, as it would go out at its first hour to come.
#[must_use]
pub fn stage_occasion(config: &Config, stage: &Stage, now: DateTime<Utc>) -> Occasion {
    let campaign = &config.campaign;
    let due = now.max(campaign.opens(stage));
    let dated = campaign.working.next_opening(campaign.zone, due).unwrap_or(due);
    let links_until = match stage.day {
        StageDay::Before(_) => campaign.deadline,
        StageDay::After(_) => dated + LATE_LINK,
    };
    Occasion {
        stage: stage.name.clone(),
        template: stage.template.clone(),
        is_final: stage.is_final,
        removal_from: config
            .removal
            .as_ref()
            .filter(|_| stage.is_final)
            .and_then(|policy| removal_from(campaign, policy, campaign.zone, dated)),
        dated,
        links_until,
        ..correction(config, now)
    }
}

/// The message that tells another deadline than an earlier one did.
#[must_use]
pub fn correction(config: &Config, now: DateTime<Utc>) -> Occasion {
    let campaign = &config.campaign;
    Occasion {
        stage: CORRECTION.to_owned(),
        template: CORRECTION.to_owned(),
        is_final: false,
        deadline: campaign.deadline,
        zone: campaign.zone,
        dated: campaign.working.next_opening(campaign.zone, now).unwrap_or(now),
        removal_from: None,
        links_until: campaign.deadline,
        scopes: scopes_to_ask(campaign.required, []).canonical(),
    }
}
