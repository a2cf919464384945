//! A prompt ready to be handed over: its bytes, and their hash.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::delivery::message::Message;
use crate::delivery::payload;
use crate::delivery::render::{RenderError, Renderer};
use crate::domain::campaign::Channel;
use crate::domain::digest::Digest;

/// What goes by a way.
pub struct Parcel {
    pub prompt: Uuid,
    pub content: Content,
    /// In hex, over the bytes of the mail or the body of the webhook.
    pub sha256: String,
    /// In hex, over the sources of the templates; over nothing for a webhook.
    pub template_sha256: String,
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
            return Ok(Self::hook(digest.prompt, body));
        }
        let message = Box::new(renderer.render(digest)?);
        let bytes = message.to_bytes()?;
        Ok(Self {
            prompt: digest.prompt,
            sha256: sha256(&bytes),
            content: Content::Mail { message, bytes },
            template_sha256: renderer.template_sha256(digest).unwrap_or_default(),
        })
    }

    /// The body of a webhook.
    #[must_use]
    pub fn hook(prompt: Uuid, body: Vec<u8>) -> Self {
        let sha256 = sha256(&body);
        Self { prompt, content: Content::Hook(body), sha256, template_sha256: String::new() }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
