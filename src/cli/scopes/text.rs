//! Scopes and what they mean, for people.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table};

use crate::domain::class::Class;
use crate::domain::scopes::{Access, Entry, Explained, Status, catalogue};

/// Characters in a line of the catalogue's table, on a terminal or not: the same command
/// prints the same text everywhere.
const TABLE_WIDTH: u16 = 120;

/// Letters of an unknown word that people are shown.
const SHOWN: usize = 60;

/// The catalogue, a line or more for each scope.
pub(super) fn table(entries: impl Iterator<Item = &'static Entry>) -> Table {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_width(TABLE_WIDTH)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["scope", "status", "access", "replaced by, or covers"]);
    for entry in entries {
        let replaced_or_covers =
            if entry.replaced_by.is_empty() { &entry.covers } else { &entry.replaced_by };
        let mut about = replaced_or_covers.join(", ");
        if let Some(note) = &entry.note {
            about.push_str(if about.is_empty() { "" } else { ". " });
            about.push_str(note);
        }
        table.add_row([&entry.name, status(entry), access(entry), &about]);
    }
    for column in table.column_iter_mut().take(3) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

/// One text, explained: its class, then a line for each thing worth a look.
pub(super) fn paragraph(explained: &Explained, out: &mut dyn Write) -> io::Result<()> {
    let Explained { class, broad, granular, unchanged, withdrawn, .. } = explained;
    writeln!(out, "{class}: {}", explained.note.unwrap_or(in_words(*class)))?;
    for name in broad {
        let replaced_by = catalogue().find(name).map_or(&[][..], |s| &s.entry().replaced_by);
        writeln!(out, "  broad: {name}, replaced by {}", replaced_by.join(", "))?;
    }
    for (status, names) in
        [("granular", granular), ("unchanged", unchanged), ("withdrawn", withdrawn)]
    {
        if !names.is_empty() {
            writeln!(out, "  {status}: {}", names.join(", "))?;
        }
    }
    match explained.missing.as_deref() {
        None => {}
        Some([]) => writeln!(out, "  missing: nothing that the campaign requires")?,
        Some(missing) => writeln!(out, "  missing: {}", missing.join(", "))?,
    }
    for word in &explained.unknown {
        write!(out, "  unknown, counts for nothing: {}", printable(word))?;
        match explained.hints.get(word) {
            Some(meant) => writeln!(out, " (meant {meant}?)")?,
            None => writeln!(out)?,
        }
    }
    if !explained.repeated.is_empty() {
        let words: Vec<String> = explained.repeated.iter().map(|word| printable(word)).collect();
        writeln!(out, "  repeated: {}", words.join(", "))?;
    }
    Ok(())
}

fn in_words(class: Class) -> &'static str {
    match class {
        Class::BroadOnly => "holds what Xero retires, and none of its replacements",
        Class::Mixed => "holds what Xero retires, and replacements beside it",
        Class::Granular => "holds replacements, and nothing that Xero retires",
        Class::Unaffected => "holds nothing that Xero retires, and no replacement",
        Class::Unknown => "no known scope in it, so no evidence of anything",
    }
}

/// A word from outside as it may go to a terminal: cut, and without control characters.
fn printable(word: &str) -> String {
    let mut text = String::new();
    for (at, c) in word.chars().enumerate() {
        match c {
            _ if at == SHOWN => return text + "…",
            '\'' | '"' | '\\' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    text
}

fn status(entry: &Entry) -> &'static str {
    match entry.status {
        Status::Granular if entry.withdrawn => "granular, withdrawn",
        Status::Broad => "broad",
        Status::Granular => "granular",
        Status::Unchanged => "unchanged",
        Status::Withdrawn => "withdrawn",
        Status::Identity => "identity",
        Status::NonTenanted => "non-tenanted",
    }
}

fn access(entry: &Entry) -> &'static str {
    match entry.access {
        None => "",
        Some(Access::Premium) => "premium",
        Some(Access::Certified) => "certified",
        Some(Access::Restricted) => "restricted",
        Some(Access::Partner) => "partner",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scopes::Scope;

    #[test]
    fn a_terminal_is_shown_no_control_characters_and_no_endless_words() {
        assert_eq!(printable("\u{1b}[2j\u{202e}'é"), "\\u{1b}[2j\\u{202e}'é");
        assert_eq!(printable(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn the_table_fits_its_width_and_breaks_no_name() {
        let text = table(catalogue().scopes().map(Scope::entry)).trim_fmt();
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(TABLE_WIDTH), "{line}");
        }
        for scope in catalogue().scopes() {
            let name = format!(" {scope} ");
            assert!(text.lines().any(|line| line.starts_with(&name)), "{scope}");
        }
    }
}
