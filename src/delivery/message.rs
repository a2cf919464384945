//! A message as it is sent.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::domain::address::Address;

/// An address with the name shown beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    pub address: Address,
}

/// One e-mail: everything that its bytes are made from.
#[derive(Clone, PartialEq, Eq)]
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

/// Neither the person nor the links, which are as good as a key until somebody logs in.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}
