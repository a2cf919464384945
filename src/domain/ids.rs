//! Identifiers that cannot be mixed up: Xero hands out four kinds of UUID for one
//! connection, and passing a tenant's id where the connection's is meant answers 403 at
//! best (docs/xero.md, "Connections API").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

uuid_ids! {
    /// Xero's id of a connection: one user's link to one tenant.
    ConnectionId;
    /// A Xero organisation, practice or practice-manager account.
    TenantId;
    /// The person who consented (`xero_userid` in a token).
    UserId;
    /// One consent event; shared by the tenants authorised together.
    AuthEventId;
}
