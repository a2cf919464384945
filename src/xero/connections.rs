//! Xero's connections of the whole app: the list, and the removal of one
//! (docs/xero.md, "Connections API"). What calls them sees this face only, so that a simulated
//! Xero can stand behind it.

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use crate::domain::ids::{AuthEventId, ConnectionId, TenantId};

use super::error::Error;

/// A connection as Xero lists it. It knows neither person nor scopes: it proves existence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: ConnectionId,
    pub tenant: TenantId,
    pub tenant_type: Option<String>,
    pub tenant_name: Option<String>,
    pub auth_event: Option<AuthEventId>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// One reading of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub connections: Vec<Listed>,
    /// Why it may not be all of it, where it says so itself or entries could not be read. An
    /// incomplete list proves that what it has exists, and nothing of what it lacks.
    pub incomplete: Option<String>,
    /// When it was asked for, after any wait: what is removed later can still be in it.
    pub asked_at: DateTime<Utc>,
    /// Xero's own clock, from the answer's `Date`.
    pub server_time: Option<DateTime<Utc>>,
}

/// A definite answer to the removal of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// 204: this call removed it.
    Removed,
    /// 404: it was gone before.
    AlreadyGone,
    /// 403: a wrong id, or not this app's.
    NotOurs,
}

/// A definite answer, with Xero's name for the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub deletion: Deletion,
    pub correlation: Option<String>,
    pub server_time: Option<DateTime<Utc>>,
}

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What can be asked of Xero about an app's connections.
pub trait Connections: Send + Sync {
    /// Reads the whole list. It may be asked again by itself; nothing is changed by it.
    fn list(&self) -> Answer<'_, Listing>;

    /// Removes one connection, at once: whoever asks has counted the call and waited for its
    /// turn. It is asked once: where no answer came, the error says so, and only the list
    /// tells.
    fn delete(&self, id: ConnectionId) -> Answer<'_, Deleted>;
}
