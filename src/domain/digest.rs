//! What a prompt tells one recipient: all that its message is made from. It is stored with
//! the prompt, so that the message can be shown again as it was sent.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::grant::{ConnectionKey, GrantId};
use super::ids::{ConnectionId, TenantId, UserId};

/// The facts of one prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub prompt: Uuid,
    /// The stage's name, or what the message is about outside the stages.
    pub stage: String,
    pub template: String,
    pub is_final: bool,
    /// The recipient's one spelling.
    pub recipient: String,
    /// As the host wrote it; `None` where there is none and a webhook is told.
    pub address: Option<String>,
    pub name: Option<String>,
    pub locale: Option<String>,
    /// Whose days and hours count.
    pub zone: Tz,
    /// The first working minute of the recipient's day on which it goes out, or that day's
    /// 00:00: the message's date, so that the same facts give the same bytes all day.
    pub dated: DateTime<Utc>,
    pub deadline: DateTime<Utc>,
    /// In a correction: the deadline that was told before.
    pub deadline_before: Option<DateTime<Utc>>,
    /// The earliest removal, where the message names one: 00:00 of a day in `zone`.
    pub removal_from: Option<DateTime<Utc>>,
    /// When its links end.
    pub links_until: DateTime<Utc>,
    /// One consent, and so one link, for each; most urgent first.
    pub grants: Vec<DigestGrant>,
    /// Awaiting connections that the message has no room for.
    pub not_shown: u64,
}

/// One consent that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestGrant {
    pub grant: GrantId,
    /// The Xero user, where known.
    pub user: Option<UserId>,
    /// What the consent has to ask for: scope names in order, one space between them.
    pub scopes: String,
    pub connections: Vec<DigestConnection>,
}

/// One connection that a prompt shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestConnection {
    pub key: ConnectionKey,
    pub id: Option<ConnectionId>,
    pub tenant: TenantId,
    pub tenant_name: Option<String>,
    /// The customer, in the host's own words.
    pub account: Option<String>,
    /// Scope names in order, one space between them.
    pub missing: String,
    /// What it is told for: a notice is void once another scope is required …
    pub required: String,
    /// … or Xero's date of the connection is another.
    pub connected_at: Option<DateTime<Utc>>,
}

impl Digest {
    /// Every connection shown.
    pub fn connections(&self) -> impl Iterator<Item = &DigestConnection> {
        self.grants.iter().flat_map(|grant| &grant.connections)
    }

    /// A short name for people, unlike any other prompt's: what `explain` is given from a
    /// message.
    #[must_use]
    pub fn reference(&self) -> String {
        reference(self.prompt)
    }
}

/// `XC-` and the first ten digits of a prompt's id.
#[must_use]
pub fn reference(prompt: Uuid) -> String {
    let digits = prompt.simple().to_string().to_uppercase();
    format!("XC-{}-{}", &digits[..5], &digits[5..10])
}

/// The hexadecimal digits with which the id of a prompt begins that somebody named: by its id
/// or by its reference, in any case. `None` for what is neither.
#[must_use]
pub fn named_prompt(typed: &str) -> Option<String> {
    let typed = typed.trim().to_ascii_lowercase();
    let short = typed.strip_prefix("xc-");
    let digits: String = short.unwrap_or(&typed).chars().filter(|c| *c != '-').collect();
    let wanted = if short.is_some() { 10 } else { 32 };
    let is_named = digits.len() == wanted && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_named.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_named_by_its_id_or_its_reference_however_they_are_written() {
        let prompt: Uuid = "1a2b3c4d-5e6f-5a7b-8c9d-0e1f2a3b4c5d".parse().unwrap();
        assert_eq!(reference(prompt), "XC-1A2B3-C4D5E");
        for typed in ["XC-1A2B3-C4D5E", " xc-1a2b3c4d5e ", "xc-1a2b3-c4d5e"] {
            assert_eq!(named_prompt(typed).as_deref(), Some("1a2b3c4d5e"), "{typed}");
        }
        let whole = named_prompt("1A2B3C4D-5E6F-5A7B-8C9D-0E1F2A3B4C5D").unwrap();
        assert_eq!(whole, prompt.simple().to_string());
        for typed in ["", "xc-", "xc-1a2b3", "1a2b3c4d5e", "XC-1A2B3-C4D5G", "jo@example.com"] {
            assert_eq!(named_prompt(typed), None, "{typed}");
        }
    }
}
