//! The catalogue: data in `catalogue.toml`, indexed once. A [`Scope`] is a position in it,
//! so a set of scopes fits into 128 bits.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A scope of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub(super) u8);

/// What the retirement of broad scopes means for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Retired on the deadline; the others say nothing about it.
    Broad,
    /// Replaces a part of a broad scope.
    Granular,
    /// Was there before and stays as it is.
    Unchanged,
    /// No longer issued, and nothing replaces it.
    Withdrawn,
    /// Who the user is, and whether a refresh token is issued.
    Identity,
    /// For the client-credentials grant; never in a user's consent.
    NonTenanted,
}

/// Who may ask for a scope beyond every app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Premium,
    Certified,
    Restricted,
    Partner,
}

/// How sure the catalogue is of an entry (docs/xero.md, "How sure").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confidence {
    #[default]
    A,
    B,
    C,
    D,
}

/// One scope with all that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub status: Status,
    /// Replaces a broad scope in grants, but may no longer be requested.
    #[serde(default)]
    pub withdrawn: bool,
    #[serde(default)]
    pub access: Option<Access>,
    #[serde(default)]
    pub replaced_by: Vec<String>,
    /// Endpoints, reports or products.
    #[serde(default)]
    pub covers: Vec<String>,
    #[serde(default)]
    pub confidence: Confidence,
    #[serde(default)]
    pub note: Option<String>,
}

/// All scopes, sorted by name.
pub struct Catalogue {
    entries: Vec<Entry>,
    by_name: HashMap<String, Scope>,
    /// For a write scope its `.read`.
    reads: Vec<Option<Scope>>,
}

#[derive(Deserialize)]
struct File {
    scope: Vec<Entry>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("catalogue.toml"))
        .expect("the embedded catalogue is read by a test");
    Catalogue::new(file.scope)
});

/// The catalogue that this build carries.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name: HashMap<String, Scope> =
            (0u8..).zip(&entries).map(|(index, entry)| (entry.name.clone(), Scope(index))).collect();
        let reads = entries
            .iter()
            .map(|entry| by_name.get(&format!("{}.read", entry.name)).copied())
            .collect();
        Self { entries, by_name, reads }
    }

    /// A scope by its exact lower-case name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Scope> {
        self.by_name.get(name).copied()
    }

    /// All scopes in order of name.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        (0u8..).map(Scope).take(self.entries.len())
    }

    pub(super) fn entry(&self, scope: Scope) -> &Entry {
        &self.entries[usize::from(scope.0)]
    }

    pub(super) fn read_of(&self, scope: Scope) -> Option<Scope> {
        self.reads[usize::from(scope.0)]
    }
}

impl Scope {
    /// What the catalogue says of it.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        catalogue().entry(self)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        &self.entry().name
    }

    #[must_use]
    pub fn status(self) -> Status {
        self.entry().status
    }

    /// The `.read` scope that a write scope covers (docs/xero.md, "Scopes").
    #[must_use]
    pub fn read(self) -> Option<Self> {
        catalogue().read_of(self)
    }

    /// Whether a consent may ask for it today.
    #[must_use]
    pub fn may_be_requested(self) -> bool {
        let entry = self.entry();
        !entry.withdrawn
            && matches!(entry.status, Status::Granular | Status::Unchanged | Status::Identity)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
