//! Addresses of databases. They may carry a password, so they are shown without it.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::problem::Wrong;
use super::reading::resolve;
use super::value::{FromToml, Value};

/// What would end the path of a `sqlite://` address, or be decoded in it.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// A database and how to reach it.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Sqlite {
        /// Absolute.
        path: PathBuf,
        /// What stood behind `?`, as `mode=ro`.
        options: Option<String>,
    },
    Postgres(SecretString),
    MySql(SecretString),
}

/// A text that is no address of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error("the address starts with none of sqlite://, postgres:// and mysql://")]
    Scheme,
    #[error("the address names no file")]
    NoFile,
    #[error("a database in memory is gone when the run ends")]
    Memory,
    #[error("a MySQL server can be an inventory but not hold the worker's state")]
    NotForState,
    #[error("the address cannot be read: {0}")]
    Malformed(url::ParseError),
}

impl DatabaseUrlError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Scheme | Self::NoFile | Self::Memory | Self::NotForState => {
                "write `sqlite://worker.db` for a file, or `postgres://user@host/name`"
            }
            Self::Malformed(_) => {
                "write `postgres://user:password@host:5432/name`, with %-codes for `/ # ? @ :` in user and password"
            }
        }
    }
}

impl DatabaseUrl {
    /// Reads an address; a relative path in it starts at `base`, or at the current directory.
    ///
    /// # Errors
    /// When it is no address of a database that keeps anything.
    pub fn parse(text: &str, base: Option<&Path>) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(DatabaseUrlError::Scheme)?;
        let server = || {
            Url::parse(text).map_err(DatabaseUrlError::Malformed)?;
            Ok(SecretString::from(text))
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite(rest.strip_prefix("//").unwrap_or(rest), base),
            "postgres" | "postgresql" => server().map(Self::Postgres),
            "mysql" | "mariadb" => server().map(Self::MySql),
            _ => Err(DatabaseUrlError::Scheme),
        }
    }

    /// As [`Self::parse`], for the worker's own state: SQLite or PostgreSQL.
    ///
    /// # Errors
    /// As there, and for MySQL.
    pub fn parse_state(text: &str, base: Option<&Path>) -> Result<Self, DatabaseUrlError> {
        match Self::parse(text, base)? {
            Self::MySql(_) => Err(DatabaseUrlError::NotForState),
            url => Ok(url),
        }
    }

    /// The address as drivers take it, password included.
    #[must_use]
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite { path, options } => {
                let path = path.to_string_lossy();
                let options =
                    options.as_ref().map(|options| format!("?{options}")).unwrap_or_default();
                format!("sqlite://{}{options}", utf8_percent_encode(&path, PATH))
            }
            Self::Postgres(url) | Self::MySql(url) => url.expose_secret().to_owned(),
        }
    }
}

fn sqlite(rest: &str, base: Option<&Path>) -> Result<DatabaseUrl, DatabaseUrlError> {
    let (path, options) = match rest.split_once('?') {
        Some((path, options)) => (path, Some(options)),
        None => (rest, None),
    };
    let in_memory = |options: &str| options.split('&').any(|option| option == "mode=memory");
    if path == ":memory:" || options.is_some_and(in_memory) {
        return Err(DatabaseUrlError::Memory);
    }
    if path.is_empty() {
        return Err(DatabaseUrlError::NoFile);
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    Ok(DatabaseUrl::Sqlite { path: resolve(base, &*path), options: options.map(str::to_owned) })
}

/// Without password and options, either of which may be secret.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path, .. } => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) | Self::MySql(url) => {
                let Ok(url) = Url::parse(url.expose_secret()) else { return f.write_str("…") };
                write!(f, "{}://", url.scheme())?;
                if !url.username().is_empty() {
                    write!(f, "{}@", url.username())?;
                }
                f.write_str(url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl FromToml for DatabaseUrl {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        read(value, Self::parse)
    }
}

/// An address written out. It is not shown if it may hold a password.
pub(super) fn read(
    value: Value<'_>,
    parse: fn(&str, Option<&Path>) -> Result<DatabaseUrl, DatabaseUrlError>,
) -> Result<DatabaseUrl, Wrong> {
    let text = value.text()?;
    if text.contains('@') {
        value.reading.conceal(value.span());
    }
    parse(text, value.reading.base())
        .map_err(|error| Wrong::new(format!("{}: {error}", value.label()), error.remedy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_file_starts_at_the_directory_of_the_text_that_names_it() {
        let base = Path::new("/srv/books");
        for text in ["sqlite://worker.db?mode=rwc", "sqlite:worker.db?mode=rwc"] {
            let url = DatabaseUrl::parse(text, Some(base)).unwrap();
            assert_eq!(url.expose(), "sqlite:///srv/books/worker.db?mode=rwc");
            assert_eq!(url.to_string(), "sqlite:///srv/books/worker.db");
        }
        let url = DatabaseUrl::parse("sqlite:///var/a%20b%3F.db", Some(base)).unwrap();
        let DatabaseUrl::Sqlite { path, options: None } = &url else { panic!("{url:?}") };
        assert_eq!(path, Path::new("/var/a b?.db"));
        assert_eq!(url.expose(), "sqlite:///var/a%20b%3F.db");
        let here = DatabaseUrl::parse("sqlite://worker.db", None).unwrap();
        assert!(matches!(here, DatabaseUrl::Sqlite { path, .. } if path.is_absolute()));
    }

    #[test]
    fn a_server_is_shown_without_password_and_options() {
        for text in [
            "postgres://worker:hunter2@db.example:5433/books?password=hunter2",
            "mysql://worker:hunter2@db.example:5433/books",
        ] {
            let url = DatabaseUrl::parse(text, None).unwrap();
            assert!(url.to_string().ends_with("://worker@db.example:5433/books"), "{url}");
            assert!(!format!("{url:?}").contains("hunter2"));
            assert_eq!(url.expose(), text);
        }
    }

    #[test]
    fn what_is_no_lasting_database_is_refused() {
        let refused = |text: &str| DatabaseUrl::parse(text, None).unwrap_err();
        assert_eq!(refused("worker.db"), DatabaseUrlError::Scheme);
        assert_eq!(refused("oracle://x"), DatabaseUrlError::Scheme);
        assert_eq!(refused("sqlite://"), DatabaseUrlError::NoFile);
        let state = DatabaseUrl::parse_state("mysql://host/db", None).unwrap_err();
        assert_eq!(state, DatabaseUrlError::NotForState);
        assert_eq!(refused("sqlite::memory:"), DatabaseUrlError::Memory);
        assert_eq!(refused("sqlite://x?mode=memory"), DatabaseUrlError::Memory);
        assert!(matches!(refused("postgres://u:p/w@host/db"), DatabaseUrlError::Malformed(_)));
    }
}
