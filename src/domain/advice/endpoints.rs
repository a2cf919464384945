//! Which scopes a path of Xero's belongs to: data in `endpoints.toml`, read once.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::scopes::{Scope, catalogue};

/// One of Xero's APIs.
pub(super) struct Api {
    /// Where its paths begin: `api.xro/2.0`.
    pub root: String,
    patterns: Vec<Pattern>,
}

/// Paths that take the same scopes.
pub(super) struct Pattern {
    /// `*` is any part.
    parts: Vec<String>,
    /// Of which one is enough, each the name in the file; none where no scope is needed.
    pub scopes: Vec<Scope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    api: Vec<FileApi>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileApi {
    /// For readers of the file.
    #[serde(rename = "name")]
    _name: String,
    root: String,
    scopes: Vec<Vec<String>>,
}

static APIS: LazyLock<Vec<Api>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("endpoints.toml"))
        .expect("the embedded list is read by a test");
    file.api.into_iter().map(Api::new).collect()
});

/// All that the list has.
pub(super) fn apis() -> &'static [Api] {
    &APIS
}

impl Api {
    fn new(FileApi { root, scopes, .. }: FileApi) -> Self {
        let mut patterns: Vec<Pattern> = scopes
            .into_iter()
            .filter_map(|row| {
                let (path, names) = row.split_first()?;
                let parts = path.split('/').filter(|part| !part.is_empty());
                Some(Pattern {
                    parts: parts.map(str::to_owned).collect(),
                    scopes: names.iter().filter_map(|name| catalogue().find(name)).collect(),
                })
            })
            .collect();
        // The most telling first.
        patterns.sort_by_key(|pattern| {
            let free = pattern.parts.iter().filter(|part| *part == "*").count();
            (std::cmp::Reverse(pattern.parts.len()), free)
        });
        Self { root, patterns }
    }

    /// The pattern that a path below the root falls under.
    pub fn pattern(&self, path: &[&str]) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| pattern.fits(path))
    }
}

impl Pattern {
    fn fits(&self, path: &[&str]) -> bool {
        path.len() >= self.parts.len()
            && self
                .parts
                .iter()
                .zip(path)
                .all(|(wanted, part)| wanted == "*" || wanted.eq_ignore_ascii_case(part))
    }

    /// The name of a part as Xero spells it, where the pattern knows one.
    pub fn spelling(&self, at: usize) -> Option<&str> {
        self.parts.get(at).map(String::as_str).filter(|part| *part != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_of_the_list_is_in_the_catalogue() {
        let file: File = toml::from_str(include_str!("endpoints.toml")).unwrap();
        for row in file.api.iter().flat_map(|api| &api.scopes) {
            for name in &row[1..] {
                assert!(catalogue().find(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn the_longest_pattern_counts_and_then_the_one_that_says_most() {
        let api = &apis()[0];
        let of = |path: &str| {
            let parts: Vec<&str> = path.split('/').collect();
            api.pattern(&parts).map(|pattern| pattern.scopes[0].name())
        };
        assert_eq!(of("contacts/1"), Some("accounting.contacts"));
        assert_eq!(of("contacts/1/cissettings"), Some("accounting.settings"));
        assert_eq!(of("Contacts/1/Attachments/a.pdf"), Some("accounting.attachments"));
        assert_eq!(of("Reports/1b2c"), Some("accounting.reports.taxreports.read"));
        assert_eq!(of("Reports/balancesheet"), Some("accounting.reports.balancesheet.read"));
        assert_eq!(of("Payslips"), None);
    }
}
