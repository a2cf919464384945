//! The ways that the configuration gives prompts: what each is reached by, and how many may
//! be on it at a time. Secrets are read here, once for each run, so that a new one needs no
//! restart.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use crate::config::{self, Config, SecretError};
use crate::delivery::file::Folder;
use crate::delivery::http::{ClientError, Limits};
use crate::delivery::http_mail::{self, HttpMail};
use crate::delivery::outcome::Outcome;
use crate::delivery::retry::{self, Schedule};
use crate::delivery::signature::{BadSecret, Secret};
use crate::delivery::smtp::{self, Session, Smtp, SmtpError};
use crate::delivery::webhook::{self, Endpoint};
use crate::domain::address::Address;
use crate::domain::campaign::Channel;
use crate::jobs::outside::Outside;

use super::parcel::{Content, Parcel};

/// Webhook deliveries at a time: enough to hide the receiver's latency, few enough for any.
const WEBHOOKS_IN_FLIGHT: usize = 8;

/// Prompts at a time that a world without distances is handed.
const AT_ONCE: usize = 128;

/// For how long prompts are taken in hand.
const IN_HAND: TimeDelta = TimeDelta::seconds(30);

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    #[error("there is no [email]")]
    NoEmail,
    #[error("no [[webhooks]] is called {0:?}")]
    NoWebhook(String),
    #[error("max_per_minute of [email] is 0, which lets nothing out")]
    NoRate,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    BadSecret(#[from] BadSecret),
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl NoWay {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NoEmail => "write an [email] table".to_owned(),
            Self::NoWebhook(name) => {
                format!("write a [[webhooks]] table with `name = \"{name}\"`")
            }
            Self::NoRate => "write how many mails may go out in a minute".to_owned(),
            Self::Secret(error) => error.remedy(),
            Self::BadSecret(error) => error.remedy().to_owned(),
            Self::Smtp(error) => error.remedy().to_owned(),
            Self::Client(error) => error.remedy().to_owned(),
        }
    }
}

/// One channel's way.
pub struct Way {
    carrier: Carrier,
    /// Prompts on it at a time.
    pub in_flight: usize,
    /// The least time between two, for all workers together; `None` where they may follow
    /// each other at once.
    pub spacing: Option<TimeDelta>,
    /// When it is tried again what was refused for now.
    pub schedule: Schedule,
    /// Whoever it reaches counts as told.
    pub is_notice: bool,
}

enum Carrier {
    Smtp {
        smtp: Smtp,
        from: Address,
        sessions: Mutex<Vec<Session>>,
    },
    Http(HttpMail),
    Folder(Folder),
    Webhook(Endpoint),
    /// Stands in for all of them.
    Outside {
        outside: Arc<dyn Outside>,
        channel: String,
    },
}

/// The ways by channel, in their own words.
#[derive(Default)]
pub struct Ways {
    ways: BTreeMap<String, Arc<Way>>,
    /// Channels that cannot be used, and why.
    pub unusable: BTreeMap<String, NoWay>,
}

impl Ways {
    /// Opens the ways of these channels.
    #[must_use]
    pub fn open(
        config: &Config,
        channels: &BTreeSet<String>,
        env: &dyn Fn(&str) -> Option<OsString>,
        outside: Option<&Arc<dyn Outside>>,
    ) -> Self {
        let mut opened = Self::default();
        for channel in channels {
            let way = match Channel::parse(channel) {
                Some(parsed) if let Some(outside) = outside => {
                    Way::within(config, channel, &parsed, outside)
                }
                Some(parsed) => Way::open(config, &parsed, env),
                None => Err(NoWay::NoWebhook(channel.clone())),
            };
            match way {
                Ok(way) => drop(opened.ways.insert(channel.clone(), Arc::new(way))),
                Err(why) => drop(opened.unusable.insert(channel.clone(), why)),
            }
        }
        opened
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Way>> {
        self.ways.values()
    }

    /// How many prompts to take in hand at a time: what goes out within `IN_HAND`, so that
    /// what is sent was looked at a moment before, however slow the rate.
    #[must_use]
    pub fn batch(&self, most: usize) -> usize {
        let fits = |spacing: TimeDelta| {
            let spacing = spacing.num_microseconds().unwrap_or(i64::MAX).max(1);
            let count = IN_HAND.num_microseconds().unwrap_or(i64::MAX) / spacing;
            usize::try_from(count).unwrap_or(most)
        };
        let spacings = self.ways.values().filter_map(|way| way.spacing);
        spacings.map(fits).min().map_or(most, |count| count.clamp(1, most))
    }

    #[must_use]
    pub fn get(&self, channel: &str) -> Option<&Arc<Way>> {
        self.ways.get(channel)
    }
}

impl Way {
    /// A way within a world that takes no time to take anything.
    fn within(
        config: &Config,
        channel: &str,
        parsed: &Channel,
        outside: &Arc<dyn Outside>,
    ) -> Result<Self, NoWay> {
        let (schedule, is_notice) = match parsed {
            Channel::Email => {
                let email = config.email.as_ref().ok_or(NoWay::NoEmail)?;
                if email.max_per_minute == 0 {
                    return Err(NoWay::NoRate);
                }
                (retry::MAIL, true)
            }
            Channel::File => (retry::MAIL, false),
            Channel::Webhook(name) => {
                let webhook = config.webhooks.iter().find(|webhook| webhook.name == *name);
                let webhook = webhook.ok_or_else(|| NoWay::NoWebhook(name.clone()))?;
                (retry::WEBHOOK, webhook.counts_as_notice)
            }
        };
        let outside = Arc::clone(outside);
        let carrier = Carrier::Outside { outside, channel: channel.to_owned() };
        Ok(Self { carrier, in_flight: AT_ONCE, spacing: None, schedule, is_notice })
    }

    fn open(
        config: &Config,
        channel: &Channel,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, NoWay> {
        match channel {
            Channel::Email => Self::email(config, env),
            Channel::File => Ok(Self {
                carrier: Carrier::Folder(Folder::new(&config.file.folder)),
                in_flight: 1,
                spacing: None,
                schedule: retry::MAIL,
                is_notice: false,
            }),
            Channel::Webhook(name) => {
                let webhook = config.webhooks.iter().find(|webhook| webhook.name == *name);
                let webhook = webhook.ok_or_else(|| NoWay::NoWebhook(name.clone()))?;
                let secret = |secret: &config::SecretRef| -> Result<Secret, NoWay> {
                    Ok(Secret::parse(secret.resolve(env)?.expose_secret())?)
                };
                let settings = webhook::Settings {
                    url: webhook.url.clone(),
                    secrets: webhook.secrets.iter().map(secret).collect::<Result<_, _>>()?,
                    private: webhook.private,
                    limits: Limits::default(),
                };
                Ok(Self {
                    carrier: Carrier::Webhook(Endpoint::new(settings)?),
                    in_flight: WEBHOOKS_IN_FLIGHT,
                    spacing: None,
                    schedule: retry::WEBHOOK,
                    is_notice: webhook.counts_as_notice,
                })
            }
        }
    }

    fn email(config: &Config, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, NoWay> {
        let email = config.email.as_ref().ok_or(NoWay::NoEmail)?;
        let carrier = match &email.transport {
            config::Transport::Smtp(smtp) => {
                let login = match &smtp.login {
                    Some(login) => Some(smtp::Login {
                        username: login.username.clone(),
                        password: login.password.resolve(env)?,
                    }),
                    None => None,
                };
                let settings = smtp::Settings {
                    host: smtp.host.clone(),
                    port: smtp.port,
                    tls: match smtp.tls {
                        config::Tls::Starttls => smtp::Tls::Starttls,
                        config::Tls::Implicit => smtp::Tls::Implicit,
                        config::Tls::None => smtp::Tls::None,
                    },
                    login,
                    hello: None,
                    roots: smtp.roots.clone(),
                    limits: smtp::Limits::default(),
                };
                let from = email.from.address.clone();
                Carrier::Smtp { smtp: Smtp::new(settings)?, from, sessions: Mutex::default() }
            }
            config::Transport::Http(http) => {
                let token = match &http.token {
                    Some(token) => Some(token.resolve(env)?),
                    None => None,
                };
                Carrier::Http(HttpMail::new(http_mail::Settings {
                    url: http.url.clone(),
                    token,
                    body: http.body.clone(),
                    id_field: http.id_field.clone(),
                    limits: Limits::default(),
                })?)
            }
        };
        let spacing = match i64::from(email.max_per_minute) {
            0 => return Err(NoWay::NoRate),
            rate => TimeDelta::microseconds(60_000_000 / rate),
        };
        Ok(Self {
            carrier,
            in_flight: usize::try_from(email.connections).unwrap_or(1).max(1),
            spacing: Some(spacing),
            schedule: retry::MAIL,
            is_notice: true,
        })
    }

    /// Goes as far as can be gone without a message.
    ///
    /// # Errors
    /// What a message would meet.
    pub async fn try_out(&self) -> Result<(), String> {
        match &self.carrier {
            Carrier::Smtp { smtp, .. } => smtp.try_out().await,
            Carrier::Http(http) => http.try_out().await,
            Carrier::Folder(_) | Carrier::Webhook(_) | Carrier::Outside { .. } => Ok(()),
        }
    }

    /// Delivers an event to a webhook that means nothing but that it arrives.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn test_event(
        &self,
        id: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let Carrier::Webhook(endpoint) = &self.carrier else { return Ok(()) };
        match endpoint.deliver(id, body, now).await {
            Outcome::Accepted { .. } => Ok(()),
            Outcome::Refused { why } | Outcome::Deferred { why, .. } | Outcome::Unknown { why } => {
                Err(why)
            }
        }
    }

    /// Hands a parcel over. Whoever drops the future counts a mail as unknown.
    pub async fn deliver(&self, parcel: &Parcel, now: DateTime<Utc>) -> Outcome {
        match (&self.carrier, &parcel.content) {
            (Carrier::Smtp { smtp, from, sessions }, Content::Mail { message, bytes }) => {
                let pool = || lock(sessions);
                let mut session = pool().pop();
                let outcome = smtp.send(&mut session, from, &message.to.address, bytes).await;
                pool().extend(session);
                outcome
            }
            (Carrier::Http(http), Content::Mail { message, .. }) => http.send(message, now).await,
            (Carrier::Folder(folder), Content::Mail { bytes, .. }) => {
                folder.write(parcel.prompt, bytes).await
            }
            (Carrier::Webhook(endpoint), Content::Hook(body)) => {
                endpoint.deliver(&parcel.prompt.to_string(), body, now).await
            }
            (Carrier::Outside { outside, channel }, _) => {
                outside.deliver(channel, parcel, now).await
            }
            (Carrier::Webhook(_), Content::Mail { .. }) | (_, Content::Hook(_)) => {
                Outcome::Refused { why: "made for another channel".to_owned() }
            }
        }
    }

    /// Ends the sessions in good order.
    pub async fn close(&self) {
        if let Carrier::Smtp { sessions, .. } = &self.carrier {
            let open = std::mem::take(&mut *lock(sessions));
            for session in open {
                session.close().await;
            }
        }
    }
}

/// A panic elsewhere leaves nothing half done in what these hold.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
