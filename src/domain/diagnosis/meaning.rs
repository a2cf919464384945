//! What an answer can mean, and who can do something about it.

use serde::Serialize;

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    Fine,
    MissingScope,
    JournalsTier,
    TokenExpired,
    TokenRefused,
    NotConnected,
    Forbidden,
    RefreshTokenDead,
    Credentials,
    ScopeRefused,
    ConsentRefused,
    Limit,
    Outage,
    Unknown,
}

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Helper {
    Nobody,
    /// The user, by consenting again or connecting anew.
    User,
    /// The product, by itself.
    Host,
    /// Whoever runs the app at Xero.
    Operator,
    Time,
}

impl Meaning {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::MissingScope => "missing_scope",
            Self::JournalsTier => "journals_tier",
            Self::TokenExpired => "token_expired",
            Self::TokenRefused => "token_refused",
            Self::NotConnected => "not_connected",
            Self::Forbidden => "forbidden",
            Self::RefreshTokenDead => "refresh_token_dead",
            Self::Credentials => "credentials",
            Self::ScopeRefused => "scope_refused",
            Self::ConsentRefused => "consent_refused",
            Self::Limit => "limit",
            Self::Outage => "outage",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn helper(self) -> Helper {
        match self {
            Self::Fine | Self::Unknown => Helper::Nobody,
            Self::MissingScope
            | Self::RefreshTokenDead
            | Self::ConsentRefused
            | Self::NotConnected => Helper::User,
            Self::TokenExpired | Self::TokenRefused => Helper::Host,
            Self::JournalsTier | Self::Credentials | Self::ScopeRefused | Self::Forbidden => {
                Helper::Operator
            }
            Self::Limit | Self::Outage => Helper::Time,
        }
    }
}
