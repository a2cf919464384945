//! Bad rows: named by place, field and reason, counted, never acted on. Their texts carry
//! no field's content, since they end up in logs and reports; the one exception is a word
//! that is plainly meant as a scope (see [`crate::inventory::memo`]).

use std::fmt;

use crate::domain::ids::{ConnectionId, TenantId, UserId};

use super::columns::Column;

/// Where a row stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The line of a file on which the record begins, from 1.
    Line(u64),
    /// The how-manieth row of a query's answer, from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BadReason {
    /// Over [`super::MAX_RECORD`].
    TooLong,
    FieldCount {
        found: usize,
        expected: usize,
    },
    NotAnObject,
    InvalidJson,
    RepeatedKey,
    NulByte,
    BrokenUtf8,
    MissingId,
    BrokenId,
    /// The connection's id is the UUID of another column, too.
    SameAs(Column),
    UnknownFlow,
    BrokenToken,
    BrokenTokenResponse,
    RefreshToken,
    BroadRequired(&'static str),
    WithdrawnRequired(&'static str),
    /// A scope of the client-credentials grant, which no consent can hold.
    NonTenantedRequired(&'static str),
    UnknownRequired {
        /// `None`: not shown, since it may be anything.
        word: Option<String>,
        meant: Option<String>,
    },
    /// Rows of one connection differ in more than the person; found by comparing rows.
    RowsDiffer,
}

impl BadReason {
    /// Stable, for scripts (docs/inventory.md, "Bad rows").
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "record_too_long",
            Self::FieldCount { .. } => "field_count",
            Self::NotAnObject => "not_an_object",
            Self::InvalidJson => "invalid_json",
            Self::RepeatedKey => "repeated_key",
            Self::NulByte => "nul_byte",
            Self::BrokenUtf8 => "broken_utf8",
            Self::MissingId => "missing_id",
            Self::BrokenId => "broken_id",
            Self::SameAs(Column::TenantId) => "tenant_id_as_connection_id",
            Self::SameAs(_) => "other_id_as_connection_id",
            Self::UnknownFlow => "unknown_flow",
            Self::BrokenToken => "broken_token",
            Self::BrokenTokenResponse => "broken_token_response",
            Self::RefreshToken => "refresh_token",
            Self::BroadRequired(_) => "required_scope_broad",
            Self::WithdrawnRequired(_) => "required_scope_withdrawn",
            Self::NonTenantedRequired(_) => "required_scope_non_tenanted",
            Self::UnknownRequired { .. } => "required_scope_unknown",
            Self::RowsDiffer => "rows_differ",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the record is longer than 1 MiB"),
            Self::FieldCount { found, expected } => {
                write!(f, "{found} fields where the header has {expected}")
            }
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::InvalidJson => f.write_str("not valid JSON"),
            Self::RepeatedKey => f.write_str("given twice in one object"),
            Self::NulByte => f.write_str("contains a NUL byte"),
            Self::BrokenUtf8 => f.write_str("not valid UTF-8"),
            Self::MissingId => f.write_str("missing"),
            Self::BrokenId => f.write_str("not a UUID, or the nil UUID"),
            Self::SameAs(column) => write!(f, "the same UUID as {column}; another id was stored"),
            Self::UnknownFlow => f.write_str("none of web, pkce, custom, oauth1"),
            Self::BrokenToken => {
                f.write_str("not a JWT of three base64url parts with readable claims")
            }
            Self::BrokenTokenResponse => f.write_str("not a JSON object as a token endpoint gives"),
            Self::RefreshToken => f.write_str(
                "carries a refresh token, which the worker must never see; leave it out of the \
                 export, or set `ignore_refresh_tokens = true` in [inventory]",
            ),
            Self::BroadRequired(scope) => write!(f, "requires {scope}, which is being retired"),
            Self::WithdrawnRequired(scope) => {
                write!(f, "requires {scope}, which Xero no longer issues")
            }
            Self::NonTenantedRequired(scope) => {
                write!(f, "requires {scope}, which no user's consent can hold")
            }
            Self::UnknownRequired { word, meant } => {
                match word {
                    Some(word) => write!(f, "requires {word}, which is no scope")?,
                    None => f.write_str("requires a word that is no scope")?,
                }
                meant.as_ref().map_or(Ok(()), |meant| write!(f, "; meant {meant}?"))
            }
            Self::RowsDiffer => {
                f.write_str("rows of one connection differ in more than the person")
            }
        }
    }
}

/// A row that is not acted on. What could still be read of its ids serves to find the
/// connection it stands for, which then keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub place: Place,
    /// `None` where the record as a whole is bad.
    pub column: Option<Column>,
    pub reason: BadReason,
    pub connection: Option<ConnectionId>,
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}, {column}: {}", self.place, self.reason),
            None => write!(f, "{}: {}", self.place, self.reason),
        }
    }
}
