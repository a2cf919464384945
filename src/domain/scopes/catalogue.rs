//! The catalogue: data in `catalogue.toml`, indexed once. A [`Scope`] is a position in it,
//! so a set of scopes fits into 128 bits.

use std::collections::{BTreeMap, HashMap};
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
    /// Where this is written: in the file a key of `[sources]`, here its text.
    pub source: String,
    #[serde(default)]
    pub confidence: Confidence,
    #[serde(default)]
    pub note: Option<String>,
}

/// All scopes, sorted by name.
pub struct Catalogue {
    entries: Vec<Entry>,
    by_name: HashMap<String, Scope>,
    pub(super) masks: Masks,
}

/// Sets of scopes as bits, so that a question about a set is one operation and no walk
/// through the catalogue: a scan asks several per grant.
pub(super) struct Masks {
    pub(super) broad: u128,
    pub(super) granular: u128,
    pub(super) identity: u128,
    /// Write scopes, each the neighbour of its `.read`: in order of name nothing can come
    /// between `files` and `files.read` but a `files.a…` to `files.q…`, and a test shows
    /// that there is none beside a pair.
    pub(super) writes: u128,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sources: BTreeMap<String, String>,
    scope: Vec<Entry>,
}

const FILE: &str = include_str!("catalogue.toml");

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let file: File = toml::from_str(FILE).expect("the embedded catalogue is read by a test");
    Catalogue::new(file)
});

/// The catalogue that this build carries.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn new(File { sources, scope: mut entries }: File) -> Self {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in &mut entries {
            if let Some(text) = sources.get(&entry.source) {
                entry.source.clone_from(text);
            }
        }
        let by_name = (0u8..)
            .zip(&entries)
            .map(|(index, entry)| (entry.name.clone(), Scope(index)))
            .collect();
        let with = |status| bits(entries.iter().map(|entry| entry.status == status));
        let masks = Masks {
            broad: with(Status::Broad),
            granular: with(Status::Granular),
            identity: with(Status::Identity),
            writes: bits(
                entries
                    .windows(2)
                    .map(|pair| pair[1].name.strip_suffix(".read") == Some(&pair[0].name)),
            ),
        };
        Self { entries, by_name, masks }
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

    fn entry(&self, scope: Scope) -> &Entry {
        &self.entries[usize::from(scope.0)]
    }
}

/// One bit for each answer, the first in the lowest.
fn bits(answers: impl Iterator<Item = bool>) -> u128 {
    (0u8..).zip(answers).fold(0, |bits, (index, yes)| bits | (u128::from(yes) << index))
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
        let is_write = catalogue().masks.writes & (1 << self.0) != 0;
        is_write.then_some(Self(self.0 + 1))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        toml::from_str(FILE).expect("the embedded catalogue is a catalogue")
    }

    fn find(name: &str) -> Scope {
        catalogue().find(name).unwrap_or_else(|| panic!("{name} is in the catalogue"))
    }

    #[test]
    fn a_set_of_all_scopes_fits_into_128_bits() {
        assert_eq!(file().scope.len(), catalogue().scopes().count());
        assert!(file().scope.len() <= 128);
    }

    #[test]
    fn every_name_is_unique_and_lower_case_and_found_again() {
        let scopes: Vec<Scope> = catalogue().scopes().collect();
        for scope in &scopes {
            assert_eq!(catalogue().find(scope.name()), Some(*scope), "{scope}");
            assert_eq!(scope.name(), scope.name().to_ascii_lowercase());
            assert!(!scope.name().contains(|c: char| c.is_whitespace() || ",+%".contains(c)));
        }
        assert!(scopes.windows(2).all(|pair| pair[0].name() < pair[1].name()));
    }

    #[test]
    fn every_entry_names_a_source_and_every_source_is_used() {
        let file = file();
        for key in file.sources.keys() {
            assert!(file.scope.iter().any(|entry| entry.source == *key), "{key}");
        }
        for entry in &file.scope {
            let text = &file.sources[&entry.source];
            assert_eq!(find(&entry.name).entry().source, *text, "{}", entry.name);
        }
    }

    #[test]
    fn only_broad_scopes_are_replaced_and_only_by_granular_ones_that_may_be_requested() {
        for scope in catalogue().scopes() {
            let replaced_by = &scope.entry().replaced_by;
            assert_eq!(scope.status() == Status::Broad, !replaced_by.is_empty(), "{scope}");
            for name in replaced_by {
                let replacement = find(name);
                assert_eq!(replacement.status(), Status::Granular, "{scope} -> {name}");
                assert!(replacement.may_be_requested(), "{scope} -> {name}");
                assert_eq!(scope.name().ends_with(".read"), name.ends_with(".read"), "{name}");
            }
        }
    }

    #[test]
    fn every_granular_scope_that_may_be_requested_replaces_a_broad_one() {
        for scope in catalogue().scopes() {
            let replaces = catalogue()
                .scopes()
                .any(|broad| broad.entry().replaced_by.iter().any(|name| name == scope.name()));
            let expected = scope.status() == Status::Granular && scope.may_be_requested();
            assert_eq!(replaces, expected, "{scope}");
        }
    }

    #[test]
    fn a_write_scope_covers_its_read_and_nothing_else() {
        for scope in catalogue().scopes() {
            let read = catalogue().find(&format!("{scope}.read"));
            assert_eq!(scope.read(), read, "{scope}");
        }
        assert_eq!(find("files").read(), Some(find("files.read")));
        assert_eq!(find("files.read").read(), None);
        assert_eq!(find("bankfeeds").read(), None);
    }

    #[test]
    fn what_is_broad_withdrawn_or_outside_a_consent_is_never_requested() {
        for (name, may) in [
            ("accounting.invoices", true),
            ("accounting.journals.read", true),
            ("offline_access", true),
            ("accounting.transactions", false),
            ("accounting.classicexpenses", false),
            ("accounting.reports.bankstatement.read", false),
            ("practicemanager", false),
            ("app.connections", false),
        ] {
            assert_eq!(find(name).may_be_requested(), may, "{name}");
        }
    }

    #[test]
    fn the_table_in_the_documentation_has_every_scope_once_and_with_its_status() {
        let document = include_str!("../../../docs/xero.md");
        let rows: Vec<(&str, &str)> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
            .filter_map(|(names, rest)| Some((names, rest.split_once(" | ")?.0)))
            .collect();
        for scope in catalogue().scopes() {
            let mut status = format!("{:?}", scope.status()).to_lowercase();
            if scope.entry().withdrawn {
                status += ", withdrawn";
            }
            if let Some(access) = scope.entry().access {
                status += &format!(", {access:?}").to_lowercase();
            }
            let name = format!("`{scope}`");
            let matching = rows.iter().filter(|(names, of)| {
                names.split(' ').any(|word| word == name) && of.replace('-', "") == status
            });
            assert_eq!(matching.count(), 1, "{scope}: {status}");
        }
    }
}
