//! One line of the file, with every column that an inventory may have and two of the
//! host's own.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::draw::Draw;

/// In the order of the columns. Empty means not given.
#[derive(Clone, Default, Serialize)]
pub struct Record {
    pub tenant_id: String,
    pub connection_id: String,
    pub tenant_name: String,
    pub tenant_type: String,
    pub xero_user_id: String,
    pub email: String,
    pub name: String,
    pub locale: String,
    pub time_zone: String,
    pub country: String,
    pub account_id: String,
    pub plan: String,
    pub scopes: String,
    pub access_token: String,
    pub token_response: String,
    pub evidence_at: String,
    pub auth_event_id: String,
    pub flow: String,
    pub connected_at: String,
    pub updated_at: String,
    pub last_used_at: String,
    pub required_scopes: String,
    pub internal_note: String,
}

/// What the file is made of.
pub enum Line {
    Good(Record),
    /// Well-formed, and refused for what it says.
    Bad(Record),
    /// The beginning of a record whose rest was lost.
    CutOff(Vec<String>),
}

/// How one host writes a time.
#[derive(Clone, Copy)]
pub enum Form {
    Rfc3339,
    /// With the offset of New Zealand in winter.
    Rfc3339Offset,
    /// As Xero's connections API does: UTC, no zone, seven decimals.
    Xero,
    Sql,
}

/// With weights.
pub const FORMS: &[(u32, Form)] =
    &[(50, Form::Rfc3339), (20, Form::Xero), (20, Form::Sql), (10, Form::Rfc3339Offset)];

impl Form {
    pub fn write(self, at: DateTime<Utc>, draw: &mut Draw) -> String {
        match self {
            Self::Rfc3339 => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::Rfc3339Offset => {
                let there = at + TimeDelta::hours(12);
                there.format("%Y-%m-%dT%H:%M:%S+12:00").to_string()
            }
            Self::Xero => {
                format!("{}.{:07}", at.format("%Y-%m-%dT%H:%M:%S"), draw.fraction())
            }
            Self::Sql => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }
}
