//! Evidence: where a grant's scopes were read, and when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::scopes::ScopeSet;

/// Which field of a row the scopes were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The column `scopes`.
    Scopes,
    /// The claims of `access_token`.
    AccessToken,
    /// `scope` in `token_response`.
    TokenResponse,
    /// The claims of `access_token` in `token_response`.
    TokenResponseAccessToken,
}

/// One reading of a grant's scopes. A text without a known scope is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Evidence {
    pub source: Source,
    pub scopes: ScopeSet,
    /// A token's `auth_time`, else its `iat`; a text's `evidence_at`.
    pub at: Option<DateTime<Utc>>,
}
