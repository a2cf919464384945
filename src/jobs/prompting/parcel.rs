//! A prompt ready to be handed over: its bytes, and their hash.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::delivery::message::Message;
use crate::delivery::payload;
use crate::delivery::render::{RenderError, Renderer};
use crate::domain::campaign::Channel;
use crate::domain::digest::Digest;
use crate::domain::grant::ConnectionKey;

/// What goes by a way.
pub struct Parcel {
    pub prompt: Uuid,
    pub tells: Tells,
    pub content: Content,
    /// In hex, over the bytes of the mail or the body of the webhook.
    pub sha256: String,
    /// In hex, over the sources of the templates; over nothing for a webhook.
    pub template_sha256: String,
}

/// What a parcel is about, for whoever watches over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tells {
    pub stage: String,
    /// The removal date that it names.
    pub removal_from: Option<DateTime<Utc>>,
    pub connections: Vec<ConnectionKey>,
}

impl Tells {
    fn of(digest: &Digest) -> Self {
        Self {
            stage: digest.stage.clone(),
            removal_from: digest.removal_from,
            connections: digest.connections().map(|connection| connection.key).collect(),
        }
    }
}

pub enum Content {
    Mail { message: Box<Message>, bytes: Vec<u8> },
    Hook(Vec<u8>),
}

impl Parcel {
    /// # Errors
    /// The template fails with these facts, or there is no address.
    pub fn new(
        renderer: &Renderer,
        channel: &Channel,
        digest: &Digest,
    ) -> Result<Self, RenderError> {
        if let Channel::Webhook(_) = channel {
            let body = payload::prompt(digest, |grant| renderer.link(digest, grant));
            return Ok(Self { tells: Tells::of(digest), ..Self::hook(digest.prompt, body) });
        }
        let message = Box::new(renderer.render(digest)?);
        let bytes = message.to_bytes()?;
        Ok(Self {
            prompt: digest.prompt,
            tells: Tells::of(digest),
            sha256: sha256(&bytes),
            content: Content::Mail { message, bytes },
            template_sha256: renderer.template_sha256(digest).unwrap_or_default(),
        })
    }

    /// The body of a webhook.
    #[must_use]
    pub fn hook(prompt: Uuid, body: Vec<u8>) -> Self {
        let sha256 = sha256(&body);
        let (tells, template_sha256) = (Tells::default(), String::new());
        Self { prompt, tells, content: Content::Hook(body), sha256, template_sha256 }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
