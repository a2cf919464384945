//! Why an inventory cannot be read at all. A source that ends early is always an error,
//! since half an inventory looks like customers who left.

use super::columns::{Column, Columns, Misfit};

/// What went wrong, and in [`Error::remedy`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the inventory {place} cannot be read: {reason}")]
    Unreadable { place: String, reason: String, remedy: String },
    #[error("the inventory {place} has no column `{header}`{}", for_ours(header, *column))]
    MissingColumn { place: String, column: Column, header: String, remedy: String },
    #[error("the inventory {place} has several columns for {column}: {}", .headers.join(", "))]
    RepeatedColumn { place: String, column: Column, headers: Vec<String> },
    #[error("the address of the inventory is not usable: {reason}")]
    Address { reason: String },
}

/// What the error means for the program's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It may work another time: exit 1.
    Unreadable,
    /// Somebody has to change something: exit 2.
    Configuration,
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { .. } => ErrorKind::Unreadable,
            Self::MissingColumn { .. } | Self::RepeatedColumn { .. } | Self::Address { .. } => {
                ErrorKind::Configuration
            }
        }
    }

    /// What to do about it, for the person who runs the worker.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { remedy, .. } | Self::MissingColumn { remedy, .. } => remedy.clone(),
            Self::RepeatedColumn { column, .. } => format!(
                "leave one of them, or say which one it is in [inventory.columns]: \
                 {column} = \"…\""
            ),
            Self::Address { .. } => {
                "write postgres://…, mysql://…, mariadb://… or sqlite://… in [inventory] url"
                    .to_owned()
            }
        }
    }

    pub(super) fn unreadable(
        place: &str,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Unreadable { place: place.to_owned(), reason: reason.into(), remedy: remedy.into() }
    }

    /// The error for names that do not fit; `hint` comes first in its remedy.
    pub(super) fn misfit(
        place: &str,
        columns: &Columns,
        names: &[String],
        misfit: Misfit,
        hint: Option<&str>,
    ) -> Self {
        match misfit {
            Misfit::Missing(column) => {
                let header = columns.theirs(column).to_owned();
                let map = format!(
                    "if it has another name there, say so in [inventory.columns]: {column} = \"…\""
                );
                let parts = hint.map(str::to_owned).into_iter().chain([there(names), map]);
                let remedy = parts.collect::<Vec<_>>().join("; ");
                Self::MissingColumn { place: place.to_owned(), column, header, remedy }
            }
            Misfit::Repeated(column, headers) => {
                Self::RepeatedColumn { place: place.to_owned(), column, headers }
            }
        }
    }
}

fn for_ours(header: &str, column: Column) -> String {
    if header == column.name() { String::new() } else { format!(" (for {column})") }
}

/// Longest list of names that anybody reads.
const MAX_NAMES: usize = 40;

/// The names that a source has. A file without a header has a customer's data in their
/// place, which must not end up in a log.
fn there(names: &[String]) -> String {
    if names.is_empty() {
        return "no names were found".to_owned();
    }
    if names.iter().any(|name| looks_like_data(name)) {
        return "the first line looks like data: it must hold the names of the columns".to_owned();
    }
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    let more = if names.len() > MAX_NAMES { ", …" } else { "" };
    format!("there are: {}{more}", shown.join(", "))
}

fn looks_like_data(name: &str) -> bool {
    name.chars().count() > 60
        || name.contains('@')
        || name.chars().any(char::is_control)
        || uuid::Uuid::try_parse(name.trim()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(names: &[&str]) -> Error {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let columns = Columns::default();
        Error::misfit("a.csv", &columns, &names, Misfit::Missing(Column::TenantId), None)
    }

    #[test]
    fn a_missing_column_names_what_is_there_and_where_to_map_it() {
        let error = missing(&["org_id", "mail"]);
        assert_eq!(error.to_string(), "the inventory a.csv has no column `tenant_id`");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(
            error.remedy(),
            "there are: org_id, mail; if it has another name there, say so in \
             [inventory.columns]: tenant_id = \"…\""
        );
    }

    #[test]
    fn a_file_without_a_header_shows_none_of_its_data() {
        let error = missing(&["jo@example.com", "Jo Smith"]);
        assert!(!error.remedy().contains("Smith") && error.remedy().contains("first line"));
    }
}
