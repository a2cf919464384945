//! From the facts of a prompt to its message. Each is rendered by itself, from its own facts
//! and nothing else: no state is carried from one to the next.

use super::link::Links;
use super::message::{Mailbox, Message};
use super::mime::MimeError;
use super::templates::{TemplateProblem, Templates};
use super::view::{View, plain};
use crate::domain::digest::{Digest, DigestGrant};

/// Longest subject, in characters: beyond that mail programs show none of it anyway.
const MAX_SUBJECT: usize = 200;

/// Whose messages they are, and how they look.
#[derive(Clone, Debug)]
pub struct Look {
    pub app: String,
    pub company: String,
    /// `#rrggbb`
    pub colour: String,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    pub support_url: Option<String>,
    /// For List-Id: unlike any other campaign's.
    pub list: String,
}

/// Makes messages: built once, used for all.
pub struct Renderer {
    pub(super) look: Look,
    pub(super) links: Links,
    pub(super) templates: Templates,
}

/// Why there is no message for one prompt; the others are not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("there is no address to write to")]
    NoAddress,
    #[error("there is no template {name:?}")]
    NoTemplate { name: String },
    #[error("{0}")]
    Template(#[from] TemplateProblem),
    #[error("{template}: it rendered an empty {part}")]
    Empty { template: String, part: &'static str },
    #[error(transparent)]
    Mime(#[from] MimeError),
    #[error("it was sent before with a link secret that is gone, and a repeat has to be the same")]
    LostSecret,
}

impl RenderError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NoAddress => {
                "give the person a valid address in the inventory, or reach them by a webhook"
                    .to_owned()
            }
            Self::NoTemplate { name } => {
                format!(
                    "write {name}.subject.txt.j2, {name}.txt.j2 and {name}.html.j2 into the folder that `templates` in [messages] names"
                )
            }
            Self::Template(problem) => problem.remedy.clone(),
            Self::Empty { .. } => "write something into it for every case".to_owned(),
            Self::Mime(error) => error.remedy().to_owned(),
            Self::LostSecret => {
                "put the old secret behind the new one in `secrets` of [link] until it is through"
                    .to_owned()
            }
        }
    }
}

impl Renderer {
    #[must_use]
    pub fn new(look: Look, links: Links, templates: Templates) -> Self {
        Self { look, links, templates }
    }

    /// How messages look.
    #[must_use]
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// SHA-256 in hex over all templates.
    #[must_use]
    pub fn templates_sha256(&self) -> String {
        self.templates.sha256()
    }

    /// The message of one prompt. The same facts, templates and secret give the same message,
    /// to the byte.
    ///
    /// # Errors
    /// There is nobody to write to, or the template fails with these facts.
    pub fn render(&self, digest: &Digest) -> Result<Message, RenderError> {
        let to = digest.address.as_deref().and_then(|address| address.parse().ok());
        let to = Mailbox {
            name: digest.name.as_deref().and_then(|name| plain(name, MAX_SUBJECT)),
            address: to.ok_or(RenderError::NoAddress)?,
        };
        let language = self
            .templates
            .language(&digest.template, digest.locale.as_deref())
            .ok_or_else(|| RenderError::NoTemplate { name: digest.template.clone() })?;
        let links =
            digest.grants.iter().map(|grant| self.links.link(digest, grant)).collect::<Vec<_>>();
        let view = View::of(&self.look, digest, &language.tag, links);
        let texts = language
            .render(&digest.template, &minijinja::Value::from(minijinja::value::Serde(&view)))?;
        let subject = plain(&texts.subject, MAX_SUBJECT).unwrap_or_default();
        for (part, text) in [("subject", &subject), ("text", &texts.text), ("HTML", &texts.html)] {
            if text.trim().is_empty() {
                let template = digest.template.clone();
                return Err(RenderError::Empty { template, part });
            }
        }
        let message = Message {
            id: digest.prompt,
            from: self.look.from.clone(),
            to,
            reply_to: self.look.reply_to.clone(),
            list: self.look.list.clone(),
            date: digest.dated,
            subject,
            text: texts.text,
            html: texts.html,
        };
        // An address that no header takes is to be known before the message is leased.
        message.to_mail()?;
        Ok(message)
    }

    /// The link to the consent for one grant of a prompt.
    #[must_use]
    pub fn link(&self, digest: &Digest, grant: &DigestGrant) -> String {
        self.links.link(digest, grant)
    }

    /// See [`Links::id`].
    #[must_use]
    pub fn prompt_id(&self, words: &[&str]) -> uuid::Uuid {
        self.links.id(words)
    }

    /// SHA-256 in hex over the sources of the templates that a prompt is rendered from, in
    /// its recipient's language; `None` where there is no such template.
    #[must_use]
    pub fn template_sha256(&self, digest: &Digest) -> Option<String> {
        let language = self.templates.language(&digest.template, digest.locale.as_deref())?;
        Some(language.sha256(&digest.template))
    }
}
