//! `required_scopes`: what a consent asks for. One scope that Xero refuses breaks the link
//! for everyone, so each is checked against the catalogue.

use toml::Spanned;

use super::problem::{Kind, Wrong};
use super::table::Table;
use crate::domain::scopes::{Scope, ScopeSet, Status, catalogue, meant};

/// Reads the list; `None` when something is wrong with it.
pub(super) fn read(table: &Table<'_>) -> Option<ScopeSet> {
    const EXAMPLE: &str = "[\"offline_access\", \"accounting.settings\", \"accounting.invoices\"]";
    table.need(true, "required_scopes", EXAMPLE);
    let list = table.value("required_scopes")?.span();
    let words = table.list::<String>("required_scopes")?;
    let report = |span, wrong| table.reading().report(span, Kind::Wrong, wrong);

    let mut scopes: Vec<Spanned<Scope>> = Vec::new();
    for word in &words {
        match check(word.get_ref()) {
            Ok(scope) => scopes.push(Spanned::new(word.span(), scope)),
            Err(wrong) => report(word.span(), wrong),
        }
    }
    if let Some(stranger) = practice_manager_among_accounting(&scopes) {
        report(
            stranger.span(),
            Wrong::new(
                format!("`{}` cannot share a consent with accounting scopes", stranger.get_ref()),
                "leave out one of the two families: Xero refuses them together",
            ),
        );
    }
    let set: ScopeSet = scopes.iter().map(|scope| *scope.get_ref()).collect();
    if scopes.len() == words.len() && set.deciding().is_empty() {
        report(
            list,
            Wrong::new(
                "`required_scopes` holds nothing that decides who is ready",
                format!("write what the app needs, as `required_scopes = {EXAMPLE}`"),
            ),
        );
        return None;
    }
    (scopes.len() == words.len()).then_some(set)
}

fn practice_manager_among_accounting(scopes: &[Spanned<Scope>]) -> Option<&Spanned<Scope>> {
    let of = |family: &'static str| {
        scopes.iter().find(move |scope| scope.get_ref().name().starts_with(family))
    };
    of("accounting.").and(of("practicemanager"))
}

fn check(word: &str) -> Result<Scope, Wrong> {
    let name = word.trim().to_ascii_lowercase();
    if name.split_whitespace().nth(1).is_some() {
        let each: Vec<String> = name.split_whitespace().map(|word| format!("\"{word}\"")).collect();
        return Err(Wrong::new(
            "an entry of `required_scopes` holds several scopes",
            format!("write each on its own: {}", each.join(", ")),
        ));
    }
    let Some(scope) = catalogue().find(&name) else {
        let guess =
            meant(&name).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        return Err(Wrong::new(
            format!("`{word}` is no scope of Xero's"),
            format!("{guess}`worker scopes list` shows all there are"),
        ));
    };
    let entry = scope.entry();
    match entry.status {
        Status::Broad => Err(Wrong::new(
            format!("`{scope}` is one of the broad scopes that the campaign leaves behind"),
            format!(
                "require those of its replacements that the app uses: {}",
                entry.replaced_by.join(", ")
            ),
        )),
        Status::NonTenanted => Err(Wrong::new(
            format!("`{scope}` is never part of a user's consent"),
            "leave it out: the program asks for it itself, with the client secret",
        )),
        Status::Withdrawn => Err(withdrawn(scope)),
        Status::Granular | Status::Unchanged | Status::Identity if entry.withdrawn => {
            Err(withdrawn(scope))
        }
        Status::Granular | Status::Unchanged | Status::Identity => Ok(scope),
    }
}

fn withdrawn(scope: Scope) -> Wrong {
    let note = scope.entry().note.as_deref().unwrap_or_default();
    Wrong::new(
        format!("`{scope}` is withdrawn: asking for it breaks the consent for everyone"),
        format!("leave it out. {note}").trim_end().to_owned(),
    )
}
