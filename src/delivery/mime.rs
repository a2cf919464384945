//! A message's bytes (RFC 5322): what is sent, what is written to a file, and what is hashed.
//! The same message gives the same bytes: date, Message-ID and boundary are its own.

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as Header, MultiPart, SinglePart};
use sha2::{Digest as _, Sha256};

use super::message::{Mailbox, Message};

/// Why a message has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum MimeError {
    /// Says neither the address nor whose it is: this goes into a log.
    #[error("the {field} address cannot stand in a mail header")]
    Address { field: &'static str, source: lettre::address::AddressError },
    #[error("the message cannot be put together")]
    Message { source: lettre::error::Error },
}

impl MimeError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Address { field: "To", .. } => {
                "correct the person's address in the inventory, or reach them by a webhook"
            }
            Self::Address { .. } => "correct `from` in [email] or `reply_to` in [messages]",
            Self::Message { .. } => "this is a defect of the program: please report it",
        }
    }
}

/// The characters before the last `@`, as they were written.
fn local_part(mailbox: &Mailbox) -> &str {
    let given = mailbox.address.given();
    given.rsplit_once('@').map_or(given, |(local, _)| local)
}

/// The domain in its one spelling: ASCII lower case.
fn domain(mailbox: &Mailbox) -> &str {
    let key = mailbox.address.key();
    key.rsplit_once('@').map_or(key, |(_, domain)| domain)
}

fn header(mailbox: &Mailbox, field: &'static str) -> Result<Header, MimeError> {
    let address = Address::new(local_part(mailbox), domain(mailbox))
        .map_err(|source| MimeError::Address { field, source })?;
    let name = mailbox.name.as_deref().map(|name| name.replace(char::is_control, " "));
    Ok(Header::new(name.filter(|name| !name.trim().is_empty()), address))
}

impl Message {
    /// `<id@domain>`: known before the message is sent, and the same however often it is.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("<{}@{}>", self.id, domain(&self.from))
    }

    /// Whether it can only go by way of servers that take addresses in every script
    /// (RFC 6531). A domain never needs that: it has an ASCII spelling.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        let mut all = [Some(&self.from), Some(&self.to), self.reply_to.as_ref()].into_iter();
        all.any(|mailbox| mailbox.is_some_and(|mailbox| !local_part(mailbox).is_ascii()))
    }

    /// The message as lettre sends it, with an envelope of one recipient.
    ///
    /// # Errors
    /// An address cannot stand in a header.
    pub fn to_mail(&self) -> Result<lettre::Message, MimeError> {
        let raw = |name, value: String| HeaderValue::new(name, value);
        let mut builder = lettre::Message::builder()
            .message_id(Some(self.message_id()))
            .date(self.date.into())
            .from(header(&self.from, "From")?)
            .to(header(&self.to, "To")?)
            .subject(self.subject.replace(char::is_control, " "))
            .raw_header(raw(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .raw_header(raw(
                HeaderName::new_from_ascii_str("List-Id"),
                format!("<{}>", self.list.replace(char::is_control, "")),
            ));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(header(reply_to, "Reply-To")?);
        }
        let parts = MultiPart::alternative()
            .boundary(format!("part-{}", self.id.simple()))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        builder.multipart(parts).map_err(|source| MimeError::Message { source })
    }

    /// Exactly what goes over the wire between DATA and the final dot.
    ///
    /// # Errors
    /// An address cannot stand in a header.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MimeError> {
        Ok(self.to_mail()?.formatted())
    }

    /// SHA-256 over [`Self::to_bytes`], in hex: `message_sha256`.
    ///
    /// # Errors
    /// An address cannot stand in a header.
    pub fn sha256(&self) -> Result<String, MimeError> {
        Ok(hex(&Sha256::digest(self.to_bytes()?)))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
