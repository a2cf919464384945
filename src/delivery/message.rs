//! A message as it is sent.

use chrono::{DateTime, Utc};

use crate::domain::address::Address;

/// An address with the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    pub address: Address,
}

/// One e-mail: everything that its bytes are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The prompt's id: the source of Message-ID and MIME boundary, and the idempotency key.
    pub id: uuid::Uuid,
    pub from: Mailbox,
    pub to: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// What all messages of the campaign share, for List-Id.
    pub list: String,
    pub date: DateTime<Utc>,
    pub subject: String,
    pub text: String,
    pub html: String,
}
