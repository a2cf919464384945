//! Secrets stand in jobs.toml as references, and are read when a step needs them.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use secrecy::SecretString;
use toml::de::DeValue;

use super::problem::Wrong;
use super::value::{FromToml, Value};

/// Larger than any key, password or address; a reference to a device must not fill memory.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `{ env = "NAME" }`
    Env(String),
    /// `{ file = "PATH" }`
    File(PathBuf),
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable {name} is not set")]
    Unset { name: String },
    #[error("the secret file {} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{place} is empty")]
    Empty { place: SecretRef },
    #[error("{place} is not text")]
    NotText { place: SecretRef },
    #[error("{place} is longer than {MAX_BYTES} bytes")]
    TooLong { place: SecretRef },
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unset { name } => format!("set {name} for this process"),
            Self::Unreadable { .. } => {
                "put the secret there, readable for the user that runs the worker".to_owned()
            }
            Self::Empty { .. } | Self::NotText { .. } | Self::TooLong { .. } => {
                "put the secret there, as plain text and nothing else".to_owned()
            }
        }
    }
}

impl SecretRef {
    /// Reads the secret; `env` looks a variable up. One line end after it is no part of it.
    ///
    /// # Errors
    /// When it is not there, empty, or no text.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<SecretString, SecretError> {
        let bytes = match self {
            Self::Env(name) => env(name)
                .ok_or_else(|| SecretError::Unset { name: name.clone() })?
                .into_encoded_bytes(),
            Self::File(path) => {
                let mut bytes = Vec::new();
                File::open(path)
                    .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
                    .map_err(|source| SecretError::Unreadable { path: path.clone(), source })?;
                bytes
            }
        };
        if bytes.len() as u64 > MAX_BYTES {
            return Err(SecretError::TooLong { place: self.clone() });
        }
        let text =
            String::from_utf8(bytes).map_err(|_| SecretError::NotText { place: self.clone() })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() {
            return Err(SecretError::Empty { place: self.clone() });
        }
        Ok(SecretString::from(line))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

impl FromToml for SecretRef {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        if let DeValue::Table(values) = value.toml.get_ref()
            && let Some((key, place)) = values.iter().next()
            && let (1, DeValue::String(place)) = (values.len(), place.get_ref())
            && !place.trim().is_empty()
        {
            match key.get_ref().as_ref() {
                "env" => return Ok(Self::Env(place.to_string())),
                "file" => return Ok(Self::File(value.reading.resolve(place))),
                _ => {}
            }
        }
        value.reading.conceal(value.span());
        let name = value.key.to_ascii_uppercase();
        Err(Wrong::new(
            format!(
                "{} must say where the secret is; secrets do not stand in this file",
                value.label()
            ),
            format!(
                "{}, or `{{ file = \"PATH\" }}`",
                value.write(&format!("{{ env = \"{name}\" }}"))
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(name: &str) -> Option<OsString> {
        match name {
            "SET" => Some("s3cret\n".into()),
            "BLANK" => Some("  ".into()),
            _ => None,
        }
    }

    #[test]
    fn a_variable_is_read_when_asked_for_without_its_line_end() {
        let secret = SecretRef::Env("SET".to_owned()).resolve(&env).unwrap();
        assert_eq!(secret.expose_secret(), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn a_secret_that_is_not_there_says_where_it_was_looked_for() {
        let unset = SecretRef::Env("NONE".to_owned()).resolve(&env).unwrap_err();
        assert_eq!(unset.to_string(), "the environment variable NONE is not set");
        assert_eq!(unset.remedy(), "set NONE for this process");
        let blank = SecretRef::Env("BLANK".to_owned()).resolve(&env).unwrap_err();
        assert_eq!(blank.to_string(), "the environment variable BLANK is empty");
    }

    #[test]
    fn a_file_is_read_whole_and_only_if_it_can_be_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            SecretRef::File(path)
        };
        let good = write("good", b" two words\r\n").resolve(&env).unwrap();
        assert_eq!(good.expose_secret(), " two words");
        assert!(matches!(write("binary", &[0xff]).resolve(&env), Err(SecretError::NotText { .. })));
        assert!(matches!(write("empty", b"\n").resolve(&env), Err(SecretError::Empty { .. })));
        let long = vec![b'x'; 70_000];
        assert!(matches!(write("long", &long).resolve(&env), Err(SecretError::TooLong { .. })));
        let missing = SecretRef::File(dir.path().join("missing")).resolve(&env);
        assert!(matches!(missing, Err(SecretError::Unreadable { .. })));
    }
}
