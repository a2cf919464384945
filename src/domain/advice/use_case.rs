//! What apps of a kind need: data in `use_cases.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::scopes::{ScopeSet, catalogue};

/// What every use case needs besides its own.
pub const ALWAYS: [&str; 2] = ["accounting.settings", "offline_access"];

/// What an app is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseCase {
    /// `lending-loan`
    pub name: String,
    pub title: String,
    /// The scopes that such apps asked for before.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// Without those of [`ALWAYS`].
    pub scopes: Vec<String>,
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    use_case: Vec<UseCase>,
}

static USE_CASES: LazyLock<Vec<UseCase>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("use_cases.toml"))
        .expect("the embedded list is read by a test");
    file.use_case
});

impl UseCase {
    #[must_use]
    pub fn all() -> &'static [Self] {
        &USE_CASES
    }

    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|one| one.name == name)
    }

    /// All that it needs.
    #[must_use]
    pub fn set(&self) -> ScopeSet {
        let names = self.scopes.iter().map(String::as_str).chain(ALWAYS);
        names.filter_map(|name| catalogue().find(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::Scope;

    /// Rows of a table in docs/xero.md: a use case, the broad set before, the granular set.
    fn documented() -> Vec<[String; 3]> {
        let page = include_str!("../../../docs/xero.md");
        let (_, section) = page.split_once("## Use cases").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| "));
        rows.skip(1)
            .map(|row| {
                let cells: Vec<String> =
                    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
                cells.try_into().unwrap()
            })
            .collect()
    }

    fn shortened(names: &[String]) -> String {
        names
            .iter()
            .map(|name| name.strip_prefix("accounting.").unwrap_or(name))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn the_use_cases_are_those_of_the_documentation_scope_for_scope() {
        let documented = documented();
        assert_eq!(documented.len(), UseCase::all().len());
        let mut before = String::new();
        for (one, [title, replaces, scopes]) in UseCase::all().iter().zip(documented) {
            assert_eq!(one.title, title);
            before = if replaces == "the same" { before } else { replaces };
            let nothing = if one.replaces.is_empty() { "–".to_owned() } else { String::new() };
            assert_eq!(nothing + &shortened(&one.replaces), before, "{title}");
            let scopes = scopes.replace(" (Advanced tier)", "");
            match &one.note {
                Some(_) => assert!(one.scopes.is_empty() && scopes.contains(".read"), "{title}"),
                None => assert_eq!(shortened(&one.scopes), scopes, "{title}"),
            }
        }
    }

    #[test]
    fn every_name_is_a_scope_and_all_that_is_needed_may_be_requested() {
        for one in UseCase::all() {
            assert_eq!(one.set().len() as usize, one.scopes.len() + ALWAYS.len(), "{}", one.name);
            assert!(one.set().iter().all(Scope::may_be_requested), "{}", one.name);
            assert!(one.replaces.iter().all(|name| catalogue().find(name).is_some()));
            assert_eq!(UseCase::find(&one.name).map(|found| &found.title), Some(&one.title));
        }
    }
}
