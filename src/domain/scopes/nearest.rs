//! The scope that a misspelt word is nearest to, measured in edits from its name and from
//! the ways in which people shorten it.

use std::sync::LazyLock;

use super::catalogue::{Scope, Status, catalogue};
use super::meant::fold;

/// Letters that a scope's last part needs to be recognised without its prefix: `payslip`
/// can only be the scope, `time` or `client` can be anything.
pub(super) const TELLING: usize = 7;

/// Edits after which a word is another word, however long it is.
const MOST_EDITS: usize = 3;

/// A way in which a scope is written by mistake.
struct Form {
    text: String,
    /// How far from the scope's name it is by itself.
    penalty: usize,
    scope: Scope,
}

/// Every scope's name, without its prefix or middle, and with `.read` where there is none
/// or without it where there is nothing else.
static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let mut forms = Vec::new();
    for scope in catalogue().scopes() {
        let name = fold(scope.name());
        let core = name.strip_suffix(".read").unwrap_or(&name);
        let is_read = core != name;
        let other = if is_read { core.to_owned() } else { format!("{name}.read") };
        let parts: Vec<&str> = core.split('.').collect();
        let mut cores: Vec<(String, usize)> =
            (0..parts.len()).map(|cut| (parts[cut..].join("."), cut)).collect();
        if let [first, _, last] = parts[..] {
            cores.push((format!("{first}.{last}"), 1));
        }
        for (text, cut) in cores {
            let bare = cut > 0 && !text.contains('.');
            if bare && (text.len() < TELLING || scope.status() == Status::NonTenanted) {
                continue;
            }
            let read = format!("{text}.read");
            let (same, toggled) = if is_read { (read, text) } else { (text, read) };
            forms.push(Form { text: same, penalty: cut, scope });
            if catalogue().find(&other).is_none() {
                forms.push(Form { text: toggled, penalty: cut + 1, scope });
            }
        }
    }
    forms
});

/// The scope with the nearest form, if one is near enough. Among equally near ones what can
/// be requested comes before what cannot, then the order of names decides.
pub(super) fn nearest(folded: &str) -> Option<Scope> {
    let word = read_last(folded);
    FORMS
        .iter()
        .filter_map(|form| Some((distance(&word, &form.text)? + form.penalty, form.scope)))
        .min_by_key(|(cost, scope)| (*cost, !scope.may_be_requested(), *scope))
        .map(|(_, scope)| scope)
}

/// With the words for reading and writing as Xero puts them: `.read` at the end, and
/// nothing for writing.
fn read_last(folded: &str) -> String {
    let mut parts: Vec<&str> = folded.split('.').collect();
    let count = parts.len();
    parts.retain(|part| !matches!(*part, "read" | "readonly" | "only" | "write" | "readwrite"));
    let reads = count > parts.len() && !folded.contains("write");
    if reads {
        parts.push("read");
    }
    parts.join(".")
}

/// Edits between two texts (a swap of neighbours is one), or `None` when they are too many.
/// What both have in common at the start and the end, part by part, is left out first:
/// `accounting.` before it makes no word more alike to another. One edit for four letters
/// of the rest; one for three letters too (`practicemanager.job`).
fn distance(word: &str, form: &str) -> Option<usize> {
    if word.len().abs_diff(form.len()) > MOST_EDITS + 1 {
        return None; // With the dot that goes with a part, no rest can be close enough.
    }
    let mut word: Vec<&str> = word.split('.').collect();
    let mut form: Vec<&str> = form.split('.').collect();
    while word.last().is_some_and(|part| form.last() == Some(part)) {
        word.pop();
        form.pop();
    }
    let common = word.iter().zip(&form).take_while(|(a, b)| a == b).count();
    let (word, form) = (word[common..].join("."), form[common..].join("."));
    let longer = word.len().max(form.len());
    let allowed = if longer == 3 { 1 } else { (longer / 4).min(MOST_EDITS) };
    if word.len().abs_diff(form.len()) > allowed {
        return None;
    }
    Some(strsim::osa_distance(&word, &form)).filter(|edits| *edits <= allowed)
}
