//! The columns of an inventory (docs/inventory.md, "Columns"), and what a host calls them.

use std::fmt;
use std::str::FromStr;

/// A column the worker reads. Whatever else a source has is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Column {
    TenantId,
    ConnectionId,
    TenantName,
    TenantType,
    XeroUserId,
    Email,
    Name,
    Locale,
    TimeZone,
    Country,
    AccountId,
    Scopes,
    AccessToken,
    TokenResponse,
    EvidenceAt,
    AuthEventId,
    Flow,
    ConnectedAt,
    UpdatedAt,
    LastUsedAt,
    RequiredScopes,
}

impl Column {
    /// In the order of the declaration; fingerprints count on it.
    pub const ALL: [Self; 21] = [
        Self::TenantId,
        Self::ConnectionId,
        Self::TenantName,
        Self::TenantType,
        Self::XeroUserId,
        Self::Email,
        Self::Name,
        Self::Locale,
        Self::TimeZone,
        Self::Country,
        Self::AccountId,
        Self::Scopes,
        Self::AccessToken,
        Self::TokenResponse,
        Self::EvidenceAt,
        Self::AuthEventId,
        Self::Flow,
        Self::ConnectedAt,
        Self::UpdatedAt,
        Self::LastUsedAt,
        Self::RequiredScopes,
    ];
    pub const COUNT: usize = Self::ALL.len();

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TenantId => "tenant_id",
            Self::ConnectionId => "connection_id",
            Self::TenantName => "tenant_name",
            Self::TenantType => "tenant_type",
            Self::XeroUserId => "xero_user_id",
            Self::Email => "email",
            Self::Name => "name",
            Self::Locale => "locale",
            Self::TimeZone => "time_zone",
            Self::Country => "country",
            Self::AccountId => "account_id",
            Self::Scopes => "scopes",
            Self::AccessToken => "access_token",
            Self::TokenResponse => "token_response",
            Self::EvidenceAt => "evidence_at",
            Self::AuthEventId => "auth_event_id",
            Self::Flow => "flow",
            Self::ConnectedAt => "connected_at",
            Self::UpdatedAt => "updated_at",
            Self::LastUsedAt => "last_used_at",
            Self::RequiredScopes => "required_scopes",
        }
    }

    /// Holds a UUID: what a row is found again by.
    #[must_use]
    pub fn is_id(self) -> bool {
        matches!(self, Self::TenantId | Self::ConnectionId | Self::XeroUserId | Self::AuthEventId)
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of [`Column`]'s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no column of the inventory")]
pub struct UnknownColumn(pub String);

impl FromStr for Column {
    type Err = UnknownColumn;

    fn from_str(name: &str) -> Result<Self, UnknownColumn> {
        Self::ALL
            .into_iter()
            .find(|column| column.name() == name)
            .ok_or_else(|| UnknownColumn(name.to_owned()))
    }
}

/// What each column is called where the connections are kept: `[inventory.columns]`.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    theirs: [Option<String>; Column::COUNT],
}

/// How well a name in the source fits a column's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exact,
    /// Equal but for ASCII case; counts where nothing fits exactly.
    Loose,
}

/// How one name fits each column, by index.
pub(super) type Fits = [Option<Fit>; Column::COUNT];

/// Why the names of a source cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    Missing(Column),
    Repeated(Column, Vec<String>),
}

impl Columns {
    /// Ours and theirs, in pairs; a column that is not mentioned has the same name there.
    ///
    /// # Errors
    /// A name of ours that is none.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, UnknownColumn> {
        let mut columns = Self::default();
        for (ours, theirs) in pairs {
            let column: Column = ours.parse()?;
            columns.theirs[column.index()] = Some(tidy(theirs).to_owned());
        }
        Ok(columns)
    }

    /// What the source calls a column.
    #[must_use]
    pub fn theirs(&self, column: Column) -> &str {
        self.theirs[column.index()].as_deref().unwrap_or(column.name())
    }

    /// How a name of the source fits each column.
    pub(super) fn fits(&self, name: &str) -> Fits {
        let name = tidy(name);
        Column::ALL.map(|column| {
            let wanted = self.theirs(column);
            if name == wanted {
                Some(Fit::Exact)
            } else if name.eq_ignore_ascii_case(wanted) {
                Some(Fit::Loose)
            } else {
                None
            }
        })
    }

    /// Where each column stands among the names of a source, in the source's order.
    pub(super) fn locate(&self, names: &[String]) -> Result<Vec<(Column, usize)>, Misfit> {
        let of_names: Vec<Fits> = names.iter().map(|name| self.fits(name)).collect();
        let mut found = Vec::new();
        for column in Column::ALL {
            let mut fits: Vec<(usize, Fit)> = (0..)
                .zip(&of_names)
                .filter_map(|(at, fits)| fits[column.index()].map(|fit| (at, fit)))
                .collect();
            if fits.iter().any(|(_, fit)| *fit == Fit::Exact) {
                fits.retain(|(_, fit)| *fit == Fit::Exact);
            }
            match fits[..] {
                // A name that somebody wrote into the configuration is there on purpose.
                [] if column == Column::TenantId || self.theirs[column.index()].is_some() => {
                    return Err(Misfit::Missing(column));
                }
                [] => {}
                [(at, _)] => found.push((column, at)),
                _ => {
                    let names = fits.iter().map(|(at, _)| names[*at].clone()).collect();
                    return Err(Misfit::Repeated(column, names));
                }
            }
        }
        found.sort_by_key(|(_, at)| *at);
        Ok(found)
    }
}

fn tidy(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_column_stands_at_its_own_index_and_is_found_by_its_name() {
        for (index, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column.index(), index);
            assert_eq!(column.name().parse(), Ok(column));
        }
        assert!("refresh_token".parse::<Column>().is_err());
    }

    #[test]
    fn an_exact_name_comes_before_one_in_another_case() {
        let found = Columns::default().locate(&names(&["Tenant_ID", " tenant_id ", "Email"]));
        assert_eq!(found, Ok(vec![(Column::TenantId, 1), (Column::Email, 2)]));
    }

    #[test]
    fn a_mapped_name_replaces_ours_and_has_to_be_there() {
        let columns = Columns::new([("email", "user_email")]).unwrap();
        let found = columns.locate(&names(&["\u{feff}tenant_id", "email", "USER_EMAIL"]));
        assert_eq!(found, Ok(vec![(Column::TenantId, 0), (Column::Email, 2)]));
        let missing = columns.locate(&names(&["tenant_id", "email"]));
        assert_eq!(missing, Err(Misfit::Missing(Column::Email)));
    }

    #[test]
    fn one_column_of_theirs_may_be_two_of_ours_but_not_the_reverse() {
        let columns = Columns::new([("account_id", "email")]).unwrap();
        let found = columns.locate(&names(&["email", "tenant_id"])).unwrap();
        assert!(found.contains(&(Column::Email, 0)) && found.contains(&(Column::AccountId, 0)));
        let twice = columns.locate(&names(&["tenant_id", "email", "email"]));
        assert!(matches!(twice, Err(Misfit::Repeated(Column::Email, _))));
        let unclear = Columns::default().locate(&names(&["Tenant_Id", "TENANT_ID"]));
        assert!(matches!(unclear, Err(Misfit::Repeated(Column::TenantId, _))));
    }

    #[test]
    fn a_source_without_tenants_is_no_inventory() {
        let found = Columns::default().locate(&names(&["tenant", "email"]));
        assert_eq!(found, Err(Misfit::Missing(Column::TenantId)));
    }
}
