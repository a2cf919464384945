//! One row of the inventory, parsed: a connection as its host stores it, and one of the
//! people responsible for it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::evidence::Evidence;
use super::ids::{AuthEventId, ConnectionId, TenantId, UserId};
use super::scopes::ScopeSet;

/// A good row. Whatever its host did not give is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub tenant: TenantId,
    pub connection: Option<ConnectionId>,
    /// The column `xero_user_id`.
    pub user: Option<UserId>,
    /// `xero_userid` of the row's token or tokens.
    pub token_user: Option<UserId>,
    pub tenant_name: Option<String>,
    pub tenant_type: Option<String>,
    /// The customer in the host's own words.
    pub account: Option<String>,
    pub auth_event: Option<AuthEventId>,
    pub flow: Option<Flow>,
    pub connected_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// The row's own required scopes, in place of the campaign's.
    pub required: Option<ScopeSet>,
    /// All readings of scopes in this row, in the order of [`super::evidence::Source`].
    pub evidence: Vec<Evidence>,
    /// Why the row's evidence cannot be trusted to be this grant's.
    pub doubt: Option<Doubt>,
    pub person: Person,
}

/// Who is responsible for a connection, according to one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// `None` when not given, or when it is no address (then the row has a warning).
    pub email: Option<Address>,
    pub name: Option<String>,
    pub locale: Option<String>,
    pub time_zone: Option<Tz>,
    pub country: Option<String>,
    /// The pseudonym of somebody who was erased, of whom nothing else is known.
    pub forgotten: Option<String>,
}

/// The authorisation flow that made a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    Web,
    Pkce,
    /// A custom connection: scopes change in Xero's developer portal only.
    Custom,
    /// Dead since 2021 (docs/xero.md, "Grants and connections").
    Oauth1,
}

impl Flow {
    /// Never prompted and never removed by a program.
    #[must_use]
    pub fn is_manual(self) -> bool {
        matches!(self, Self::Custom | Self::Oauth1)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Pkce => "pkce",
            Self::Custom => "custom",
            Self::Oauth1 => "oauth1",
        }
    }
}

/// What makes a grant `unknown` whatever its scopes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The column `xero_user_id` and the token's `xero_userid` (or two tokens) differ.
    UserDisagrees,
    /// The token was issued to another app.
    OtherClient,
}

/// What is odd about a good row: counted, never a reason to refuse it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Warnings {
    /// `email` is no address; the person is unreachable.
    pub address: bool,
    /// `time_zone` is no IANA zone; the campaign's is used.
    pub time_zone: bool,
    /// One of the dates could not be read.
    pub date: bool,
}
